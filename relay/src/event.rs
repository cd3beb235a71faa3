//! A Nostr event in its one form: canonical JSON plus the fields that every filter asks for.
//!
//! Invariant: the JSON of an [`Event`] is well-formed, has exactly NIP-01's seven keys in a fixed order, no white space,
//! and escapes strings as `JSON.stringify` does; so tags and content are found by offset and read without a parser, and
//! the bytes can be sent, stored and hashed as they are. Whether id and signature are right is [`Event::verify`]'s answer.

mod address;
mod assembly;
mod canonical;
mod kinds;
mod parse;
mod scan;
mod tags;
mod verify;

use bytes::Bytes;
use bytestring::ByteString;
use memchr::memmem::Finder;
pub use nostr::event::EventId;
pub use nostr::key::PublicKey;
use std::borrow::Cow;
use std::sync::LazyLock;

pub use address::Address;
pub(crate) use assembly::{Assembler, Draft, FixedFields};
pub(crate) use canonical::lowercase_hex;
pub use canonical::{EventParts, escape_into};
pub use kinds::KindClass;
pub use parse::{EventError, peek_id};
pub use tags::{Tag, Tags};

/// A well-formed event. A clone stands alone: it copies the JSON and keeps no other memory alive. To share one, use an `Arc`.
///
/// ```
/// use trellis_relay::event::Event;
/// let json = format!(
///     r#"{{"id":"{0}","pubkey":"{0}","created_at":1700000000,"kind":1,"tags":[["t","cats"]],"content":"hi","sig":"{0}{0}"}}"#,
///     "ab".repeat(32)
/// );
/// let event = Event::parse(json.as_bytes())?;
/// assert_eq!(event.kind(), 1);
/// assert_eq!(event.content(), "hi");
/// assert_eq!(event.tag_values(b't').next().as_deref(), Some("cats"));
/// # Ok::<(), trellis_relay::event::EventError>(())
/// ```
pub struct Event {
    id: EventId,
    pubkey: PublicKey,
    created_at: u64,
    kind: u16,
    /// Offset of the `[` that opens the tags.
    tags_at: u32,
    /// Offset of the quote that opens the content.
    content_at: u32,
    json: ByteString,
}

// The JSON may be a part of a page of events that is being sent; whoever keeps one event must not keep them all.
impl Clone for Event {
    fn clone(&self) -> Self {
        Event {
            json: ByteString::from(&*self.json),
            ..*self
        }
    }
}

/// Index keys hold five bytes of `created_at`; 2^40 seconds are the year 36812.
const CREATED_AT_END: u64 = 1 << 40;
/// Offset of the quote that opens the author's key.
const PUBKEY_AT: usize = r#"{"id":"","pubkey":"#.len() + 64;
/// Offset of the digits of `created_at`.
const CREATED_AT_AT: usize = PUBKEY_AT + r#""","created_at":"#.len() + 64;
/// How tags with these names begin.
static EXPIRATION: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(r#"["expiration""#));
static PROTECTED: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(r#"["-""#));
/// `"sig":"<128 hex>"}` and the comma before it close every canonical event.
const SIG_TAIL_BYTES: usize = r#","sig":""#.len() + 128 + r#""}"#.len();
/// `,"kind":` stands between `created_at` and kind.
const KIND_KEY_BYTES: usize = r#","kind":"#.len();
/// `,"tags":` stands between kind and tags.
const TAGS_KEY_BYTES: usize = r#","tags":"#.len();
/// `,"content":` stands between tags and content.
const CONTENT_KEY_BYTES: usize = r#","content":"#.len();

impl Event {
    /// The sha256 that names the event, as claimed until [`Event::verify`] has been asked.
    pub fn id(&self) -> &EventId {
        &self.id
    }

    /// The author.
    pub fn pubkey(&self) -> &PublicKey {
        &self.pubkey
    }

    /// Seconds since 1970, as the author says; less than 2^40.
    pub fn created_at(&self) -> u64 {
        self.created_at
    }

    /// The kind, 0 to 65535.
    pub fn kind(&self) -> u16 {
        self.kind
    }

    /// The whole event as canonical JSON.
    pub fn json(&self) -> &Bytes {
        self.json.as_bytes()
    }

    /// All tags in order.
    pub fn tags(&self) -> Tags<'_> {
        Tags::new(self.tags_json())
    }

    /// The tags as canonical JSON, `[["e","..."],...]`.
    pub fn tags_json(&self) -> &str {
        self.text(
            self.tags_at as usize,
            self.content_at as usize - CONTENT_KEY_BYTES,
        )
    }

    /// The content as a JSON string with its quotes and escapes.
    pub fn content_json(&self) -> &str {
        self.text(self.content_at as usize, self.json.len() - SIG_TAIL_BYTES)
    }

    /// The content; borrowed unless it holds an escape.
    pub fn content(&self) -> Cow<'_, str> {
        tags::unescape(self.content_json())
    }

    /// The signature as 128 hex digits.
    pub fn sig_hex(&self) -> &str {
        let end = self.json.len() - 2;
        self.text(end - 128, end)
    }

    /// The first values (index 1) of all tags with this one-letter name.
    pub fn tag_values(&self, letter: u8) -> impl Iterator<Item = Cow<'_, str>> {
        self.tags().values(letter)
    }

    /// The first value of the first tag with this name, if it has one, as `d` is read (NIP-01). Filters look at all tags and
    /// skip those without a value: what decides on who may see or do something asks [`Event::tag_values`].
    pub fn first_tag_value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.tags()
            .find(|tag| tag.name() == name)
            .and_then(|tag| tag.value())
    }

    /// NIP-70: whether it has the tag `["-"]`.
    pub fn is_protected(&self) -> bool {
        self.tags().first_named(&PROTECTED).is_some()
    }

    /// NIP-40: seconds since 1970 after which the event is gone. A value that is no number is no expiration.
    pub fn expiration(&self) -> Option<u64> {
        self.tags().first_named(&EXPIRATION)?.value()?.parse().ok()
    }

    /// How relays treat the kind (NIP-01).
    pub fn class(&self) -> KindClass {
        KindClass::of(self.kind)
    }

    /// The address of a replaceable or addressable event; none for other kinds.
    pub fn address(&self) -> Option<Address> {
        Address::of(self)
    }

    /// Author, `created_at` and kind as they stand in the JSON, the first with its quotes.
    fn written_head(&self) -> [&str; 3] {
        let kind_end = self.tags_at as usize - TAGS_KEY_BYTES;
        let numbers = self.text(CREATED_AT_AT, kind_end);
        let (created_at, rest) = numbers.split_once(',').unwrap_or_default();
        let kind = rest.get(KIND_KEY_BYTES - 1..).unwrap_or_default();
        [self.text(PUBKEY_AT, PUBKEY_AT + 66), created_at, kind]
    }

    fn text(&self, from: usize, to: usize) -> &str {
        // The offsets are those of ASCII delimiters.
        self.json.get(from..to).unwrap_or_default()
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Eq for Event {}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No content: debug output ends up in logs.
        write!(f, "Event({} kind {})", self.id.to_hex(), self.kind)
    }
}
