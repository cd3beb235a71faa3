//! What made-up events say: words with accents, other scripts, emoji, line breaks and whatever JSON has to escape.

use super::dice::Dice;
use trellis_relay::event::escape_into;

const WORDS: [&str; 56] = [
    "the",
    "relay",
    "and",
    "a",
    "of",
    "event",
    "to",
    "in",
    "note",
    "is",
    "you",
    "that",
    "it",
    "was",
    "for",
    "on",
    "are",
    "with",
    "they",
    "be",
    "at",
    "one",
    "have",
    "this",
    "from",
    "morning",
    "by",
    "hot",
    "word",
    "but",
    "what",
    "some",
    "we",
    "can",
    "out",
    "other",
    "were",
    "all",
    "there",
    "when",
    "coffee",
    "market",
    "café",
    "naïve",
    "Grüße",
    "größer",
    "señal",
    "Привет",
    "мир",
    "日本語",
    "こんにちは",
    "مرحبا",
    "🙂",
    "🚀",
    "—",
    "…",
];

const MARKS: [&str; 6] = [".\n", ". ", ", \"quoted\" ", "\n\n", " \\o/ ", "\t"];

const CIPHER: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Text of about so many bytes, as a JSON string.
pub(super) fn text_json(dice: &mut Dice, bytes: u64, out: &mut Vec<u8>) {
    let mut text = String::with_capacity(bytes as usize + 16);
    while (text.len() as u64) < bytes {
        // The rarer half of the list is where the other scripts are.
        text.push_str(WORDS[dice.skewed(WORDS.len() as u64) as usize]);
        if dice.percent(6) {
            text.push_str(MARKS[dice.below(MARKS.len() as u64) as usize]);
        } else {
            text.push(' ');
        }
    }
    escape_into(out, &text);
}

/// What looks like an encrypted message, as a JSON string.
pub(super) fn cipher_json(dice: &mut Dice, bytes: u64, out: &mut Vec<u8>) {
    out.push(b'"');
    for _ in 0..bytes / 10 {
        let mut bits = dice.next();
        for _ in 0..10 {
            out.push(CIPHER[(bits & 63) as usize]);
            bits >>= 6;
        }
    }
    out.push(b'"');
}
