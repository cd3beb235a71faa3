//! RIFF and its kin: WebP, WAV (RF64 and BW64 included), AVI; AIFF, which is the same the other way round.

use super::numbers::{has, u32_be, u32_le};

pub(super) fn sniff(head: &[u8], is_whole: bool) -> Option<&'static str> {
    let form: &[u8] = head.get(8..12)?;
    let is_riff = head.starts_with(b"RIFF");
    // EBU Tech 3306 and ITU-R BS.2088: the same with lengths of 64 bits.
    let is_large = head.starts_with(b"RF64") || head.starts_with(b"BW64");
    match form {
        b"WEBP" if is_riff && is_webp(head) => Some("image/webp"),
        b"WAVE" if is_riff || is_large => {
            has_chunk(head, b"fmt ", u32_le, is_whole, 14).then_some("audio/wav")
        }
        b"AVI " if is_riff => has(head, 12, b"LIST").then_some("video/x-msvideo"),
        b"AIFF" | b"AIFC" if head.starts_with(b"FORM") => {
            has_chunk(head, b"COMM", u32_be, is_whole, 18).then_some("audio/aiff")
        }
        _ => None,
    }
}

/// The first chunk is a picture, or says what follows (RFC 9649).
fn is_webp(head: &[u8]) -> bool {
    match head.get(12..16) {
        Some(b"VP8 ") => has(head, 23, &[0x9d, 0x01, 0x2a]),
        Some(b"VP8L") => head.get(20) == Some(&0x2f) && head.len() >= 25,
        Some(b"VP8X") => u32_le(head, 16) == Some(10) && head.len() >= 30,
        _ => false,
    }
}

/// Whether this chunk of at least so many bytes is among those of the head, or may be behind it.
fn has_chunk(
    head: &[u8],
    wanted: &[u8; 4],
    number: fn(&[u8], usize) -> Option<u32>,
    is_whole: bool,
    min_bytes: u32,
) -> bool {
    let mut at = 12_usize;
    loop {
        let (Some(id), Some(length)) = (head.get(at..at + 4), number(head, at + 4)) else {
            return !is_whole;
        };
        if id == wanted {
            return length >= min_bytes && head.len() >= at + 8 + min_bytes as usize;
        }
        if !id.iter().all(|it| matches!(it, b' '..=b'~')) {
            return false;
        }
        // Chunks are padded to an even length.
        let Some(next) = at.checked_add(8 + length as usize + (length & 1) as usize) else {
            return false;
        };
        at = next;
    }
}
