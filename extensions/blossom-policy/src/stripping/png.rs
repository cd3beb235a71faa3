//! PNG, animated ones included: chunks by their names.

use super::orientation;
use bytes::{Bytes, BytesMut};
use img_parts::png::{Png, PngChunk};

/// What is shown, how it moves, and its colours.
const KEPT: [&[u8; 4]; 18] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"cHRM",
    b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"pHYs",
];
const EXIF: [u8; 4] = *b"eXIf";
/// The last chunk: it has nothing in it.
const END: &[u8; 12] = b"\0\0\0\0IEND\xae\x42\x60\x82";
const SIGNATURE_BYTES: usize = 8;
/// Of a chunk beside its contents: a length, a name and a sum.
const FRAME_BYTES: usize = 12;

pub(super) fn strip(picture: Bytes) -> Option<Bytes> {
    let mut png = Png::from_bytes(ended(picture)).ok()?;
    let exif = png.chunk_by_type(EXIF);
    let turned = exif.and_then(|it| orientation::alone(it.contents()));
    let chunks = png.chunks_mut();
    // Nothing is behind the end.
    let end = chunks.iter().position(|it| it.kind() == *b"IEND")?;
    chunks.truncate(end + 1);
    chunks.retain(|it| KEPT.contains(&&it.kind()));
    let header = chunks.first().filter(|it| it.kind() == *b"IHDR");
    let picture = chunks.iter().position(|it| it.kind() == *b"IDAT");
    let (Some(_), Some(picture)) = (header, picture) else {
        return None;
    };
    if let Some(turned) = turned {
        chunks.insert(picture, PngChunk::new(EXIF, turned.into()));
    }
    Some(png.encoder().bytes())
}

/// The picture with an end: where the file ends before it, behind the last chunk that is whole.
fn ended(picture: Bytes) -> Bytes {
    let mut at = SIGNATURE_BYTES;
    while let Some([a, b, c, d, name @ ..]) = picture.get(at..at + 8) {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let next = at + FRAME_BYTES + length;
        if next > picture.len() {
            break;
        }
        if name == b"IEND" {
            return picture;
        }
        at = next;
    }
    let mut whole = BytesMut::from(picture.get(..at).unwrap_or(&picture[..]));
    whole.extend_from_slice(END);
    whole.freeze()
}
