//! An event before it is signed.
//!
//! Built with the `nostr` crate, so that the relay's own hashing is checked against another's.

use crate::event::Event;
use nostr::event::{Kind, Tag, UnsignedEvent};
use nostr::key::Keys;
use nostr::types::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// An event before it is signed; [`Author::draft`](super::Author::draft) begins one.
///
/// ```
/// use std::time::Duration;
/// use trellis_relay::testing::{Author, START_S};
/// let event = Author::new(1)
///     .draft(30_023)
///     .tag(["d", "news"])
///     .tag(["p", &Author::new(2).pubkey().to_hex()])
///     .content("what happened")
///     .ago(Duration::from_secs(60))
///     .expires_in(Duration::from_secs(90))
///     .sign();
/// assert_eq!(event.created_at(), START_S - 60);
/// assert_eq!(event.expiration(), Some(START_S + 30));
/// assert_eq!(event.first_tag_value("d").as_deref(), Some("news"));
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    keys: Arc<Keys>,
    kind: u16,
    created_at: u64,
    tags: Vec<Vec<String>>,
    content: String,
}

impl Draft {
    pub(super) fn new(keys: Arc<Keys>, kind: u16, created_at: u64) -> Self {
        Draft {
            keys,
            kind,
            created_at,
            tags: Vec::new(),
            content: String::new(),
        }
    }

    /// With this content.
    #[must_use]
    pub fn content(mut self, content: &str) -> Self {
        content.clone_into(&mut self.content);
        self
    }

    /// With one more tag: its name and what follows.
    #[must_use]
    pub fn tag<const N: usize>(mut self, items: [&str; N]) -> Self {
        self.tags.push(items.map(str::to_owned).to_vec());
        self
    }

    /// Written at these seconds since 1970.
    #[must_use]
    pub fn at(mut self, created_at: u64) -> Self {
        self.created_at = created_at;
        self
    }

    /// Written so long before now.
    #[must_use]
    pub fn ago(mut self, before: Duration) -> Self {
        self.created_at -= before.as_secs();
        self
    }

    /// With an expiration (NIP-40) so long after `created_at`; set that first.
    #[must_use]
    pub fn expires_in(self, after: Duration) -> Self {
        let at = (self.created_at + after.as_secs()).to_string();
        self.tag(["expiration", &at])
    }

    /// With id and signature.
    pub fn sign(self) -> Event {
        let unsigned = self.unsigned();
        self.finish(unsigned)
    }

    /// With an id that shows at least so many zero bits (NIP-13), and says so. Each bit doubles the work; 16 are done in a
    /// moment.
    pub fn mine(mut self, bits: u8) -> Event {
        let place = self.tags.len();
        self.tags.push(Vec::new());
        for nonce in 0_u64.. {
            self.tags[place] = vec!["nonce".into(), nonce.to_string(), bits.to_string()];
            let unsigned = self.unsigned();
            if zero_bits(unsigned.compute_id().as_bytes()) >= u32::from(bits) {
                return self.finish(unsigned);
            }
        }
        unreachable!("a nonce is found long before they are used up")
    }

    /// With the signature of another event: what a relay must refuse.
    pub fn forge(self) -> Event {
        let mut other = self.clone();
        other.content.push('.');
        let signature = other.sign().sig_hex().to_owned();
        let honest = self.sign();
        let text = String::from_utf8(honest.json().to_vec()).unwrap();
        let forged = text.replace(honest.sig_hex(), &signature);
        Event::parse(forged.as_bytes()).unwrap()
    }

    fn unsigned(&self) -> UnsignedEvent {
        let tags = self.tags.iter();
        let tags = tags.map(|items| Tag::parse(items.iter().map(String::as_str)).unwrap());
        UnsignedEvent::new(
            self.keys.public_key(),
            Timestamp::from(self.created_at),
            Kind::from(self.kind),
            tags,
            self.content.as_str(),
        )
    }

    fn finish(&self, unsigned: UnsignedEvent) -> Event {
        let signature = self.keys.sign_schnorr(unsigned.compute_id().as_bytes());
        let signed = unsigned.add_signature(signature).unwrap();
        Event::parse(signed.as_json().as_bytes()).unwrap()
    }
}

fn zero_bits(id: &[u8]) -> u32 {
    let whole = id.iter().take_while(|byte| **byte == 0).count();
    whole as u32 * 8 + id.get(whole).map_or(0, |byte| byte.leading_zeros())
}
