//! What a relay says, read strictly: a message that NIP-01 does not know fails the test that received it.

use nostr::event::Event;
use serde_json::Value;

/// One message from the relay.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// An event for a subscription. Its id and signature were checked.
    Event(String, Box<Event>),
    /// All stored events of a subscription are sent.
    Eose(String),
    /// The answer to an EVENT or AUTH, by event id.
    Ok(String, Verdict),
    /// The relay ended a subscription, with its reason.
    Closed(String, String),
    /// Words for people.
    Notice(String),
    /// The challenge of NIP-42.
    Auth(String),
    /// The answer to a COUNT: subscription and body.
    Count(String, Value),
    /// Any message of NIP-77.
    Negentropy(Vec<Value>),
}

/// What the relay said to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The third element of OK.
    pub accepted: bool,
    /// The fourth: empty, or prefix and sentence.
    pub message: String,
}

impl Reply {
    /// Reads one text frame.
    pub fn parse(text: &str) -> Reply {
        let read = serde_json::from_str::<Value>(text).ok();
        read.as_ref()
            .and_then(Self::read)
            .unwrap_or_else(|| panic!("not a relay message: {text}"))
    }

    fn read(json: &Value) -> Option<Reply> {
        let items = json.as_array()?;
        let text = |at: usize| items.get(at)?.as_str().map(str::to_owned);
        Some(match (items.first()?.as_str()?, items.len()) {
            ("EVENT", 3) => Reply::Event(text(1)?, Box::new(genuine(&items[2])?)),
            ("EOSE", 2) => Reply::Eose(text(1)?),
            ("OK", 4) => Reply::Ok(
                text(1)?,
                Verdict {
                    accepted: items[2].as_bool()?,
                    message: text(3)?,
                },
            ),
            ("CLOSED", 3) => Reply::Closed(text(1)?, text(2)?),
            ("NOTICE", 2) => Reply::Notice(text(1)?),
            ("AUTH", 2) => Reply::Auth(text(1)?),
            ("COUNT", 3) => Reply::Count(text(1)?, items[2].clone()),
            ("NEG-MSG", 3) | ("NEG-ERR", 3 | 4) => Reply::Negentropy(items.clone()),
            _ => return None,
        })
    }
}

fn genuine(json: &Value) -> Option<Event> {
    let event = Event::from_json(json.to_string()).ok()?;
    event.verify().ok()?;
    Some(event)
}

impl Verdict {
    /// Fails the test unless the event was accepted.
    #[track_caller]
    pub fn assert_accepted(&self) {
        assert!(self.accepted, "refused: {}", self.message);
    }

    /// Fails the test unless the event was refused with this prefix (`"invalid:"`) and, after it, these words.
    #[track_caller]
    pub fn assert_refused(&self, prefix: &str, words: &str) {
        assert!(!self.accepted, "accepted: {}", self.message);
        assert_reason(&self.message, prefix, words);
    }
}

/// Fails the test unless the reason has this prefix, text after it, and in the text these words in whatever case.
#[track_caller]
pub fn assert_reason(message: &str, prefix: &str, words: &str) {
    let Some(text) = message.strip_prefix(prefix) else {
        panic!("expected {prefix:?}, got {message:?}");
    };
    assert!(!text.trim().is_empty(), "no words after {prefix:?}");
    assert!(
        text.to_lowercase().contains(&words.to_lowercase()),
        "{message:?} does not say {words:?}"
    );
}
