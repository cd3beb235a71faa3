//! Text of any characters, in columns that hold all but one.
//!
//! PostgreSQL takes no U+0000, and SQLite's functions end at one; clients may send it, in a group's id for instance, and
//! must not make a batch fail by that. So it is written as U+001A and a digit, and U+001A, which nobody uses either, twice.

use std::borrow::Cow;

const ESCAPE: char = '\u{1a}';
const NUL: char = '\0';

/// The text as its column holds it.
pub(in crate::storage) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains([ESCAPE, NUL]) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            NUL => stored.extend([ESCAPE, '0']),
            ESCAPE => stored.extend([ESCAPE, ESCAPE]),
            _ => stored.push(character),
        }
    }
    Cow::Owned(stored)
}

/// The text that a column holds.
pub(in crate::storage) fn read(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    let mut text = String::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE => match characters.next() {
                Some('0') => text.push(NUL),
                Some(other) => text.push(other),
                None => text.push(ESCAPE),
            },
            _ => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn m28_any_text_comes_back_from_its_column(text in "[a0\u{0}\u{1a}é]{0,12}") {
            let column = stored(&text).into_owned();
            prop_assert!(!column.contains(NUL));
            prop_assert_eq!(read(column), text);
        }
    }
}
