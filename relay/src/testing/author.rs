//! People with keys, and the events that they sign for real.
//!
//! Invariant: the same number is the same key in every run, so a failure can be looked at twice.

use super::{Draft, START_S};
use crate::clock::{Clock, FakeClock};
use crate::event::{Event, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr::event::{EventBuilder, FinalizeEvent as _};
use nostr::key::Keys;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Someone with a key of their own.
///
/// What [`Author::new`] makes writes at [`START_S`], at which the clock of a test begins; what
/// [`TestRelay::author`](super::TestRelay::author) makes follows the clock of that relay.
///
/// ```
/// use trellis_relay::testing::{Author, START_S};
/// let (alice, bob) = (Author::new(1), Author::new(2));
/// assert_eq!(alice.pubkey(), Author::new(1).pubkey());
/// assert_ne!(alice.pubkey(), bob.pubkey());
/// let note = alice.note("hello");
/// assert_eq!((note.kind(), note.created_at()), (1, START_S));
/// note.verify().expect("signed for real");
/// ```
#[derive(Clone, Debug)]
pub struct Author {
    keys: Arc<Keys>,
    clock: Arc<FakeClock>,
}

impl Author {
    /// The author of this number.
    pub fn new(number: u64) -> Self {
        Self::on_clock(number, Arc::new(FakeClock::at_s(START_S)))
    }

    pub(super) fn on_clock(number: u64, clock: Arc<FakeClock>) -> Self {
        let secret = Sha256::digest(format!("author {number} of a test"));
        let keys = Keys::parse(&const_hex::encode(secret)).unwrap();
        Author {
            keys: Arc::new(keys),
            clock,
        }
    }

    /// With a key that is there already.
    pub fn with_keys(keys: Keys) -> Self {
        Author {
            keys: Arc::new(keys),
            clock: Arc::new(FakeClock::at_s(START_S)),
        }
    }

    /// The public key; `{}` of it is hex, as configurations take it.
    pub fn pubkey(&self) -> PublicKey {
        self.keys.public_key()
    }

    /// The keys, for what the kit does not do.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// An event of this kind, written now, without tags or content.
    pub fn draft(&self, kind: u16) -> Draft {
        Draft::new(self.keys.clone(), kind, self.clock.now_s())
    }

    /// A signed text note (kind 1). The same words in the same second are the same event.
    pub fn note(&self, content: &str) -> Event {
        self.draft(1).content(content).sign()
    }

    /// A signed wish that these events of the author be deleted (NIP-09).
    pub fn deletion<'e>(&self, events: impl IntoIterator<Item = &'e Event>) -> Event {
        let ids = events.into_iter().map(|event| event.id().to_hex());
        ids.fold(self.draft(5), |draft, id| draft.tag(["e", &id]))
            .sign()
    }

    /// The value of an `Authorization` header for one HTTP request (NIP-98). `url` is absolute; a body is covered by the
    /// `payload` tag. Every call signs another event, since a header is good for one request.
    pub fn authorization(&self, method: &str, url: &str, body: &[u8]) -> String {
        let event = self.nip98_at(self.clock.now_s(), method, url, body);
        format!("Nostr {}", STANDARD.encode(event.json()))
    }

    pub(super) fn nip98_at(&self, now_s: u64, method: &str, url: &str, body: &[u8]) -> Event {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Relaxed).to_string();
        let draft = self.draft(27_235).at(now_s).content(&number);
        let draft = draft.tag(["u", url]).tag(["method", method]);
        match body.is_empty() {
            true => draft.sign(),
            false => {
                let hash = const_hex::encode(Sha256::digest(body));
                draft.tag(["payload", &hash]).sign()
            }
        }
    }

    /// The answer to a relay's challenge (NIP-42).
    pub fn auth_event(&self, relay_url: &str, challenge: &str) -> Event {
        let draft = self.draft(22_242).tag(["relay", relay_url]);
        draft.tag(["challenge", challenge]).sign()
    }
}

/// An event of the `nostr` crate's builder, signed, as hooks are given it.
pub fn sign(event: EventBuilder, keys: &Keys) -> Arc<Event> {
    let signed = event.finalize(keys).unwrap();
    let json = serde_json::to_string(&signed).unwrap();
    Arc::new(Event::parse(json.as_bytes()).unwrap())
}
