//! Reads tags straight from canonical JSON. Relies on the form; never sees a client's bytes.

use memchr::memmem::Finder;
use std::borrow::Cow;

/// Iterates over the tags of an event.
#[derive(Clone, Debug)]
pub struct Tags<'a> {
    rest: &'a str,
}

/// One tag: at least a name.
#[derive(Clone, Copy, Debug)]
pub struct Tag<'a> {
    /// The items as canonical JSON between the brackets, `"e","abc"`.
    items: &'a str,
}

impl<'a> Tags<'a> {
    /// Over `[["e","..."],...]`.
    pub(super) fn new(tags_json: &'a str) -> Self {
        Tags {
            rest: tags_json.get(1..).unwrap_or_default(),
        }
    }

    /// The first values of those with this one-letter name.
    pub(crate) fn values(self, letter: u8) -> impl Iterator<Item = Cow<'a, str>> {
        self.filter(move |tag| tag.letter() == Some(letter))
            .filter_map(|tag| tag.value())
    }

    /// The first of these tags that begins with a bracket and a name. Faster than to look at every tag, and as exact:
    /// in canonical JSON a bracket before a quote opens a tag, since the quote that ends a string has a comma or a
    /// closing bracket behind it.
    pub(super) fn first_named(mut self, beginning: &Finder<'_>) -> Option<Tag<'a>> {
        let at = beginning.find(self.rest.as_bytes())?;
        self.rest = self.rest.get(at..)?;
        self.next()
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let bytes = self.rest.as_bytes();
        // What is left begins with a tag, with the comma before one, or with the bracket that closes them all.
        let start = match bytes {
            [b'[', ..] => 1,
            [b',', b'[', ..] => 2,
            _ => return None,
        };
        let mut at = start;
        while *bytes.get(at)? == b'"' {
            at = string_end(bytes, at)?;
            if *bytes.get(at)? == b',' {
                at += 1;
            }
        }
        let items = self.rest.get(start..at)?;
        self.rest = self.rest.get(at + 1..)?;
        Some(Tag { items })
    }
}

impl<'a> Tag<'a> {
    /// All items as JSON strings with their quotes.
    pub fn raw_items(self) -> impl Iterator<Item = &'a str> {
        let mut rest = self.items;
        std::iter::from_fn(move || {
            let end = string_end(rest.as_bytes(), 0)?;
            let item = rest.get(..end)?;
            rest = rest.get(end + 1..).unwrap_or_default();
            Some(item)
        })
    }

    /// All items, the name first.
    pub fn items(self) -> impl Iterator<Item = Cow<'a, str>> {
        self.raw_items().map(unescape)
    }

    /// The item at an index; 0 is the name.
    pub fn get(self, index: usize) -> Option<Cow<'a, str>> {
        self.raw_items().nth(index).map(unescape)
    }

    /// The name; empty for the tag `[""]`.
    pub fn name(self) -> Cow<'a, str> {
        self.get(0).unwrap_or_default()
    }

    /// The first value.
    pub fn value(self) -> Option<Cow<'a, str>> {
        self.get(1)
    }

    /// The name where it is a single letter a-z or A-Z: those that filters can ask for.
    pub fn letter(self) -> Option<u8> {
        match *self.items.as_bytes() {
            [b'"', letter, b'"', ..] if letter.is_ascii_alphabetic() => Some(letter),
            _ => None,
        }
    }
}

/// The index after the closing quote of the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let found = from + memchr::memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        from = found + 2;
    }
}

/// The text of a canonical JSON string.
pub(super) fn unescape(json: &str) -> Cow<'_, str> {
    let inner = json
        .strip_prefix('"')
        .and_then(|j| j.strip_suffix('"'))
        .unwrap_or_default();
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(serde_json::from_str(json).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v2_a_tag_is_found_by_its_beginning_and_nothing_else_is() {
        let beginning = Finder::new(r#"["-""#);
        let found = |tags| Tags::new(tags).first_named(&beginning).map(|tag| tag.items);
        assert_eq!(found(r#"[["-"]]"#), Some(r#""-""#));
        assert_eq!(found(r#"[["t","x"],["-","y"],["-"]]"#), Some(r#""-","y""#));
        for tags in [
            "[]",
            r#"[["t","-"]]"#,
            r#"[["--"]]"#,
            r#"[["t","[\"-\""]]"#,
            r#"[["t","[","-"]]"#,
            r#"[["[","-"]]"#,
        ] {
            assert_eq!(found(tags), None, "{tags}");
        }
    }
}
