//! NIP-98: HTTP requests signed with a Nostr key.
//!
//! The check is pure; that a header is used once is the [`ReplayGuard`]'s part. Which URLs a request may be signed for is
//! in [`address`].

pub mod address;

use address::Target;

use crate::event::{Event, EventError, EventId, PublicKey};
use crate::shares::Shares;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// The kind of an authorization.
const KIND: u16 = 27235;
/// How far its `created_at` may be from now, either way, unless a route says otherwise.
pub const WINDOW_S: u64 = 60;
/// With padding or without, as clients write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Headers longer than this are not looked into.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// Errors quote so much of a URL.
const QUOTED_CHARS_MAX: usize = 200;
/// The replay guard remembers so many.
const REMEMBERED: usize = 100_000;

/// A good authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Who signed.
    pub pubkey: PublicKey,
    /// The event that says so.
    pub id: EventId,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Seconds since 1970 after which it is no longer good.
    pub good_until_s: u64,
    /// The `payload` tag, if there is one: the sha256 of the body that was signed for.
    pub payload_sha256: Option<[u8; 32]>,
}

/// Why an authorization is none. The texts may be shown to the client.
#[derive(Debug, thiserror::Error)]
pub enum Nip98Error {
    /// Not `Nostr <base64>`.
    #[error("the Authorization header must be: Nostr, a space, and a base64 event of kind 27235")]
    Header,
    /// The event is malformed, or its id or signature is wrong.
    #[error("the authorization event is not valid: {0}")]
    Event(#[from] EventError),
    /// Not 27235.
    #[error("the authorization event has kind {0}, wanted 27235")]
    Kind(u16),
    /// Too old, or from the future.
    #[error(
        "the authorization event is {off_s} s off; at most {window_s} s are allowed: check the clock"
    )]
    Time {
        /// How far from now.
        off_s: u64,
        /// How far it may be.
        window_s: u64,
    },
    /// The `u` tag is not the URL.
    #[error("the u tag must be the absolute URL of the request: found {found}, wanted {wanted}")]
    Url {
        /// What was signed, in quotes, or `none`; both are cut off where they are long.
        found: String,
        /// What would be right, in quotes.
        wanted: String,
    },
    /// The `method` tag is not the method.
    #[error("the method tag must be the request's method, {0}")]
    Method(String),
    /// The `payload` tag is not the sha256 of the body.
    #[error("the payload tag must be the sha256 of the body in hex")]
    Payload,
    /// Used before.
    #[error("this authorization was used before; sign a new one for each request")]
    Replayed,
    /// Older than the memory of those that were used.
    #[error(
        "this authorization is {0} s older than the start of the relay, which cannot know whether it was used before: sign \
         a new one; if your clock is slow, try again in a minute"
    )]
    BeforeStart(u64),
    /// Nobody can know which URLs are the relay's.
    #[error(
        "the relay does not know its own address; its operator must set network.relay_url before signed requests can be \
         made from elsewhere"
    )]
    NoAddress,
    /// The operator has banned the signer.
    #[error("this public key is banned")]
    Banned,
    /// Too many authorizations at a time; trying again may help.
    #[error("too many authorizations at the moment; try again in a minute")]
    Busy,
}

/// Checks the value of an `Authorization` header against a request. `url` is absolute, with its query; a `body_sha256`
/// must be covered by the `payload` tag.
pub fn check(
    header: &str,
    method: &str,
    url: &str,
    body_sha256: Option<&[u8; 32]>,
    now_s: u64,
) -> Result<Signed, Nip98Error> {
    let asked = Asked {
        method,
        target: Target::Exact(url),
        body_sha256,
        window_s: WINDOW_S,
    };
    asked.check(header, now_s)
}

/// A request whose address may be written in more ways than one.
pub(crate) struct Asked<'r> {
    /// GET and so on.
    pub(crate) method: &'r str,
    /// What the `u` tag must name.
    pub(crate) target: Target<'r>,
    /// Of a body that the `payload` tag must cover.
    pub(crate) body_sha256: Option<&'r [u8; 32]>,
    /// How far `created_at` may be from now, either way.
    pub(crate) window_s: u64,
}

impl Asked<'_> {
    /// Checks the value of an `Authorization` header.
    pub(crate) fn check(self, header: &str, now_s: u64) -> Result<Signed, Nip98Error> {
        let window_s = self.window_s;
        let event = Event::parse(&decode(header)?)?;
        if event.kind() != KIND {
            return Err(Nip98Error::Kind(event.kind()));
        }
        let off_s = event.created_at().abs_diff(now_s);
        if off_s > window_s {
            return Err(Nip98Error::Time { off_s, window_s });
        }
        let url = event.first_tag_value("u");
        if !url.as_ref().is_some_and(|url| self.target.is(url)) {
            return Err(Nip98Error::Url {
                found: url.map_or_else(|| "none".to_owned(), |url| quoted(&url)),
                wanted: quoted(&self.target.to_string()),
            });
        }
        let method = event.first_tag_value("method");
        if !method.is_some_and(|signed| signed.eq_ignore_ascii_case(self.method)) {
            return Err(Nip98Error::Method(self.method.to_owned()));
        }
        let payload_sha256 = event.first_tag_value("payload").and_then(|hex| {
            let mut sha256 = [0; 32];
            const_hex::decode_to_slice(&*hex, &mut sha256).ok()?;
            Some(sha256)
        });
        if self.body_sha256.is_some() && self.body_sha256 != payload_sha256.as_ref() {
            return Err(Nip98Error::Payload);
        }
        // The dear check comes last.
        event.verify()?;
        Ok(Signed {
            pubkey: *event.pubkey(),
            id: *event.id(),
            created_at: event.created_at(),
            good_until_s: event.created_at().saturating_add(window_s),
            payload_sha256,
        })
    }
}

/// The beginning of a URL, without anything that could disturb the line it stands in.
fn quoted(url: &str) -> String {
    let mut chars = url.chars();
    let beginning: String = chars.by_ref().take(QUOTED_CHARS_MAX).collect();
    match chars.next() {
        Some(_) => format!("{beginning:?}..."),
        None => format!("{beginning:?}"),
    }
}

/// For [`check`].
pub fn sha256(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

fn decode(header: &str) -> Result<Vec<u8>, Nip98Error> {
    if header.len() > HEADER_BYTES_MAX {
        return Err(Nip98Error::Header);
    }
    let (scheme, token) = header.trim().split_once(' ').ok_or(Nip98Error::Header)?;
    if !scheme.eq_ignore_ascii_case("nostr") {
        return Err(Nip98Error::Header);
    }
    // Of the alphabets clients write either.
    let token = token.trim().replace('-', "+").replace('_', "/");
    BASE64.decode(token).map_err(|_| Nip98Error::Header)
}

/// Remembers authorizations for as long as they are good, so that each serves one request. Bounded: when it is full of
/// good ones, new ones are refused, and of what is free an address has a share, since whoever can make a key can sign. What
/// was signed before its memory begins is refused for as long as it would be good, or a restart would let everything be used
/// twice.
#[derive(Debug, Default)]
pub struct ReplayGuard {
    /// Seconds since 1970 from which it remembers.
    since_s: u64,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    seen: HashSet<EventId>,
    /// The same, by the seconds since 1970 after which they are no longer good.
    good_until_s: BTreeMap<u64, Vec<(EventId, Option<IpAddr>)>>,
    places: Shares,
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            seen: HashSet::new(),
            good_until_s: BTreeMap::new(),
            places: Shares::of(REMEMBERED),
        }
    }
}

impl Memory {
    /// What is over is let go of once, so this costs as much as it came to.
    fn forget_before(&mut self, now_s: u64) {
        while let Some(oldest) = self.good_until_s.first_entry() {
            if *oldest.key() >= now_s {
                return;
            }
            for (id, ip) in oldest.remove() {
                self.seen.remove(&id);
                self.places.give_back(ip, 1);
            }
        }
    }
}

impl ReplayGuard {
    /// One whose memory begins now.
    pub fn starting(now_s: u64) -> Self {
        ReplayGuard {
            since_s: now_s,
            ..Self::default()
        }
    }

    /// Whether the authorization comes for the first time. `ip` is the client's, whose share is looked at where it is
    /// known.
    pub fn first_time(
        &self,
        signed: &Signed,
        ip: Option<IpAddr>,
        now_s: u64,
    ) -> Result<(), Nip98Error> {
        // A clock that was set back since then says nothing about the start.
        if now_s >= self.since_s && signed.created_at < self.since_s {
            return Err(Nip98Error::BeforeStart(self.since_s - signed.created_at));
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.forget_before(now_s);
        if memory.seen.contains(&signed.id) {
            return Err(Nip98Error::Replayed);
        }
        if !memory.places.take(ip, 1) {
            return Err(Nip98Error::Busy);
        }
        memory.seen.insert(signed.id);
        let until = memory.good_until_s.entry(signed.good_until_s);
        until.or_default().push((signed.id, ip));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
