//! What clients send.

use super::SubId;
use crate::event::Event;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;

/// A client's message; filters are still JSON, and so are events that are not in canonical form.
#[derive(Debug)]
pub enum ClientMessage<'a> {
    /// `["EVENT", event]`
    Event(Published<'a>),
    /// `["REQ", id, filter...]`
    Req(SubId, Filters<'a>),
    /// `["COUNT", id, filter...]` (NIP-45)
    Count(SubId, Filters<'a>),
    /// `["CLOSE", id]`
    Close(SubId),
    /// `["AUTH", event]` (NIP-42)
    Auth(&'a RawValue),
    /// `["NEG-OPEN", id, filter, message]` (NIP-77)
    NegOpen(SubId, &'a RawValue, HexMessage<'a>),
    /// `["NEG-MSG", id, message]` (NIP-77)
    NegMsg(SubId, HexMessage<'a>),
    /// `["NEG-CLOSE", id]` (NIP-77)
    NegClose(SubId),
}

/// The event of an EVENT.
#[derive(Debug)]
pub enum Published<'a> {
    /// It came in canonical form.
    Read(Event),
    /// Whatever it is, [`Event::parse`] will tell.
    Unread(&'a RawValue),
}

/// A string that should hold hex digits, unread.
#[derive(Clone, Copy, Debug)]
pub struct HexMessage<'a>(&'a RawValue);

impl HexMessage<'_> {
    /// The bytes; none where it is no string of hex digits, two a byte.
    pub fn decode(self) -> Option<Vec<u8>> {
        let digits = self.0.get().strip_prefix('"')?.strip_suffix('"')?;
        const_hex::check_raw(digits).then(|| const_hex::decode(digits).ok())?
    }
}

/// The filters of a REQ or COUNT, unread.
pub type Filters<'a> = SmallVec<[&'a RawValue; 2]>;

/// Why a message cannot be answered in its own terms; the text of a NOTICE.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum WireError {
    #[error("the message is not valid UTF-8")]
    NotUtf8,
    #[error("the message is not a JSON array that begins with a string: {0}")]
    Json(String),
    #[error(
        "unknown message type {0:?}; this relay knows EVENT, REQ, CLOSE, COUNT, AUTH, NEG-OPEN, NEG-MSG and NEG-CLOSE"
    )]
    Unknown(String),
    #[error("{verb} takes {takes}")]
    Shape {
        verb: &'static str,
        takes: &'static str,
    },
    #[error("a subscription id must be a string of 1 to {max} characters")]
    SubId { max: usize },
}

impl<'a> ClientMessage<'a> {
    /// The word with which it begins.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Event(_) => "EVENT",
            Self::Req(..) => "REQ",
            Self::Count(..) => "COUNT",
            Self::Close(_) => "CLOSE",
            Self::Auth(_) => "AUTH",
            Self::NegOpen(..) => "NEG-OPEN",
            Self::NegMsg(..) => "NEG-MSG",
            Self::NegClose(_) => "NEG-CLOSE",
        }
    }

    /// Reads one message. `max_subid_chars` is `limitation.max_subid_length`.
    pub fn parse(bytes: &'a [u8], max_subid_chars: usize) -> Result<Self, WireError> {
        match canonical_event(bytes) {
            Some(event) => Ok(Self::Event(Published::Read(event))),
            None => Self::parse_any(bytes, max_subid_chars),
        }
    }

    /// [`ClientMessage::parse`] without the short way for an event in canonical form.
    pub(crate) fn parse_any(bytes: &'a [u8], max_subid_chars: usize) -> Result<Self, WireError> {
        let text = simdutf8::basic::from_utf8(bytes).map_err(|_| WireError::NotUtf8)?;
        let array: Array<'a> =
            serde_json::from_str(text).map_err(|e| WireError::Json(e.to_string()))?;
        let Array { verb, items } = array;
        match &*verb {
            "EVENT" => one(items, "EVENT", r#"one event: ["EVENT", {...}]"#)
                .map(|json| Self::Event(Published::Unread(json))),
            "AUTH" => {
                one(items, "AUTH", r#"one event of kind 22242: ["AUTH", {...}]"#).map(Self::Auth)
            }
            "REQ" => {
                let (id, filters) = query(items, "REQ", max_subid_chars)?;
                Ok(Self::Req(id, filters))
            }
            "COUNT" => {
                let (id, filters) = query(items, "COUNT", max_subid_chars)?;
                Ok(Self::Count(id, filters))
            }
            "CLOSE" => {
                let id = one(items, "CLOSE", r#"a subscription id: ["CLOSE", "id"]"#)?;
                sub_id(id, max_subid_chars).map(Self::Close)
            }
            "NEG-OPEN" => match items[..] {
                [id, filter, message] => Ok(Self::NegOpen(
                    sub_id(id, max_subid_chars)?,
                    filter,
                    HexMessage(message),
                )),
                _ => Err(WireError::Shape {
                    verb: "NEG-OPEN",
                    takes: r#"an id, a filter and a message in hex: ["NEG-OPEN", "id", {...}, "61..."]"#,
                }),
            },
            "NEG-MSG" => match items[..] {
                [id, message] => Ok(Self::NegMsg(
                    sub_id(id, max_subid_chars)?,
                    HexMessage(message),
                )),
                _ => Err(WireError::Shape {
                    verb: "NEG-MSG",
                    takes: r#"an id and a message in hex: ["NEG-MSG", "id", "61..."]"#,
                }),
            },
            "NEG-CLOSE" => {
                let id = one(items, "NEG-CLOSE", r#"an id: ["NEG-CLOSE", "id"]"#)?;
                sub_id(id, max_subid_chars).map(Self::NegClose)
            }
            _ => Err(WireError::Unknown(verb.chars().take(40).collect())),
        }
    }
}

/// The event of a message without white space: the one that a relay gets most often, read in one pass.
fn canonical_event(message: &[u8]) -> Option<Event> {
    let json = message.strip_prefix(br#"["EVENT","#)?.strip_suffix(b"]")?;
    Event::scan(simdutf8::basic::from_utf8(json).ok()?)
}

fn one<'a>(
    items: Filters<'a>,
    verb: &'static str,
    takes: &'static str,
) -> Result<&'a RawValue, WireError> {
    match items[..] {
        [item] => Ok(item),
        _ => Err(WireError::Shape { verb, takes }),
    }
}

fn query<'a>(
    mut items: Filters<'a>,
    verb: &'static str,
    max_subid_chars: usize,
) -> Result<(SubId, Filters<'a>), WireError> {
    if items.len() < 2 {
        return Err(WireError::Shape {
            verb,
            takes: r#"a subscription id and at least one filter: [verb, "id", {...}]"#,
        });
    }
    let id = sub_id(items.remove(0), max_subid_chars)?;
    Ok((id, items))
}

fn sub_id(raw: &RawValue, max_chars: usize) -> Result<SubId, WireError> {
    let error = WireError::SubId { max: max_chars };
    let Ok(text) = serde_json::from_str::<Cow<'_, str>>(raw.get()) else {
        return Err(error);
    };
    // NIP-01 counts characters; the byte length is an upper bound that spares the count.
    if text.is_empty() || (text.len() > max_chars && text.chars().count() > max_chars) {
        return Err(error);
    }
    Ok(SubId::new(&text))
}

/// A JSON array that begins with a string.
struct Array<'a> {
    verb: Cow<'a, str>,
    items: Filters<'a>,
}

impl<'de> Deserialize<'de> for Array<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = Array<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Array<'de>, A::Error> {
                /// More filters than any limit allows; keeps one message from filling memory with slices.
                const MAX_ITEMS: usize = 1_000;
                let Some(Verb(verb)) = seq.next_element()? else {
                    return Err(A::Error::custom("the array is empty"));
                };
                let mut items = Filters::new();
                while items.len() < MAX_ITEMS {
                    match seq.next_element()? {
                        Some(item) => items.push(item),
                        None => return Ok(Array { verb, items }),
                    }
                }
                match seq.next_element::<IgnoredAny>()? {
                    None => Ok(Array { verb, items }),
                    Some(_) => Err(A::Error::custom("more than 1,000 items")),
                }
            }
        }
        json.deserialize_seq(Items)
    }
}

#[derive(Deserialize)]
struct Verb<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::filter::{Filter, FilterLimits};

    /// Words of this program's own that its clients could not make sense of.
    fn tells_of_rust(text: &str) -> bool {
        ["struct", "Verb", "Array", "RawValue", "Cow", "borrowed"]
            .iter()
            .any(|word| text.contains(word))
    }

    #[test]
    fn c2_refusals_do_not_speak_of_types() {
        for json in [
            "",
            "{}",
            "7",
            "[]",
            "[7]",
            "[{}]",
            "[[\"x\"]]",
            "[null]",
            "[\"REQ\"",
            "[\"REQ\",]",
        ] {
            let refusal = ClientMessage::parse(json.as_bytes(), 64).unwrap_err();
            assert!(!tells_of_rust(&refusal.to_string()), "{refusal}");
        }
        for json in [
            "",
            "[]",
            "7",
            "null",
            "{",
            "{1:2}",
            "{\"ids\":7}",
            "{\"kinds\":[\"x\"]}",
        ] {
            let refusal = Filter::parse(json, &FilterLimits::default()).unwrap_err();
            assert!(!tells_of_rust(&refusal.to_string()), "{refusal}");
        }
    }
}
