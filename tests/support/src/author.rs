//! Keys and signed events, built with the `nostr` crate so that the relay's own hashing is checked against another's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr::nips::nip19::ToBech32 as _;
use nostr::prelude::{Event, Keys, Kind, Tag, Timestamp, UnsignedEvent};
use sha2::{Digest as _, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Someone with a key of their own.
#[derive(Clone, Debug)]
pub struct Author {
    keys: Keys,
}

/// An event before it is signed.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    author: &'a Author,
    kind: u16,
    created_at: u64,
    tags: Vec<Vec<String>>,
    content: String,
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A word that no other call in this process returns.
pub fn unique(word: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{word}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Author {
    /// With a new key.
    #[allow(clippy::new_without_default, reason = "two authors are never equal")]
    pub fn new() -> Self {
        Author {
            keys: Keys::generate(),
        }
    }

    /// The public key in hex.
    pub fn pubkey(&self) -> String {
        self.keys.public_key().to_hex()
    }

    /// The public key as npub (NIP-19).
    pub fn npub(&self) -> String {
        self.keys.public_key().to_bech32().expect("an npub")
    }

    /// The secret key in hex, for clients in other languages.
    pub fn secret(&self) -> String {
        self.keys.secret_key().to_secret_hex()
    }

    /// An event of this kind, made now, without tags or content.
    pub fn draft(&self, kind: u16) -> Draft<'_> {
        Draft {
            author: self,
            kind,
            created_at: now(),
            tags: Vec::new(),
            content: String::new(),
        }
    }

    /// A signed text note (kind 1).
    pub fn note(&self, content: &str) -> Event {
        self.draft(1).content(content).sign()
    }

    /// Signed text notes, one a second up to now, the newest first.
    pub fn notes(&self, count: usize) -> Vec<Event> {
        let now = now();
        (0..count)
            .map(|i| {
                self.draft(1)
                    .at(now - i as u64)
                    .content(&format!("note {i}"))
                    .sign()
            })
            .collect()
    }

    /// A signed deletion (NIP-09) with these tags.
    pub fn deletion<const N: usize>(&self, tags: [[&str; 2]; N]) -> Event {
        let draft = self.draft(5);
        tags.iter().fold(draft, |draft, tag| draft.tag(tag)).sign()
    }

    /// The value of an `Authorization` header for one HTTP request with a body (NIP-98).
    pub fn authorization(&self, method: &str, url: &str, body: &str) -> String {
        let hash = const_hex::encode(Sha256::digest(body.as_bytes()));
        as_header(self.request(method, url).tag(&["payload", &hash]))
    }

    /// The same without a word about the body.
    pub fn authorization_without_payload(&self, method: &str, url: &str) -> String {
        as_header(self.request(method, url))
    }

    fn request(&self, method: &str, url: &str) -> Draft<'_> {
        let event = self.draft(27_235).content(&unique("request"));
        event.tag(&["u", url]).tag(&["method", method])
    }

    /// The NIP-42 answer to a challenge.
    pub fn auth_event(&self, relay_url: &str, challenge: &str) -> Event {
        self.draft(22_242)
            .tag(&["relay", relay_url])
            .tag(&["challenge", challenge])
            .sign()
    }
}

fn as_header(event: Draft<'_>) -> String {
    format!("Nostr {}", STANDARD.encode(event.sign().as_json()))
}

impl Draft<'_> {
    /// With this content.
    pub fn content(mut self, content: &str) -> Self {
        content.clone_into(&mut self.content);
        self
    }

    /// With one more tag.
    pub fn tag(mut self, items: &[&str]) -> Self {
        self.tags
            .push(items.iter().map(|item| (*item).to_owned()).collect());
        self
    }

    /// With a tag that tells a hook of the extension `probe` what to do.
    pub fn probe(self, hook: &str, action: &str) -> Self {
        self.tag(&["probe", hook, action])
    }

    /// Made at these seconds.
    pub fn at(mut self, created_at: u64) -> Self {
        self.created_at = created_at;
        self
    }

    /// With the signature.
    pub fn sign(self) -> Event {
        let unsigned = self.unsigned();
        self.finish(unsigned)
    }

    /// With the signature and an id of at least so many leading zero bits; `committed` stands in the nonce tag (NIP-13).
    pub fn mine(mut self, bits: u32, committed: u32) -> Event {
        self.tags.push(Vec::new());
        let mut nonce = 0_u64;
        loop {
            let tag = vec!["nonce".to_owned(), nonce.to_string(), committed.to_string()];
            if let Some(last) = self.tags.last_mut() {
                *last = tag;
            }
            let unsigned = self.unsigned();
            if leading_zero_bits(unsigned.compute_id().as_bytes()) >= bits {
                return self.finish(unsigned);
            }
            nonce += 1;
        }
    }

    fn unsigned(&self) -> UnsignedEvent {
        let tags = self
            .tags
            .iter()
            .map(|items| Tag::parse(items.iter().map(String::as_str)).expect("a tag has a name"));
        UnsignedEvent::new(
            self.author.keys.public_key(),
            Timestamp::from(self.created_at),
            Kind::from(self.kind),
            tags,
            self.content.as_str(),
        )
    }

    fn finish(&self, unsigned: UnsignedEvent) -> Event {
        let signature = self
            .author
            .keys
            .sign_schnorr(unsigned.compute_id().as_bytes());
        unsigned.add_signature(signature).expect("own signature")
    }
}

/// NIP-13's difficulty of an id.
pub fn leading_zero_bits(id: &[u8]) -> u32 {
    let mut bits = 0;
    for byte in id {
        bits += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    bits
}
