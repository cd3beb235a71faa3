//! GIF, block by block (GIF89a, 12 to 26).

use bytes::Bytes;

/// Extensions of applications that say how often a picture that moves does so.
const LOOPS: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];
const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;

pub(super) fn strip(picture: Bytes) -> Option<Bytes> {
    if !picture.starts_with(b"GIF87a") && !picture.starts_with(b"GIF89a") {
        return None;
    }
    let mut at = 13 + table_bytes(*picture.get(10)?);
    let mut kept = picture.get(..at)?.to_vec();
    // How the next image is to be shown; without one it is of no use.
    let (mut control, mut has_image): (&[u8], bool) = (&[], false);
    loop {
        match *picture.get(at)? {
            TRAILER => {
                kept.push(TRAILER);
                return has_image.then(|| kept.into());
            }
            IMAGE => {
                let table = table_bytes(*picture.get(at + 9)?);
                // The descriptor, the colours, and the width of codes stand before the data.
                let end = skip_data(&picture, at + 10 + table + 1)?;
                kept.extend_from_slice(std::mem::take(&mut control));
                kept.extend_from_slice(picture.get(at..end)?);
                (at, has_image) = (end, true);
            }
            EXTENSION => {
                let end = skip_data(&picture, at + 2)?;
                let block = picture.get(at..end)?;
                match block[1] {
                    0xf9 => control = block,
                    0xff if LOOPS.iter().any(|it| block.get(3..14) == Some(it)) => {
                        kept.extend_from_slice(block);
                    }
                    // Plain text is shown by nobody, and comments were never meant to be.
                    0x01 => control = &[],
                    _ => {}
                }
                at = end;
            }
            _ => return None,
        }
    }
}

/// Of a table of colours, by the flags that tell of it.
fn table_bytes(flags: u8) -> usize {
    match flags & 0x80 != 0 {
        true => 3 << ((flags & 7) + 1),
        false => 0,
    }
}

/// Where parts of data end that each begin with their length, and of which the last has none.
fn skip_data(picture: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*picture.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}
