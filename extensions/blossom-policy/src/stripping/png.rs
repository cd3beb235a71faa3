//! PNG, animated ones included: chunks by their names.

use super::orientation;
use bytes::Bytes;
use img_parts::png::{Png, PngChunk};

/// What is shown, how it moves, and its colours.
const KEPT: [&[u8; 4]; 18] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"cHRM",
    b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"pHYs",
];
const EXIF: [u8; 4] = *b"eXIf";

pub(super) fn strip(picture: Bytes) -> Option<Bytes> {
    let mut png = Png::from_bytes(picture).ok()?;
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
