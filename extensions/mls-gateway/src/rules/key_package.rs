//! Kinds 443 and 30443: a KeyPackage, with which others add its owner to a group. What is in it is opaque.

use super::tags;
use crate::config::Settings;
use crate::kinds::KEY_PACKAGE;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use trellis_relay::event::Event;
use trellis_relay::reason::Reason;

/// What a KeyPackage says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyPackage {
    /// `kpr`
    pub(crate) reference: Option<String>,
    /// `cs`
    pub(crate) ciphersuite: Option<String>,
    /// None for one that is good until it is replaced (30443).
    pub(crate) expires_at_s: Option<u64>,
}

/// Nothing is good for longer than so many seconds after it was made: later ends are brought forward.
const LIFE_S_MAX: u64 = 30 * 86_400;
/// Ciphersuites of MLS (RFC 9420) as tags may name them: by number, by name, and by short name.
const CIPHERSUITES: [&str; 7] = [
    "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
    "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
    "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
    "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448",
    "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
    "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
    "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
];
/// Base64 with or without padding.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads one that is good for now.
pub(crate) fn read(event: &Event, settings: &Settings, now_s: u64) -> Result<KeyPackage, Reason> {
    for tag in &settings.keypackage_require_tags {
        tags::exactly_one(event, tag.as_str())?;
    }
    if let Some(owner) = tags::at_most_one(event, "p")?
        && tags::public_key("p", &owner)? != *event.pubkey()
    {
        return Err(Reason::invalid("p must be the KeyPackage's author"));
    }
    let expires_at_s = expires_at_s(event, settings)?;
    if expires_at_s.is_some_and(|at| at <= now_s) {
        return Err(Reason::invalid("the KeyPackage has expired already"));
    }
    check_content(event)?;
    let text = |tag: Option<std::borrow::Cow<'_, str>>| tag.map(|text| text.into_owned());
    let reference = text(tags::at_most_one(event, "kpr")?);
    if reference.as_deref().is_some_and(str::is_empty) {
        return Err(Reason::invalid("kpr must not be empty"));
    }
    Ok(KeyPackage {
        reference,
        ciphersuite: text(tags::at_most_one(event, "cs")?),
        expires_at_s,
    })
}

/// When it ends, whenever that is asked: `exp`, but at most 30 days after it was made.
pub(crate) fn expires_at_s(event: &Event, settings: &Settings) -> Result<Option<u64>, Reason> {
    match tags::at_most_one(event, "exp")? {
        Some(exp) => {
            let latest_s = event.created_at().saturating_add(LIFE_S_MAX);
            Ok(Some(tags::number("exp", &exp)?.min(latest_s)))
        }
        None if event.kind() == KEY_PACKAGE => Ok(Some(
            event.created_at().saturating_add(settings.keypackage_ttl_s),
        )),
        None => Ok(None),
    }
}

/// Whether anybody knows this ciphersuite.
pub(crate) fn is_known(ciphersuite: &str) -> bool {
    let number = match ciphersuite.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16).ok(),
        None => ciphersuite.parse().ok(),
    };
    match number {
        Some(number) => (1..=7).contains(&number),
        // Short names leave out what follows the key exchange.
        None => CIPHERSUITES.iter().any(|name| {
            let rest = name.strip_prefix(ciphersuite);
            rest.is_some_and(|rest| {
                rest.is_empty() || (ciphersuite.len() > 8 && rest.starts_with('_'))
            })
        }),
    }
}

fn check_content(event: &Event) -> Result<(), Reason> {
    let content = event.content();
    let is_hex =
        || content.len().is_multiple_of(2) && content.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_base64 = || BASE64.decode(&*content).is_ok();
    let encoding = tags::at_most_one(event, "encoding")?;
    let fits = match encoding.as_deref() {
        None => is_hex() || is_base64(),
        Some("hex") => is_hex(),
        Some("base64") => is_base64(),
        Some(_) => return Err(Reason::invalid("encoding must be hex or base64")),
    };
    match (content.is_empty(), fits) {
        (true, _) => Err(Reason::invalid("the KeyPackage is empty")),
        (false, true) => Ok(()),
        (false, false) => Err(Reason::invalid(format!(
            "the content is not {}",
            encoding.as_deref().unwrap_or("hex or base64")
        ))),
    }
}
