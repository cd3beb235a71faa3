//! Pages and text, by the beginning.
//!
//! No format that can be allowed begins with a tag or is text throughout. Text counts as such in UTF-8 and UTF-16.

use super::Forbidden;

/// Text that is shorter than this says nothing; ciphertext is never so short that it could be text by chance.
const TEXT_BYTES_MIN: usize = 12;
/// How far is read for text.
const LOOKED_AT_BYTES: usize = 4096;
/// What stands before a tag in a page that programs read all the same.
const BLANKS: &[u8] = b" \t\r\n\x0c";
/// So much of a tag must be text, or ciphertext would be taken for one now and then.
const TAG_BYTES: usize = 16;

/// Whether it begins with a tag, a comment or a declaration.
pub(super) fn is_markup(head: &[u8]) -> bool {
    let head = &head[..head.len().min(LOOKED_AT_BYTES)];
    if let Some(wide) = from_utf16(head) {
        return begins_tag(&wide);
    }
    begins_tag(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head))
}

/// `<` and what may follow it in HTML, XML and their kin.
fn begins_tag(text: &[u8]) -> bool {
    let blanks = text.iter().take_while(|it| BLANKS.contains(it)).count();
    let Some(tag) = text[blanks..].strip_prefix(b"<") else {
        return false;
    };
    match tag {
        [b'!', b'-', b'-', ..] | [b'!', b'[', ..] => true,
        [b'!', rest @ ..] => is_word(rest, &["doctype", "entity", "element"]),
        [b'?', rest @ ..] => is_word(rest, &["xml", "php", "="]),
        [b'%', b'@' | b'=' | b' ' | b'\n' | b'\r', ..] => is_text(tag),
        _ => is_element(tag),
    }
}

fn is_word(text: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| {
        let begin = text.get(..word.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// A name, then what ends it.
fn is_element(tag: &[u8]) -> bool {
    let is_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.');
    let length = tag.iter().take_while(|it| is_name(it)).count();
    let begins_right = tag.first().is_some_and(u8::is_ascii_alphabetic);
    let ends_right = match tag.get(length) {
        Some(end) => matches!(end, b' ' | b'\t' | b'\r' | b'\n' | b'\x0c' | b'>' | b'/'),
        None => true,
    };
    let begin = &tag[..tag.len().min(TAG_BYTES)];
    begins_right && ends_right && begin.is_ascii() && is_text(begin)
}

/// Text that is nothing else: a script that does not say so, for all that can be known.
pub(super) fn text(head: &[u8]) -> Option<Forbidden> {
    let head = &head[..head.len().min(LOOKED_AT_BYTES)];
    if head.len() < TEXT_BYTES_MIN {
        return None;
    }
    let is_any = is_text(head) || from_utf16(head).is_some_and(|wide| is_text(&wide));
    is_any.then_some(Forbidden::Text)
}

/// UTF-8 without control characters; the last character may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let (valid, _) = bytes.split_at(error.valid_up_to());
            std::str::from_utf8(valid).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && !text.contains(|c: char| {
            c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b')
        })
}

/// The low halves of UTF-16 with its mark, or of a tag in UTF-16 without, where nearly all high halves are empty.
fn from_utf16(bytes: &[u8]) -> Option<Vec<u8>> {
    let (rest, low) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, 0),
        [0xfe, 0xff, rest @ ..] => (rest, 1),
        [b'<', 0, _, 0, ..] => (bytes, 0),
        [0, b'<', 0, _, ..] => (bytes, 1),
        _ => return None,
    };
    let pairs = rest.chunks_exact(2);
    let (all, narrow) = (
        pairs.len(),
        pairs.clone().filter(|it| it[1 - low] == 0).count(),
    );
    // Text of another script than Latin has its blanks and marks in Latin.
    (all >= 4 && narrow * 2 >= all).then(|| pairs.map(|it| it[low]).collect())
}
