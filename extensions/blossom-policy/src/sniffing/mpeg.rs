//! Sound without a container: MPEG audio, AAC in ADTS, FLAC, AMR, each behind an ID3 tag or without.
//!
//! A frame's header is eleven bits that anything may have, so it counts only where the next frame stands where the first
//! says it does.

use super::numbers::array;

/// kbit/s by layer and index, for MPEG-1, and for MPEG-2 and 2.5 (ISO/IEC 11172-3, 13818-3).
const BITRATES_1: [[u16; 15]; 3] = [
    [
        0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ],
    [
        0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ],
    [
        0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ],
];
const BITRATES_2: [[u16; 15]; 3] = [
    [
        0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

pub(super) fn sniff(head: &[u8], is_whole: bool) -> Option<&'static str> {
    if head.starts_with(b"#!AMR\n") || head.starts_with(b"#!AMR-WB\n") {
        return Some("audio/amr");
    }
    let Some(tag_bytes) = id3_bytes(head) else {
        return untagged(head);
    };
    match head.get(tag_bytes..) {
        Some(sound) => {
            // Some writers pad behind the tag instead of in it.
            let begin = sound.iter().position(|byte| *byte != 0);
            match begin {
                Some(begin) => untagged(&sound[begin..]),
                None if is_whole => None,
                None => Some("audio/mpeg"),
            }
        }
        // A picture of the cover is longer than the head; the tag is MP3's own.
        None if !is_whole => Some("audio/mpeg"),
        None => None,
    }
}

fn untagged(sound: &[u8]) -> Option<&'static str> {
    // The first block is STREAMINFO, and has 34 bytes (RFC 9639).
    let flac = sound.strip_prefix(b"fLaC");
    if flac.is_some_and(|it| it.len() >= 38 && it[0] & 0x7f == 0 && it[1..4] == [0, 0, 34]) {
        return Some("audio/flac");
    }
    if repeats(sound, |bytes| {
        let header = array::<4>(bytes, 0)?;
        let same = [header[0], header[1] & 0xfe, header[2] & 0x0c, 0];
        Some((mpeg_frame_bytes(header)?, same))
    }) {
        return Some("audio/mpeg");
    }
    repeats(sound, |bytes| {
        let header = array::<7>(bytes, 0)?;
        let same = [header[0], header[1], header[2] & 0xfd, header[3] & 0xc0];
        Some((adts_frame_bytes(header)?, same))
    })
    .then_some("audio/aac")
}

/// Whether a second frame stands where the first ends, with what all frames of a file have in common.
fn repeats(sound: &[u8], frame: impl Fn(&[u8]) -> Option<(usize, [u8; 4])>) -> bool {
    let second = frame(sound).and_then(|(length, first)| {
        let (_, second) = frame(sound.get(length..)?)?;
        Some(first == second)
    });
    second == Some(true)
}

/// The length of an MPEG audio frame, by its header. Of no fixed bit rate there is none.
fn mpeg_frame_bytes(header: [u8; 4]) -> Option<usize> {
    if header[0] != 0xff || header[1] & 0xe0 != 0xe0 {
        return None;
    }
    let version = header[1] >> 3 & 3;
    let layer = match header[1] >> 1 & 3 {
        3 => 1,
        2 => 2,
        1 => 3,
        _ => return None,
    };
    let is_first = version == 3;
    let rates = if is_first { &BITRATES_1 } else { &BITRATES_2 };
    let bitrate = u32::from(*rates[layer - 1].get(usize::from(header[2] >> 4))?) * 1000;
    let rate = [44_100, 48_000, 32_000].get(usize::from(header[2] >> 2 & 3))?;
    let rate = match version {
        3 => *rate,
        2 => rate / 2,
        0 => rate / 4,
        _ => return None,
    };
    let padding = u32::from(header[2] >> 1 & 1);
    let bytes = match layer {
        1 => (12 * bitrate / rate + padding) * 4,
        3 if !is_first => 72 * bitrate / rate + padding,
        _ => 144 * bitrate / rate + padding,
    };
    (bytes > 4).then_some(bytes as usize)
}

/// The length of an ADTS frame, by its header (ISO/IEC 13818-7).
fn adts_frame_bytes(header: [u8; 7]) -> Option<usize> {
    let is_sync = header[0] == 0xff && header[1] & 0xf6 == 0xf0;
    let rate = header[2] >> 2 & 0x0f;
    let bytes = usize::from(header[3] & 3) << 11
        | usize::from(header[4]) << 3
        | usize::from(header[5] >> 5);
    (is_sync && rate < 13 && bytes > 7).then_some(bytes)
}

/// Where an ID3v2 tag ends, if there is one.
fn id3_bytes(head: &[u8]) -> Option<usize> {
    let header: [u8; 10] = array(head, 0)?;
    let is_tag = header.starts_with(b"ID3") && matches!(header[3], 2..=4) && header[4] < 0xff;
    let size = &header[6..];
    if !is_tag || size.iter().any(|byte| *byte >= 0x80) {
        return None;
    }
    let size = size
        .iter()
        .fold(0, |size, byte| size << 7 | usize::from(*byte));
    // The footer repeats the header.
    let footer = if header[5] & 0x10 != 0 { 10 } else { 0 };
    Some(10 + size + footer)
}
