//! Words of strangers as text of a page.
//!
//! Invariant: nothing that goes through here ends an element or an attribute, turns the direction of the line around it or
//! hides in it.

use std::fmt::{self, Display, Formatter, Write};

/// Text of at most so many characters, for the inside of an element or of a quoted attribute.
pub(super) struct Text<'a> {
    text: &'a str,
    max_characters: usize,
}

/// As much of a text as stands in a table.
const CHARACTERS_MAX: usize = 160;

/// A text that is cut where it is too long for a table.
pub(super) fn text(text: &str) -> Text<'_> {
    Text {
        text,
        max_characters: CHARACTERS_MAX,
    }
}

/// A text that is cut after so many characters.
pub(super) fn short(text: &str, max_characters: usize) -> Text<'_> {
    Text {
        text,
        max_characters,
    }
}

impl Display for Text<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (place, character) in self.text.chars().enumerate() {
            if place == self.max_characters {
                return out.write_char('…');
            }
            match character {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                _ if is_unseen(character) => out.write_char('\u{fffd}')?,
                _ => out.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Control characters, and those that have no width or turn the direction of the text.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        )
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(character, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A value of a query, as it stands in a link.
pub(super) struct Query<'a>(pub(super) &'a str);

impl Display for Query<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    out.write_char(char::from(byte))?;
                }
                _ => write!(out, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

/// A number with its thousands apart.
pub(super) struct Count(pub(super) usize);

impl Display for Count {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                out.write_char(',')?;
            }
            out.write_char(digit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q13_words_of_strangers_are_no_markup() {
        let said = text("<img src=x onerror='a()'>&\"").to_string();
        assert_eq!(said, "&lt;img src=x onerror=&#39;a()&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn q13_words_of_strangers_neither_turn_nor_hide() {
        for unseen in [
            '\u{202e}',
            '\u{2066}',
            '\u{200b}',
            '\u{feff}',
            '\n',
            '\0',
            '\u{e0041}',
        ] {
            let said = text(&format!("a{unseen}b")).to_string();
            assert_eq!(said, "a\u{fffd}b", "{unseen:?}");
        }
        assert_eq!(text("Zürich-节点-7").to_string(), "Zürich-节点-7");
    }

    #[test]
    fn q13_long_words_are_cut() {
        assert_eq!(short("abcdef", 3).to_string(), "abc…");
        assert_eq!(short("abc", 3).to_string(), "abc");
        assert_eq!(text(&"x".repeat(9_000)).to_string().chars().count(), 161);
    }

    #[test]
    fn q13_values_of_links_and_numbers() {
        assert_eq!(Query("a b&c=é").to_string(), "a%20b%26c%3D%C3%A9");
        assert_eq!(Count(0).to_string(), "0");
        assert_eq!(Count(999).to_string(), "999");
        assert_eq!(Count(1_234_567).to_string(), "1,234,567");
    }
}
