//! The append-only log of directives that were replaced, each entry bound to the one before by its hash (rule Q7).

use crate::Digest;
use serde::{Deserialize, Serialize};

/// One entry. Written as a JSON object of these fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1 without gaps.
    pub seq: u64,
    /// When it was appended. Unix seconds.
    pub at_s: u64,
    /// How the event came here.
    pub kind: EntryKind,
    /// The event's JSON as it was signed.
    pub event: String,
    /// The hash of the entry before; of the first, 64 zeros.
    pub previous: Digest,
    /// SHA-256 of the JSON array `[seq, at_s, kind, event, previous]` without blanks.
    pub hash: Digest,
}

/// How an event came into a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A newer directive of the same developer took its place.
    Replaced,
    /// It came from a peer's log.
    Adopted,
}

impl EntryKind {
    /// The word, as it is serialized.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Adopted => "adopted",
        }
    }
}

/// What precedes the first entry.
pub const BEGINNING: Digest = Digest::from_bytes([0; 32]);

/// The entry that follows `last`, or the first.
pub fn append(last: Option<&Entry>, at_s: u64, kind: EntryKind, event: String) -> Entry {
    let head = last.map(|last| (last.seq, last.hash));
    append_after(head, at_s, kind, event)
}

/// The entry that follows the number and hash of the last one, or the first.
pub fn append_after(
    head: Option<(u64, Digest)>,
    at_s: u64,
    kind: EntryKind,
    event: String,
) -> Entry {
    let (last_seq, previous) = head.unwrap_or((0, BEGINNING));
    let mut entry = Entry {
        seq: last_seq.saturating_add(1),
        at_s,
        kind,
        event,
        previous,
        hash: BEGINNING,
    };
    entry.hash = hash(&entry);
    entry
}

/// Where a log is not what was appended to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenAt {
    /// An entry is missing or stands elsewhere.
    #[error("entry {expected} was expected, entry {found} found")]
    Seq {
        /// The number that should follow.
        expected: u64,
        /// The number that was found.
        found: u64,
    },
    /// An entry does not follow the one before.
    #[error("entry {0} does not follow the one before it: the hash of that one is another")]
    Previous(u64),
    /// An entry was changed.
    #[error("entry {0} was changed: its hash is another")]
    Hash(u64),
}

/// Whether these are all entries from the first, as they were appended.
pub fn verify<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<(), BrokenAt> {
    let mut head = None;
    for entry in entries {
        head = Some(follow(head, entry)?);
    }
    Ok(())
}

/// Whether the entry follows the number and hash of the one before, or is the first; then its own number and hash.
pub fn follow(head: Option<(u64, Digest)>, entry: &Entry) -> Result<(u64, Digest), BrokenAt> {
    let (last_seq, previous) = head.unwrap_or((0, BEGINNING));
    let expected = last_seq.saturating_add(1);
    if entry.seq != expected {
        let found = entry.seq;
        return Err(BrokenAt::Seq { expected, found });
    }
    if entry.previous != previous {
        return Err(BrokenAt::Previous(entry.seq));
    }
    if entry.hash != hash(entry) {
        return Err(BrokenAt::Hash(entry.seq));
    }
    Ok((entry.seq, entry.hash))
}

fn hash(entry: &Entry) -> Digest {
    let parts = serde_json::json!([
        entry.seq,
        entry.at_s,
        entry.kind,
        entry.event,
        entry.previous
    ]);
    Digest::of(parts.to_string().as_bytes())
}
