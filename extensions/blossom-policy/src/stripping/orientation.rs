//! Which way up a picture is, the one thing in its Exif that is needed to show it.

/// The tag of the orientation (Exif 2.3, 4.6.4).
const TAG: u16 = 0x0112;
/// A short number.
const SHORT: u16 = 3;

/// A turned picture's Exif with nothing but that; nothing where it is upright, or nobody knows.
pub(super) fn alone(exif: &[u8]) -> Option<Vec<u8>> {
    let orientation = read(exif).filter(|it| (2..=8).contains(it))?;
    let mut written = b"MM\0\x2a\0\0\0\x08\0\x01".to_vec();
    for number in [TAG, SHORT, 0, 1, orientation, 0] {
        written.extend(number.to_be_bytes());
    }
    // No other directory.
    written.extend([0; 4]);
    Some(written)
}

/// What the first directory says (TIFF 6.0, section 2).
fn read(exif: &[u8]) -> Option<u16> {
    let is_big = match exif.get(..4)? {
        b"MM\0\x2a" => true,
        b"II\x2a\0" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    };
    let (first, second) = (usize::from(short(4)?), usize::from(short(6)?));
    let directory = if is_big {
        first << 16 | second
    } else {
        second << 16 | first
    };
    let entries = usize::from(short(directory)?);
    (0..entries)
        .map(|entry| directory + 2 + 12 * entry)
        .find(|at| short(*at) == Some(TAG))
        .filter(|at| short(at + 2) == Some(SHORT))
        .and_then(|at| short(at + 8))
}
