//! What a relay says, read strictly: a message that no NIP knows fails the test that received it.

use crate::event::Event;
use serde_json::Value;

/// One message from the relay.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// An event for a subscription. Its id and signature were checked.
    Event(String, Event),
    /// All stored events of a subscription are sent.
    Eose(String),
    /// The answer to an EVENT or AUTH, by event id in hex.
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
    accepted: bool,
    message: String,
}

impl Verdict {
    /// Whether OK said true.
    pub fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// The words of the OK: empty, or prefix and sentence, such as `blocked: ask an admin`.
    pub fn reason(&self) -> &str {
        &self.message
    }

    /// Fails the test unless the event was accepted.
    #[track_caller]
    pub fn assert_accepted(&self) {
        assert!(self.accepted, "refused: {}", self.message);
    }

    /// Fails the test unless the event was refused with just this reason.
    #[track_caller]
    pub fn assert_refused(&self, reason: &str) {
        assert!(!self.accepted, "accepted, not refused with {reason:?}");
        assert_eq!(self.message, reason);
    }
}

impl Reply {
    pub(super) fn parse(text: &str) -> Reply {
        let read = serde_json::from_str::<Value>(text).ok();
        read.as_ref()
            .and_then(Self::read)
            .unwrap_or_else(|| panic!("the relay sent what is no message: {text}"))
    }

    fn read(json: &Value) -> Option<Reply> {
        let items = json.as_array()?;
        let text = |at: usize| items.get(at)?.as_str().map(str::to_owned);
        Some(match (items.first()?.as_str()?, items.len()) {
            ("EVENT", 3) => Reply::Event(text(1)?, genuine(&items[2])?),
            ("EOSE", 2) => Reply::Eose(text(1)?),
            ("OK", 4) => {
                let (accepted, message) = (items[2].as_bool()?, text(3)?);
                Reply::Ok(text(1)?, Verdict { accepted, message })
            }
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
    let event = Event::parse(json.to_string().as_bytes()).ok()?;
    event.verify().ok()?;
    Some(event)
}
