//! WebP: chunks by their names, and the flags that tell of them.

use super::orientation;
use bytes::Bytes;
use img_parts::riff::{RiffChunk, RiffContent};
use img_parts::webp::WebP;

/// What is shown, how it moves, and its colours (RFC 9649).
const KEPT: [&[u8; 4]; 7] = [
    b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP",
];
/// Flags of `VP8X`.
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;

pub(super) fn strip(picture: Bytes) -> Option<Bytes> {
    let mut webp = WebP::from_bytes(picture).ok()?;
    let turned = webp
        .chunk_by_id(*b"EXIF")
        .and_then(|it| it.content().data())
        .and_then(|exif| orientation::alone(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)));
    let chunks = webp.chunks_mut();
    chunks.retain(|it| KEPT.contains(&&it.id()));
    let has_picture = chunks
        .iter()
        .any(|it| matches!(&it.id(), b"VP8 " | b"VP8L" | b"ANMF"));
    if !has_picture {
        return None;
    }
    if let Some(header) = chunks.iter_mut().find(|it| it.id() == *b"VP8X") {
        let mut flags = header.content().data()?.to_vec();
        *flags.first_mut()? &= !(HAS_EXIF | HAS_XMP);
        if turned.is_some() {
            *flags.first_mut()? |= HAS_EXIF;
        }
        *header.content_mut() = RiffContent::Data(flags.into());
    }
    if let Some(turned) = turned {
        chunks.push(RiffChunk::new(*b"EXIF", RiffContent::Data(turned.into())));
    }
    Some(webp.encoder().bytes())
}
