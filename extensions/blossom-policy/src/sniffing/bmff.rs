//! Files of boxes (ISO/IEC 14496-12): MP4 and what is not MP4 though it looks like it, told apart by their brands.

use super::numbers::{has, u32_be};

/// Boxes of brands are short.
const BRANDS_BYTES_MAX: usize = 4096;
/// Boxes with which QuickTime began before there were brands.
const QUICKTIME: [&[u8; 4]; 3] = [b"moov", b"wide", b"pnot"];

pub(super) fn sniff(head: &[u8]) -> Option<&'static str> {
    let kind: &[u8; 4] = head.get(4..8)?.try_into().ok()?;
    if QUICKTIME.contains(&kind) {
        return is_quicktime(head).then_some("video/quicktime");
    }
    if kind != b"ftyp" {
        return None;
    }
    let length = u32_be(head, 0)? as usize;
    if !(16..=BRANDS_BYTES_MAX).contains(&length) || !length.is_multiple_of(4) {
        return None;
    }
    let brands = head.get(8..length)?;
    // Another box follows; a file of brands alone holds nothing.
    let next = head.get(length + 4..length + 8)?;
    if !next.iter().all(|it| matches!(it, b' '..=b'~')) {
        return None;
    }
    let major: &[u8; 4] = brands.first_chunk()?;
    // Behind the main brand stands a version, then those that it is compatible with.
    let others = brands.get(8..)?.chunks_exact(4);
    named(major, &others.collect::<Vec<_>>())
}

/// What the brands say: the main one, unless it leaves that to the others.
fn named(major: &[u8; 4], others: &[&[u8]]) -> Option<&'static str> {
    let has_brand = |brand: &[u8; 4]| others.contains(&brand.as_slice());
    match major {
        b"qt  " => Some("video/quicktime"),
        b"avif" | b"avis" => Some("image/avif"),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => {
            Some("image/heic")
        }
        // Pictures of any codec.
        b"mif1" | b"mif2" | b"msf1" | b"miaf" => match () {
            () if has_brand(b"avif") || has_brand(b"avis") => Some("image/avif"),
            () if has_brand(b"heic") || has_brand(b"heix") => Some("image/heic"),
            () => Some("image/heif"),
        },
        b"M4A " | b"M4B " | b"M4P " | b"F4A " | b"F4B " => Some("audio/mp4"),
        [b'3', b'g', b'p' | b'g' | b'r' | b's' | b'e', _] | [b'3', b'g', b'2', _] => {
            Some("video/3gpp")
        }
        // JPEG 2000, pictures of cameras, and parts of streams that are no files.
        b"jp2 " | b"jpx " | b"jpm " | b"mjp2" | b"crx " => None,
        _ if is_mp4(major) => Some("video/mp4"),
        // Makers' own brands, of which most are MP4 and say so.
        _ if others.iter().any(|brand| is_mp4(brand)) => Some("video/mp4"),
        b"M4V " | b"M4VH" | b"M4VP" => Some("video/x-m4v"),
        _ => None,
    }
}

/// Brands that say MP4, or ISO's own of which MP4 is made.
fn is_mp4(brand: &[u8]) -> bool {
    matches!(
        brand,
        b"mp41"
            | b"mp42"
            | b"mp71"
            | b"avc1"
            | b"iso2"
            | b"iso3"
            | b"iso4"
            | b"iso5"
            | b"iso6"
            | b"iso7"
            | b"iso8"
            | b"iso9"
            | b"isoa"
            | b"isob"
            | b"isoc"
            | b"isom"
            | b"MSNV"
            | b"dash"
            | b"cmfc"
            | b"cmf2"
            | b"F4V "
            | b"mmp4"
    )
}

fn is_quicktime(head: &[u8]) -> bool {
    let Some(length) = u32_be(head, 0) else {
        return false;
    };
    match has(head, 4, b"moov") {
        true => {
            length >= 16
                && [&b"mvhd"[..], b"cmov", b"rmra"]
                    .iter()
                    .any(|it| has(head, 12, it))
        }
        // A short box before the media.
        false => {
            (8..=64).contains(&length)
                && [&b"mdat"[..], b"moov", b"free", b"PICT", b"pict"]
                    .iter()
                    .any(|it| has(head, length as usize + 4, it))
        }
    }
}
