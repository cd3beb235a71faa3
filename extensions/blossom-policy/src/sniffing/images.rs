//! JPEG, PNG and GIF.

use super::numbers::{has, u16_be, u16_le, u32_be};

pub(super) fn sniff(head: &[u8], is_whole: bool) -> Option<&'static str> {
    if is_jpeg(head, is_whole) {
        return Some("image/jpeg");
    }
    if is_png(head) {
        return Some("image/png");
    }
    is_gif(head).then_some("image/gif")
}

/// Start of image, then segments (ITU-T T.81, annex B) up to the scan, as far as the head goes.
fn is_jpeg(head: &[u8], is_whole: bool) -> bool {
    if !head.starts_with(&[0xff, 0xd8, 0xff]) {
        return false;
    }
    let (mut at, mut has_frame) = (2, false);
    loop {
        // A marker may be preceded by any number of fill bytes.
        while head.get(at..at + 2) == Some(&[0xff, 0xff]) {
            at += 1;
        }
        let Some(&[lead, marker]) = head.get(at..at + 2) else {
            return !is_whole;
        };
        match (lead, marker) {
            // The scan; what follows is for decoders.
            (0xff, 0xda) => return has_frame && has_segment(head, at, is_whole),
            // Neither markers with nothing behind them nor what is reserved begin a segment here.
            (0xff, 0xc0..=0xcf | 0xdb..=0xef | 0xfe) => {
                has_frame |= matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
                let Some(length) = u16_be(head, at + 2) else {
                    return !is_whole;
                };
                if length < 2 {
                    return false;
                }
                at += 2 + usize::from(length);
            }
            _ => return false,
        }
    }
}

fn has_segment(head: &[u8], at: usize, is_whole: bool) -> bool {
    match u16_be(head, at + 2) {
        Some(length) => length >= 6 && (!is_whole || head.len() > at + 2 + usize::from(length)),
        None => !is_whole,
    }
}

/// The signature, and a header of a picture that has a size (W3C PNG, 11.2.1).
fn is_png(head: &[u8]) -> bool {
    head.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        && u32_be(head, 16).is_some_and(|width| width != 0)
        && u32_be(head, 20).is_some_and(|height| height != 0)
        && matches!(head.get(24), Some(1 | 2 | 4 | 8 | 16))
        && matches!(head.get(25), Some(0 | 2 | 3 | 4 | 6))
        && has(head, 26, &[0, 0])
        && matches!(head.get(28), Some(0 | 1))
        // The sum of the header is behind it.
        && head.len() >= 33
}

/// The signature, a screen that has a size, its colours, and the first block (GIF89a, 17 to 20).
fn is_gif(head: &[u8]) -> bool {
    if !head.starts_with(b"GIF87a") && !head.starts_with(b"GIF89a") {
        return false;
    }
    let (Some(width), Some(height)) = (u16_le(head, 6), u16_le(head, 8)) else {
        return false;
    };
    let Some(&flags) = head.get(10) else {
        return false;
    };
    let colours = match flags & 0x80 != 0 {
        true => 3 << ((flags & 7) + 1),
        false => 0,
    };
    let begins_block = matches!(head.get(13 + colours), Some(0x21 | 0x2c));
    width != 0 && height != 0 && begins_block
}
