//! Writes the canonical JSON of an event from its parts.

use super::{Event, EventId, PublicKey};
use std::fmt::Write as _;

/// The seven fields of an event, tags and content already as canonical JSON. Stores build events back from these.
#[derive(Clone, Copy, Debug)]
pub struct EventParts<'a> {
    /// The claimed id.
    pub id: &'a [u8; 32],
    /// The author.
    pub pubkey: &'a [u8; 32],
    /// Seconds since 1970.
    pub created_at: u64,
    /// 0 to 65535.
    pub kind: u16,
    /// Canonical `[["name","value"],...]`.
    pub tags_json: &'a str,
    /// A canonical JSON string, with quotes.
    pub content_json: &'a str,
    /// The BIP-340 signature.
    pub sig: &'a [u8; 64],
}

impl EventParts<'_> {
    /// Assembles the event. Tags and content must be canonical JSON: nothing is checked here.
    pub fn assemble(&self) -> Event {
        let mut json = String::with_capacity(self.tags_json.len() + self.content_json.len() + 360);
        let mut hex = [0u8; 128];
        json.push_str(r#"{"id":""#);
        push_hex(&mut json, self.id, &mut hex);
        json.push_str(r#"","pubkey":""#);
        push_hex(&mut json, self.pubkey, &mut hex);
        json.push_str(r#"","created_at":"#);
        // Writing to a String cannot fail.
        let _ = write!(json, r#"{},"kind":{},"tags":"#, self.created_at, self.kind);
        let tags_at = json.len() as u32;
        json.push_str(self.tags_json);
        json.push_str(r#","content":"#);
        let content_at = json.len() as u32;
        json.push_str(self.content_json);
        json.push_str(r#","sig":""#);
        push_hex(&mut json, self.sig, &mut hex);
        json.push_str(r#""}"#);
        Event {
            id: EventId::from_byte_array(*self.id),
            pubkey: PublicKey::from_byte_array(*self.pubkey),
            created_at: self.created_at,
            kind: self.kind,
            tags_at,
            content_at,
            json: json.into(),
        }
    }
}

fn push_hex(out: &mut String, bytes: &[u8], hex: &mut [u8; 128]) {
    let hex = &mut hex[..bytes.len() * 2];
    if let Ok(hex) = const_hex::encode_to_str(bytes, hex) {
        out.push_str(hex);
    }
}

/// Appends a string as `JSON.stringify` writes it, which is how clients compute ids: the short escapes where JSON has
/// them, `\u00xx` in lower case for the other control characters, everything else as it is.
pub fn escape_into(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[copied..i]);
        copied = i + 1;
        match byte {
            b'"' => out.extend_from_slice(br#"\""#),
            b'\\' => out.extend_from_slice(br"\\"),
            0x08 => out.extend_from_slice(br"\b"),
            0x09 => out.extend_from_slice(br"\t"),
            0x0a => out.extend_from_slice(br"\n"),
            0x0c => out.extend_from_slice(br"\f"),
            0x0d => out.extend_from_slice(br"\r"),
            _ => {
                out.extend_from_slice(br"\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

/// Exactly `2 * N` lowercase hex digits: ids are compared as given (NIP-01), so upper case is another string.
pub(crate) fn lowercase_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    const_hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

pub(super) fn pubkey_from_hex(text: &str) -> Option<PublicKey> {
    lowercase_hex::<32>(text).map(PublicKey::from_byte_array)
}
