//! Who asks, and for what they have signed: tokens of BUD-11, and requests signed as NIP-98 has it.
//!
//! Invariant: an address is counted before a signature is looked at, cheap checks come before the signature's own, and what
//! is not signed for this server, this verb and this blob is no authorization. A token that is no good is answered with 401,
//! a signature of NIP-98 that is no good with 403. Whom the operator's lists keep out signs for nothing, either way.
//!
//! Deliberately not here: whether whoever asks may do it, which is the policy's part.

use crate::BlossomPolicy;
use crate::address;
use crate::blob::BlobHash;
use crate::rates;
use crate::refusal::Refusal;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use trellis_relay::extension::prelude::*;
use trellis_relay::nips::nip98::Nip98Error;

/// The kind of a token (BUD-11).
const TOKEN_KIND: u16 = 24242;
/// The kind of a signed request (NIP-98).
const REQUEST_KIND: u16 = 27235;
/// Headers longer than this are not looked into.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// A clock may be fast by so much: the time of a token must be in the past.
const FAST_CLOCK_S: u64 = 60;

/// With padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a token must be for: its `t` tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Upload,
    List,
    Delete,
    Media,
}

impl Verb {
    fn tag(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::Upload => "upload",
            Verb::List => "list",
            Verb::Delete => "delete",
            Verb::Media => "media",
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signer {
    pub(crate) pubkey: PublicKey,
    scope: Scope,
}

/// The blobs for which somebody has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    /// The `x` tags of a token; `is_open` where it has none.
    Token {
        hashes: Vec<BlobHash>,
        is_open: bool,
    },
    /// A request as a whole, whose body has this hash.
    Body(BlobHash),
    /// A request as a whole.
    Request,
}

impl Signer {
    /// Whether this blob is one that was signed for. A token must name it (`x`); a signed upload is for its own body, and
    /// another signed request for what its URL and body name.
    pub(crate) fn covers(&self, hash: &BlobHash) -> bool {
        match &self.scope {
            Scope::Token { hashes, .. } => hashes.contains(hash),
            Scope::Body(signed) => signed == hash,
            Scope::Request => true,
        }
    }

    /// The one blob that can be meant, where a blob is told by its hash alone.
    pub(crate) fn only_blob(&self) -> Option<BlobHash> {
        match &self.scope {
            Scope::Token { hashes, .. } => match hashes[..] {
                [only] => Some(only),
                _ => None,
            },
            Scope::Body(signed) => Some(*signed),
            Scope::Request => None,
        }
    }

    /// Refuses a token that names no blob at all, where it must name one: whatever comes is not what was signed for.
    pub(crate) fn require_any(&self) -> Result<(), Refusal> {
        match &self.scope {
            Scope::Token { hashes, .. } if hashes.is_empty() => Err(Refusal::Token(
                "the authorization has no x tag with the sha256 of a blob".into(),
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a blob that was not signed for, where a token must name it.
    pub(crate) fn require(&self, hash: &BlobHash) -> Result<(), Refusal> {
        match (&self.scope, self.covers(hash)) {
            (_, true) => Ok(()),
            (Scope::Token { .. }, false) => Err(Refusal::Token(
                "no x tag of the authorization is the sha256 of this blob".into(),
            )),
            (Scope::Body(_) | Scope::Request, false) => Err(Refusal::Signature(
                "the payload tag of the authorization is not the sha256 of this blob".into(),
            )),
        }
    }

    /// Refuses a blob that a token does not name, if it names any.
    pub(crate) fn require_if_scoped(&self, hash: &BlobHash) -> Result<(), Refusal> {
        match &self.scope {
            Scope::Token { is_open: true, .. } => Ok(()),
            _ => self.require(hash),
        }
    }
}

/// Who signed a request without a body.
pub(crate) fn signer(
    me: &BlossomPolicy,
    request: &HttpRequest,
    verb: Verb,
) -> Result<Signer, Refusal> {
    match authorization(me, request)? {
        Authorization::Token(event) => token_signer(me, request, &event, verb),
        Authorization::Request => {
            let signed = Nip98::check(request, &[]).map_err(unsigned)?;
            may_come(me, request, &signed.pubkey)?;
            Ok(Signer {
                pubkey: signed.pubkey,
                scope: Scope::Request,
            })
        }
    }
}

/// Who signed a request whose body is the blob, which stays unread.
pub(crate) async fn signer_of_blob(
    me: &BlossomPolicy,
    request: &HttpRequest,
    verb: Verb,
) -> Result<Signer, Refusal> {
    match authorization(me, request)? {
        Authorization::Token(event) => token_signer(me, request, &event, verb),
        Authorization::Request => {
            // Only what was signed is asked for: the body is the caller's.
            let signed = Nip98Stream::from_request(request, &mut Payload::None).await;
            let signed = signed.map_err(not_signed)?;
            may_come(me, request, &signed.pubkey)?;
            Ok(Signer {
                pubkey: signed.pubkey,
                scope: Scope::Body(BlobHash::from_bytes(*signed.payload_sha256())),
            })
        }
    }
}

/// Who signed a request that has a short body, and the body.
pub(crate) async fn signer_of_body(
    me: &BlossomPolicy,
    request: &HttpRequest,
    payload: web::Payload,
    verb: Verb,
) -> Result<(Signer, Bytes), Refusal> {
    let authorization = authorization(me, request)?;
    let mut payload: Payload = payload.into_inner();
    match authorization {
        Authorization::Token(event) => {
            let signer = token_signer(me, request, &event, verb)?;
            Ok((signer, read_short(me, request, &mut payload).await?))
        }
        Authorization::Request => {
            let signed = Nip98Bytes::from_request(request, &mut payload).await;
            let signed = signed.map_err(not_signed)?;
            may_come(me, request, &signed.pubkey)?;
            let signer = Signer {
                pubkey: signed.pubkey,
                scope: Scope::Request,
            };
            Ok((signer, signed.body))
        }
    }
}

/// A short body whole, at most as long as the route takes, within the time that uploads have.
pub(crate) async fn read_short(
    me: &BlossomPolicy,
    request: &HttpRequest,
    payload: &mut Payload,
) -> Result<Bytes, Refusal> {
    let patience = me.config().upload_idle_timeout.duration();
    let body = tokio::time::timeout(patience, Bytes::from_request(request, payload)).await;
    let body = body.map_err(|_| Refusal::Late)?;
    body.map_err(|error| Refusal::bad_request(format!("the body cannot be read: {error}")))
}

/// What an `Authorization` header is.
enum Authorization {
    Token(Event),
    /// Looked at by the relay.
    Request,
}

/// Counts the address, and reads what stands in the header.
fn authorization(me: &BlossomPolicy, request: &HttpRequest) -> Result<Authorization, Refusal> {
    let header = request.headers().get(header::AUTHORIZATION);
    let header = header.ok_or(Refusal::Unsigned)?;
    me.rates.take_request(request)?;
    let wrong = || {
        Refusal::Token(
            "the Authorization header must be Nostr, a space, and a base64url event of kind 24242 (BUD-11)".into(),
        )
    };
    let (scheme, encoded) = header
        .to_str()
        .ok()
        .and_then(|text| text.trim().split_once(' '))
        .ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("nostr") {
        return Err(wrong());
    }
    if encoded.len() > HEADER_BYTES_MAX {
        return Err(Refusal::Token(
            format!(
                "the authorization has {} characters; at most {HEADER_BYTES_MAX} are read: name fewer blobs in it",
                encoded.len()
            )
            .into(),
        ));
    }
    // Either alphabet of base64.
    let encoded = encoded.trim().replace('+', "-").replace('/', "_");
    let json = BASE64.decode(encoded).map_err(|_| wrong())?;
    let event = Event::parse(&json).map_err(|error| {
        Refusal::Token(format!("the authorization event is not valid: {error}").into())
    })?;
    match event.kind() {
        TOKEN_KIND => Ok(Authorization::Token(event)),
        REQUEST_KIND => Ok(Authorization::Request),
        kind => Err(Refusal::Token(
            format!("the authorization event has kind {kind}, wanted {TOKEN_KIND} (BUD-11)").into(),
        )),
    }
}

/// Checks a token for this server and verb.
fn token_signer(
    me: &BlossomPolicy,
    request: &HttpRequest,
    event: &Event,
    verb: Verb,
) -> Result<Signer, Refusal> {
    let own_names = || address::own_names(&me.config(), request);
    let signer = check_token(event, verb, me.host.clock().now_s(), own_names)?;
    may_come(me, request, &signer.pubkey)?;
    Ok(signer)
}

/// The operator's lists, as they are in force for the relay.
fn may_come(me: &BlossomPolicy, request: &HttpRequest, pubkey: &PublicKey) -> Result<(), Refusal> {
    let ip = rates::client_ip(request)?;
    Ok(me.host.may_read(ip.0, pubkey)?)
}

/// BUD-11, "Validation", but for the blob.
fn check_token(
    event: &Event,
    verb: Verb,
    now_s: u64,
    own_names: impl FnOnce() -> Vec<String>,
) -> Result<Signer, Refusal> {
    let wrong = |text: String| Err(Refusal::Token(text.into()));
    if event.created_at() > now_s.saturating_add(FAST_CLOCK_S) {
        let ahead_s = event.created_at() - now_s;
        return wrong(format!(
            "the authorization is {ahead_s} s ahead of this server's clock; created_at must be in the past"
        ));
    }
    let expiration = event.first_tag_value("expiration");
    match expiration.as_ref().and_then(|it| it.parse::<u64>().ok()) {
        None => {
            return wrong(
                "the authorization has no expiration tag with seconds since 1970".to_owned(),
            );
        }
        Some(expires_s) if expires_s <= now_s => {
            return wrong("the authorization has expired".to_owned());
        }
        Some(_) => {}
    }
    if !event.tag_values(b't').any(|tag| tag == verb.tag()) {
        return wrong(format!(
            "the authorization is for something else: its t tag must be {:?}",
            verb.tag()
        ));
    }
    // One without a value names no server, and so not this one.
    let mut servers = event.tags().filter(|tag| tag.name() == "server").peekable();
    if servers.peek().is_some() {
        let own_names = own_names();
        let is_own = |name: String| own_names.contains(&name);
        let mut named = servers.filter_map(|tag| address::named(&tag.value()?));
        if !named.any(is_own) {
            return wrong(format!(
                "the authorization is for another server: none of its server tags is this one's domain name, {}",
                match own_names.is_empty() {
                    true => "which its operator has not set".to_owned(),
                    false => own_names.join(" or "),
                }
            ));
        }
    }
    // The dear check comes last.
    if let Err(error) = event.verify() {
        return wrong(format!("the authorization event is not valid: {error}"));
    }
    let mut is_open = true;
    let mut hashes = Vec::new();
    for tag in event.tags().filter(|tag| tag.name() == "x") {
        is_open = false;
        hashes.extend(tag.value().and_then(|it| it.parse::<BlobHash>().ok()));
    }
    Ok(Signer {
        pubkey: *event.pubkey(),
        scope: Scope::Token { hashes, is_open },
    })
}

/// What is wrong with a signed request (NIP-98) or a service's token, where an extractor of the relay says it.
pub(crate) fn not_signed(error: ApiError) -> Refusal {
    let refusal = Refusal::from_api(error.status(), error.to_string());
    error.into_nip98().map_or(refusal, unsigned)
}

fn unsigned(error: Nip98Error) -> Refusal {
    let text = error.to_string();
    match error {
        Nip98Error::Header => Refusal::Token(text.into()),
        Nip98Error::Busy => Refusal::TooMany(std::time::Duration::from_secs(60)),
        Nip98Error::Banned => Refusal::forbidden(text),
        _ => Refusal::Signature(text.into()),
    }
}

#[cfg(test)]
mod tests;
