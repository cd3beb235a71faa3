//! What of an event is looked at, and the check that a text from elsewhere is an event at all.

use nostr::event::{Event, Tag};

/// What is looked at of an event, borrowed from whatever holds it.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// Its id.
    pub id: [u8; 32],
    /// Its author.
    pub pubkey: [u8; 32],
    /// When it says it was signed. Seconds.
    pub created_at: u64,
    /// Its kind.
    pub kind: u16,
    /// Its tags.
    pub tags: Vec<Vec<&'a str>>,
    /// Its content.
    pub content: &'a str,
}

impl<'a> Fields<'a> {
    /// Of an event.
    pub fn of(event: &'a Event) -> Self {
        let words = |tag: &'a Tag| tag.as_slice().iter().map(String::as_str).collect();
        Self {
            id: event.id.to_bytes(),
            pubkey: *event.pubkey.as_bytes(),
            created_at: event.created_at.as_secs(),
            kind: event.kind.as_u16(),
            tags: event.tags.iter().map(words).collect(),
            content: &event.content,
        }
    }
}

/// A text that is no event, or none of who it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// Not the JSON of an event.
    #[error("not the JSON of an event: {0}")]
    NotAnEvent(String),
    /// The id is not that of the content.
    #[error("the id is not that of the event")]
    Id,
    /// The signature is not the author's.
    #[error("the signature is not the author's")]
    Signature,
}

/// The event of this JSON, when its id and signature are right.
pub fn verified(json: &str) -> Result<Event, Unverified> {
    let event: Event =
        serde_json::from_str(json).map_err(|error| Unverified::NotAnEvent(error.to_string()))?;
    if !event.verify_id() {
        return Err(Unverified::Id);
    }
    if !event.verify_signature() {
        return Err(Unverified::Signature);
    }
    Ok(event)
}
