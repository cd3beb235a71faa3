//! Ogg: what its streams are, by the first packet of each (RFC 3533, RFC 5334).
//!
//! The first pages of all streams stand before everything else, so one look tells whether there is a picture. A second
//! chain of streams further on is not seen; players that know chains play it as what the first was.

use super::numbers::has;

/// The first packets of codecs with a picture.
const VIDEO: [&[u8]; 5] = [
    b"\x80theora",
    b"BBCD\0",
    b"\x01video\0\0\0",
    b"OVP80\x01",
    b"\x80daala",
];
/// And of those with sound alone.
const AUDIO: [&[u8]; 7] = [
    b"\x01vorbis",
    b"OpusHead",
    b"Speex   ",
    b"\x7fFLAC",
    b"CELT    ",
    b"PCM     ",
    b"\x01audio\0\0\0",
];
/// Streams that go along with others: an index, words, chapters.
const BESIDE: [&[u8]; 4] = [
    b"fishead\0",
    b"\x80kate\0\0\0",
    b"CMML\0\0\0\0",
    b"\x01text\0\0\0\0",
];
/// Flag of a page that begins a stream.
const BEGINS: u8 = 0x02;

pub(super) fn sniff(head: &[u8], is_whole: bool) -> Option<&'static str> {
    let (mut at, mut has_audio, mut has_video) = (0, false, false);
    while let Some(page) = Page::read(head, at) {
        if page.flags & BEGINS == 0 {
            break;
        }
        let begins_with = |codecs: &[&[u8]]| codecs.iter().any(|it| page.packet.starts_with(it));
        has_audio |= begins_with(&AUDIO);
        has_video |= begins_with(&VIDEO);
        if !begins_with(&AUDIO) && !begins_with(&VIDEO) && !begins_with(&BESIDE) {
            return None;
        }
        at = page.end;
    }
    // Every stream has more than its beginning.
    let goes_on = has(head, at, b"OggS\0") || !is_whole;
    match (has_video, has_audio) {
        _ if !goes_on => None,
        (true, _) => Some("video/ogg"),
        (false, true) => Some("audio/ogg"),
        (false, false) => None,
    }
}

struct Page<'b> {
    flags: u8,
    packet: &'b [u8],
    end: usize,
}

impl<'b> Page<'b> {
    fn read(bytes: &'b [u8], at: usize) -> Option<Self> {
        if !has(bytes, at, b"OggS\0") {
            return None;
        }
        let flags = *bytes.get(at + 5)?;
        let segments = usize::from(*bytes.get(at + 26)?);
        let body = at + 27 + segments;
        let length: usize = bytes
            .get(at + 27..body)?
            .iter()
            .map(|it| usize::from(*it))
            .sum();
        Some(Page {
            flags,
            packet: bytes.get(body..body + length)?,
            end: body + length,
        })
    }
}
