//! From a client's JSON to the canonical form, or an error that names what is wrong.
//!
//! Two passes, for what `scan` does not recognise: the outer object yields raw slices, so that an id can be answered to
//! even where another field is broken; then each field is read by its own rule. White space, key order and unknown keys of
//! the input leave no trace.

use super::canonical::{EventParts, escape_into, lowercase_hex};
use super::{CREATED_AT_END, Event, EventId, scan};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What is wrong with an event, in words for its author.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum EventError {
    #[error("an event must be a JSON object with the fields of NIP-01: {0}")]
    Json(String),
    #[error("the field {0:?} is missing")]
    Missing(&'static str),
    #[error("{field} must be {digits} lowercase hex digits in quotes")]
    Hex { field: &'static str, digits: usize },
    #[error("kind must be an integer from 0 to 65535, not {0}")]
    Kind(String),
    #[error("created_at must be whole seconds since 1970 below 2^40, not {0}")]
    CreatedAt(String),
    #[error("tags must be an array of arrays of strings, each with a name: {0}")]
    Tags(String),
    #[error("content must be a string without unpaired surrogates: {0}")]
    Content(String),
    #[error("the id does not match the event; its hash is {computed}")]
    WrongId { computed: String },
    #[error("pubkey is not a point on the curve")]
    NotACurvePoint,
    #[error("the signature does not match")]
    Signature,
}

#[derive(Deserialize)]
struct RawEvent<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    pubkey: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    tags: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    sig: Option<&'a RawValue>,
}

impl Event {
    /// Reads an event's JSON. Checks the form only: see [`Event::verify`].
    pub fn parse(json: &[u8]) -> Result<Event, EventError> {
        let canonical = simdutf8::basic::from_utf8(json).ok().and_then(Event::scan);
        canonical.map_or_else(|| Event::parse_any(json), Ok)
    }

    /// The event of canonical JSON, which is most of what clients send; `None` for anything that [`Event::parse`] must
    /// look at more closely. Checks the form only.
    pub fn scan(json: &str) -> Option<Event> {
        scan::scan(json)
    }

    /// [`Event::parse`] without the short way for what is canonical already.
    pub(super) fn parse_any(json: &[u8]) -> Result<Event, EventError> {
        let raw: RawEvent<'_> = object(json)?;
        let id = hex_field::<32>("id", raw.id)?;
        let pubkey = hex_field::<32>("pubkey", raw.pubkey)?;
        let created_at = present("created_at", raw.created_at)?;
        let created_at = created_at
            .parse()
            .ok()
            .filter(|at| *at < CREATED_AT_END)
            .ok_or_else(|| EventError::CreatedAt(shortened(created_at)))?;
        let kind = present("kind", raw.kind)?;
        let kind = kind
            .parse()
            .map_err(|_| EventError::Kind(shortened(kind)))?;
        let tags_json = canonical_tags(present("tags", raw.tags)?)?;
        let content_json = canonical_content(present("content", raw.content)?)?;
        let sig = hex_field::<64>("sig", raw.sig)?;
        Ok(EventParts {
            id: &id,
            pubkey: &pubkey,
            created_at,
            kind,
            tags_json: &tags_json,
            content_json: &content_json,
            sig: &sig,
        }
        .assemble())
    }
}

/// The id of something that may be far from an event, so that a refusal can say OK to an id rather than only NOTICE.
pub fn peek_id(json: &[u8]) -> Option<EventId> {
    #[derive(Deserialize)]
    struct OnlyId<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let raw: OnlyId<'_> = object(json).ok()?;
    quoted_hex::<32>(raw.id.get()).map(EventId::from_byte_array)
}

/// Serde would fill a struct from an array too, and says the struct's name where it finds neither.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, EventError> {
    let starts_at = json.iter().position(|byte| !b" \t\r\n".contains(byte));
    let found = match starts_at.map(|at| json[at]) {
        Some(b'{') => {
            return serde_json::from_slice(json).map_err(|e| EventError::Json(e.to_string()));
        }
        Some(b'[') => "found an array",
        Some(b'"') => "found a string",
        Some(_) => "found something else",
        None => "found nothing",
    };
    Err(EventError::Json(found.to_owned()))
}

fn present<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<&'a str, EventError> {
    raw.map(RawValue::get).ok_or(EventError::Missing(field))
}

fn hex_field<const N: usize>(
    field: &'static str,
    raw: Option<&RawValue>,
) -> Result<[u8; N], EventError> {
    quoted_hex(present(field, raw)?).ok_or(EventError::Hex {
        field,
        digits: 2 * N,
    })
}

fn quoted_hex<const N: usize>(raw: &str) -> Option<[u8; N]> {
    lowercase_hex(raw.strip_prefix('"')?.strip_suffix('"')?)
}

fn shortened(raw: &str) -> String {
    raw.chars().take(40).collect()
}

fn canonical_content(raw: &str) -> Result<Cow<'_, str>, EventError> {
    if !raw.starts_with('"') {
        return Err(EventError::Content(format!("found {}", shortened(raw))));
    }
    if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(raw)); // without a backslash JSON has one way to write a string
    }
    let text: String = serde_json::from_str(raw).map_err(|e| EventError::Content(e.to_string()))?;
    let mut out = Vec::with_capacity(raw.len());
    escape_into(&mut out, &text);
    Ok(Cow::Owned(String::from_utf8(out).unwrap_or_default()))
}

fn canonical_tags(raw: &str) -> Result<String, EventError> {
    let mut out = Vec::with_capacity(raw.len());
    let mut json = serde_json::Deserializer::from_str(raw);
    TagList(&mut out)
        .deserialize(&mut json)
        .map_err(|e| EventError::Tags(e.to_string()))?;
    Ok(String::from_utf8(out).unwrap_or_default())
}

struct TagList<'o>(&'o mut Vec<u8>);
struct OneTag<'o>(&'o mut Vec<u8>);
struct Item<'o>(&'o mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for TagList<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for TagList<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of tags")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut tags: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        let start = self.0.len();
        while tags.next_element_seed(OneTag(self.0))?.is_some() {
            self.0.push(b',');
        }
        close(self.0, start);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for OneTag<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for OneTag<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tag, which is an array of strings")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        let start = self.0.len();
        while items.next_element_seed(Item(self.0))?.is_some() {
            self.0.push(b',');
        }
        if self.0.len() == start {
            return Err(A::Error::custom("a tag is empty"));
        }
        close(self.0, start);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        // Borrowed means: no escape in the input, and none is needed in the output.
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
        Ok(())
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        escape_into(self.0, text);
        Ok(())
    }
}

/// Turns the comma after the last element into the closing bracket.
fn close(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.pop();
    }
    out.push(b']');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn c2_only_an_object_is_an_event() {
        let (id, pubkey, sig) = ("1".repeat(64), "2".repeat(64), "3".repeat(128));
        let object = format!(
            r#"{{"id":"{id}","pubkey":"{pubkey}","created_at":1,"kind":1,"tags":[],"content":"","sig":"{sig}"}}"#
        );
        let array = format!(r#"["{id}","{pubkey}",1,1,[],"","{sig}"]"#);
        let blank = |json: &str| format!(" \r\n\t{json}");
        assert!(Event::parse(blank(&object).as_bytes()).is_ok());
        assert!(peek_id(blank(&object).as_bytes()).is_some());
        for (json, found) in [
            (array.as_str(), "found an array"),
            (&blank(&array), "found an array"),
            ("\"x\"", "found a string"),
            ("7", "found something else"),
            ("null", "found something else"),
            ("", "found nothing"),
            ("{", "EOF"),
            ("{]", "key must be a string"),
        ] {
            let refusal = Event::parse(json.as_bytes()).unwrap_err().to_string();
            let says = "an event must be a JSON object with the fields of NIP-01: ";
            assert!(refusal.starts_with(says), "{refusal}");
            assert!(refusal.contains(found), "{refusal}");
            assert!(!refusal.contains("struct"), "{refusal}");
            assert_eq!(peek_id(json.as_bytes()), None, "{json}");
        }
    }
}
