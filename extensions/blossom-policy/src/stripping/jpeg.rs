//! JPEG: segments before the picture, and what stands between its scans and behind its end.

use super::orientation;
use bytes::{BufMut, Bytes, BytesMut};
use img_parts::jpeg::{Jpeg, JpegSegment, markers};

const EXIF: &[u8] = b"Exif\0\0";
/// Lengths of JFIF without the small picture that may be in it.
const JFIF_BYTES: usize = 14;

pub(super) fn strip(picture: Bytes) -> Option<Bytes> {
    let mut jpeg = Jpeg::from_bytes(picture).ok()?;
    let turned = jpeg.segments_by_marker(markers::APP1).find_map(|it| {
        it.contents()
            .strip_prefix(EXIF)
            .and_then(orientation::alone)
    });
    let mut kept = Vec::with_capacity(jpeg.segments().len());
    for segment in jpeg.segments() {
        kept.extend(keep(segment)?);
    }
    // The picture itself is there, to its end.
    if !kept.last()?.has_entropy() {
        return None;
    }
    if let Some(turned) = turned {
        let exif = [EXIF, &turned].concat();
        let behind_jfif = usize::from(kept.first()?.marker() == markers::APP0);
        kept.insert(
            behind_jfif,
            JpegSegment::new_with_contents(markers::APP1, exif.into()),
        );
    }
    *jpeg.segments_mut() = kept;
    Some(jpeg.encoder().bytes())
}

/// What is left of a segment: all, a part, or nothing. `None` where it is broken.
fn keep(segment: &JpegSegment) -> Option<Option<JpegSegment>> {
    let (marker, contents) = (segment.marker(), segment.contents());
    if segment.has_entropy() {
        // Of this there is one, with everything behind it.
        let scans = scans(segment)?;
        let kept = JpegSegment::new_with_entropy(marker, contents.clone(), scans);
        return Some(Some(kept));
    }
    let is_kept = match marker {
        0xe0 if contents.starts_with(b"JFIF\0") => return Some(jfif(contents)),
        // Colours: a profile, and how Adobe has stored them.
        0xe2 => contents.starts_with(b"ICC_PROFILE\0"),
        0xee => contents.starts_with(b"Adobe"),
        // Other applications' own, and comments.
        0xe0..=0xef | 0xfe => false,
        _ => true,
    };
    Some(is_kept.then(|| segment.clone()))
}

/// Without its small picture, which may be of what was cut away from the large one.
fn jfif(contents: &Bytes) -> Option<JpegSegment> {
    let mut head = BytesMut::from(contents.get(..JFIF_BYTES)?);
    head[12..].fill(0);
    Some(JpegSegment::new_with_contents(0xe0, head.freeze()))
}

/// The scans up to the end of the picture, without segments of applications and comments between them. Where there is no end,
/// they get one.
fn scans(first: &JpegSegment) -> Option<Bytes> {
    // What stands behind the first header, as it stands in the file.
    let encoded = first.clone().encoder().bytes();
    let body = encoded.slice(4 + first.contents().len()..);
    let mut kept = BytesMut::with_capacity(body.len());
    let mut at = 0;
    loop {
        let length = body[at..].iter().position(|byte| *byte == 0xff);
        let data = &body[at..at + length.unwrap_or(body.len() - at)];
        kept.put_slice(data);
        at += data.len();
        match body.get(at + 1).copied() {
            None => break,
            // A fill byte.
            Some(0xff) => at += 1,
            Some(0xd9) => break,
            // A byte of the picture, a place to begin anew, or nothing.
            Some(0x00 | 0x01 | 0xd0..=0xd7) => {
                kept.put_slice(&body[at..at + 2]);
                at += 2;
            }
            // A second picture.
            Some(0xd8) => return None,
            Some(marker) => {
                let Some(&[high, low]) = body.get(at + 2..at + 4) else {
                    break;
                };
                let length = u16::from_be_bytes([high, low]);
                if length < 2 {
                    return None;
                }
                let end = at + 2 + usize::from(length);
                let Some(segment) = body.get(at..end) else {
                    break;
                };
                if !matches!(marker, 0xe0..=0xef | 0xfe) {
                    kept.put_slice(segment);
                }
                at = end;
            }
        }
    }
    if kept.is_empty() {
        return None;
    }
    kept.put_slice(&[0xff, 0xd9]);
    Some(kept.freeze())
}
