//! Reads an event whose fields need no rewriting, from text that was checked to be UTF-8: one pass looks for control
//! characters, one finds the fields. In canonical order they are copied as they stand; in another order the event is
//! written anew from them.
//!
//! Invariant: what is recognised here is exactly what `parse` would make of it; `None` says nothing about the event but
//! that `parse` has to look at it. So white space, unknown or repeated keys, escapes that `JSON.stringify` would not
//! write, and every mistake are left to `parse`, which has the words for them.

use super::canonical::{EventParts, lowercase_hex};
use super::{CREATED_AT_END, Event, EventId, PublicKey};
use bytestring::ByteString;
use std::ops::Range;

/// The keys in canonical order, as they are written.
const KEYS: [&str; 7] = [
    r#""id":"#,
    r#""pubkey":"#,
    r#""created_at":"#,
    r#""kind":"#,
    r#""tags":"#,
    r#""content":"#,
    r#""sig":"#,
];
const CREATED_AT: usize = 2;
const KIND: usize = 3;
const TAGS: usize = 4;
const CONTENT: usize = 5;

/// The event, where nothing but the order of its keys may differ from the canonical form.
pub(super) fn scan(json: &str) -> Option<Event> {
    // Neither between tokens nor in strings does the canonical form have any; one look at all of them is the cheapest.
    let has_control = |found, byte| found | (byte < 0x20);
    if json.bytes().fold(false, has_control) {
        return None;
    }
    let fields = Fields::find(json)?;
    let [id, pubkey, created_at, kind, tags, content, sig] =
        fields.places.clone().map(|place| &json[place]);
    let id = quoted_hex(id)?;
    let pubkey = quoted_hex(pubkey)?;
    let created_at = created_at.parse().ok().filter(|at| *at < CREATED_AT_END)?;
    let kind = kind.parse().ok()?;
    let sig = quoted_hex(sig)?;
    if !fields.in_order {
        let parts = EventParts {
            id: &id,
            pubkey: &pubkey,
            created_at,
            kind,
            tags_json: tags,
            content_json: content,
            sig: &sig,
        };
        return Some(parts.assemble());
    }
    Some(Event {
        id: EventId::from_byte_array(id),
        pubkey: PublicKey::from_byte_array(pubkey),
        created_at,
        kind,
        tags_at: fields.places[TAGS].start as u32,
        content_at: fields.places[CONTENT].start as u32,
        json: ByteString::from(json),
    })
}

fn quoted_hex<const N: usize>(json: &str) -> Option<[u8; N]> {
    lowercase_hex(json.strip_prefix('"')?.strip_suffix('"')?)
}

/// Where the values stand.
struct Fields {
    places: [Range<usize>; 7],
    in_order: bool,
}

impl Fields {
    fn find(json: &str) -> Option<Fields> {
        let mut cursor = Cursor {
            bytes: json.as_bytes(),
            at: 0,
        };
        let mut fields = Fields {
            places: Default::default(),
            in_order: true,
        };
        cursor.pass(b"{")?;
        for number in 0..KEYS.len() {
            if number > 0 {
                cursor.pass(b",")?;
            }
            let field = cursor.key(number)?;
            fields.in_order &= field == number;
            let start = cursor.at;
            match field {
                CREATED_AT | KIND => cursor.number()?,
                TAGS => cursor.tags()?,
                _ => cursor.string()?,
            }
            let place = fields.places.get_mut(field)?;
            if place.end > 0 {
                return None; // twice
            }
            *place = start..cursor.at;
        }
        cursor.pass(b"}")?;
        (cursor.at == json.len()).then_some(fields)
    }
}

/// A place in bytes that hold no control characters. Each step passes over what it names, or finds something else.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn pass(&mut self, expected: &[u8]) -> Option<()> {
        let found = self.bytes[self.at..].starts_with(expected);
        self.at += expected.len();
        found.then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// One of the keys, most likely this one.
    fn key(&mut self, likely: usize) -> Option<usize> {
        let rest = &self.bytes[self.at..];
        let is_next = |field: &usize| rest.starts_with(KEYS[*field].as_bytes());
        let field = Some(likely)
            .filter(is_next)
            .or_else(|| (0..KEYS.len()).find(is_next))?;
        self.at += KEYS[field].len();
        Some(field)
    }

    /// Digits as JSON has them: no zero before another digit.
    fn number(&mut self) -> Option<()> {
        let rest = &self.bytes[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (digits == 1 || (digits > 1 && rest[0] != b'0')).then_some(())
    }

    /// `[["name","value",...],...]`, where every tag has a name.
    fn tags(&mut self) -> Option<()> {
        self.pass(b"[")?;
        if self.peek()? == b']' {
            return self.pass(b"]");
        }
        loop {
            self.pass(b"[")?;
            self.string()?;
            while self.peek()? == b',' {
                self.at += 1;
                self.string()?;
            }
            self.pass(b"]")?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.pass(b"]"),
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.pass(b"\"")?;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let special = memchr::memchr2(b'"', b'\\', rest)?;
            self.at += special;
            if rest[special] == b'"' {
                self.at += 1;
                return Some(());
            }
            self.at += canonical_escape_bytes(&rest[special..])?;
        }
    }
}

/// The length of the escape that begins here, where `JSON.stringify` would write it.
fn canonical_escape_bytes(escape: &[u8]) -> Option<usize> {
    match escape.get(1)? {
        b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r' => Some(2),
        b'u' => match escape.get(2..6)? {
            // These have short forms.
            b"0008" | b"0009" | b"000a" | b"000c" | b"000d" => None,
            [b'0', b'0', b'0' | b'1', b'0'..=b'9' | b'a'..=b'f'] => Some(6),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;
