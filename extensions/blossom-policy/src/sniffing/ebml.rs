//! WebM and Matroska, which differ by a word in the header (RFC 8794, RFC 9559).

/// The document's type where it is left out.
const DEFAULT_DOC_TYPE: &[u8] = b"matroska";
const DOC_TYPE: u64 = 0x4282;
/// Headers have some forty bytes.
const HEADER_BYTES_MAX: u64 = 4096;

pub(super) fn sniff(head: &[u8]) -> Option<&'static str> {
    let rest = head.strip_prefix(&[0x1a, 0x45, 0xdf, 0xa3])?;
    let (length, rest) = size(rest)?;
    if length > HEADER_BYTES_MAX {
        return None;
    }
    let mut header = rest.get(..usize::try_from(length).ok()?)?;
    let mut doc_type = DEFAULT_DOC_TYPE;
    while !header.is_empty() {
        let (id, after_id) = id(header)?;
        let (length, value) = size(after_id)?;
        let length = usize::try_from(length).ok()?;
        if id == DOC_TYPE {
            doc_type = value.get(..length)?;
        }
        header = value.get(length..)?;
    }
    // Strings may be padded with zeros.
    let end = doc_type.iter().position(|it| *it == 0);
    match &doc_type[..end.unwrap_or(doc_type.len())] {
        b"webm" => Some("video/webm"),
        b"matroska" => Some("video/x-matroska"),
        _ => None,
    }
}

/// The name of an element, with the marker of its length, and what follows.
fn id(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let width = bytes.first()?.leading_zeros() as usize + 1;
    if width > 4 {
        return None;
    }
    let (id, rest) = bytes.split_at_checked(width)?;
    Some((number(id), rest))
}

/// A length, without its marker, and what follows.
fn size(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let width = bytes.first()?.leading_zeros() as usize + 1;
    if width > 8 {
        return None;
    }
    let (size, rest) = bytes.split_at_checked(width)?;
    let value = number(size) & ((1 << (7 * width)) - 1);
    Some((value, rest))
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
