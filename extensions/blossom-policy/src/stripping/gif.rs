//! GIF, block by block (GIF89a, 12 to 26).

use bytes::Bytes;

/// Extensions of applications that say how often a picture that moves does so.
const LOOPS: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];
const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;

/// Where data ends that comes in parts.
enum End {
    /// Behind the part that has no length.
    Whole(usize),
    /// The file ends before: behind the last part that is there.
    Cut(usize),
}

pub(super) fn strip(picture: Bytes) -> Option<Bytes> {
    if !picture.starts_with(b"GIF87a") && !picture.starts_with(b"GIF89a") {
        return None;
    }
    let mut at = 13 + table_bytes(*picture.get(10)?);
    let mut kept = picture.get(..at)?.to_vec();
    // How the next image is to be shown; without one it is of no use.
    let (mut control, mut has_image): (&[u8], bool) = (&[], false);
    loop {
        match picture.get(at) {
            None | Some(&TRAILER) => break,
            Some(&IMAGE) => {
                let Some(&flags) = picture.get(at + 9) else {
                    break;
                };
                // The descriptor, the colours, and the width of codes stand before the data.
                let data = at + 10 + table_bytes(flags) + 1;
                let (end, is_cut) = match skip_data(&picture, data) {
                    End::Whole(end) => (end, false),
                    End::Cut(end) => (end, true),
                };
                if is_cut && end <= data {
                    break;
                }
                kept.extend_from_slice(std::mem::take(&mut control));
                kept.extend_from_slice(picture.get(at..end)?);
                has_image = true;
                if is_cut {
                    kept.push(0);
                    break;
                }
                at = end;
            }
            Some(&EXTENSION) => {
                let End::Whole(end) = skip_data(&picture, at + 2) else {
                    break;
                };
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
            Some(_) => return None,
        }
    }
    kept.push(TRAILER);
    has_image.then(|| kept.into())
}

/// Of a table of colours, by the flags that tell of it.
fn table_bytes(flags: u8) -> usize {
    match flags & 0x80 != 0 {
        true => 3 << ((flags & 7) + 1),
        false => 0,
    }
}

/// Where parts of data end that each begin with their length, and of which the last has none.
fn skip_data(picture: &[u8], mut at: usize) -> End {
    loop {
        let Some(&length) = picture.get(at) else {
            return End::Cut(at);
        };
        let next = at + 1 + usize::from(length);
        match length {
            0 => return End::Whole(next),
            _ if next > picture.len() => return End::Cut(at),
            _ => at = next,
        }
    }
}
