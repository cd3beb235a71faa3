//! The shortest files of each kind that its specification allows, for what no program at hand writes.

mod streams;

pub(super) use streams::{id3, mp3_frame};

use super::Expected::{self, Is, NotStored, Refused};
use crate::sniffing::Forbidden;

/// A name, a file, and what it is.
pub(super) type Made = (String, Vec<u8>, Expected);

fn made(name: &str, bytes: Vec<u8>, expected: Expected) -> Made {
    (name.to_owned(), bytes, expected)
}

/// All of them.
pub(super) fn all() -> Vec<Made> {
    let mut all = pictures();
    all.extend(riffs());
    all.extend(streams::all());
    all.extend(documents());
    all
}

/// One after the other.
pub(super) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub(super) fn jpeg_segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    join(&[&[0xff, marker], &length, content])
}

/// A JPEG with these segments before its frame.
pub(super) fn jpeg(before: &[Vec<u8>]) -> Vec<u8> {
    let quantization = jpeg_segment(0xdb, &[vec![0], vec![1; 64]].concat());
    let frame = jpeg_segment(0xc0, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
    let huffman = jpeg_segment(0xc4, &[vec![0, 1], vec![0; 15], vec![0]].concat());
    let scan = jpeg_segment(0xda, &[1, 1, 0, 0, 63, 0]);
    let end = [0x7f, 0xff, 0xd9];
    join(&[
        &[0xff, 0xd8],
        &before.concat(),
        &quantization,
        &frame,
        &huffman,
        &scan,
        &end,
    ])
}

/// A GIF of one pixel with a comment.
pub(super) fn gif(comment: &[u8]) -> Vec<u8> {
    let mut blocks = vec![0x21, 0xfe];
    for part in comment.chunks(255) {
        blocks.push(part.len() as u8);
        blocks.extend_from_slice(part);
    }
    blocks.push(0);
    let screen = [1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255];
    let picture = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b];
    join(&[b"GIF89a", &screen, &blocks, &picture])
}

fn pictures() -> Vec<Made> {
    let jpeg_is = Is("image/jpeg");
    let jfif = jpeg_segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let exif = jpeg_segment(0xe1, b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0\0\0\0\0");
    let large = jpeg_segment(0xe1, &[0x20; 60_000]);
    let mut filled = jpeg(&[]);
    filled.splice(2..2, [0xff, 0xff, 0xff]);
    let mut other_frame = jpeg(&[]);
    let frame = other_frame.windows(2).position(|two| two == [0xff, 0xc0]);
    other_frame[frame.expect("a frame") + 1] = 0xc9;
    vec![
        made("jpeg, bare", jpeg(&[]), jpeg_is),
        made("jpeg, JFIF", jpeg(std::slice::from_ref(&jfif)), jpeg_is),
        made(
            "jpeg, Exif first",
            jpeg(std::slice::from_ref(&exif)),
            jpeg_is,
        ),
        made("jpeg, Exif and JFIF", jpeg(&[exif, jfif]), jpeg_is),
        made(
            "jpeg, a comment",
            jpeg(&[jpeg_segment(0xfe, b"<script>x</script>")]),
            jpeg_is,
        ),
        made("jpeg, fill bytes", filled, jpeg_is),
        made("jpeg, arithmetic", other_frame, jpeg_is),
        made(
            "jpeg, segments longer than the head",
            jpeg(&[large.clone(), large]),
            jpeg_is,
        ),
        made(
            "jpeg, no frame",
            b"\xff\xd8\xff\xda\0\x08\x01\x01\0\0\x3f\0\x7f\xff\xd9".to_vec(),
            NotStored,
        ),
        made(
            "jpeg, letters and rubbish",
            b"\xff\xd8\xff\xe0rubbish that is no segment".to_vec(),
            NotStored,
        ),
        made("jpeg, letters alone", b"\xff\xd8\xff".to_vec(), NotStored),
        made(
            "gif, a page in a comment",
            gif(b"<html><script>alert(1)</script></html>"),
            Is("image/gif"),
        ),
        made("gif, a long comment", gif(&[b'x'; 3000]), Is("image/gif")),
        made(
            "gif, no screen",
            b"GIF89a\0\0\0\0\0\0\0;".to_vec(),
            NotStored,
        ),
        made(
            "gif, letters and a script",
            b"GIF89a=1;alert(document.domain);//////////".to_vec(),
            Refused(Forbidden::Text),
        ),
        made(
            "png, letters alone",
            b"\x89PNG\r\n\x1a\n".to_vec(),
            NotStored,
        ),
        made(
            "png, no size",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\x01\x08\0\0\0\0abcd".to_vec(),
            NotStored,
        ),
        made(
            "mng",
            b"\x8aMNG\r\n\x1a\n\0\0\0\x1cMHDR\0\0\0\x01\0\0\0\x01".to_vec(),
            NotStored,
        ),
    ]
}

fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let padding = vec![0; content.len() & 1];
    join(&[id, &(content.len() as u32).to_le_bytes(), content, &padding])
}

fn riff(outer: &[u8; 4], form: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let content = join(&[form, &chunks.concat()]);
    join(&[outer, &(content.len() as u32).to_le_bytes(), &content])
}

fn riffs() -> Vec<Made> {
    let format = chunk(
        b"fmt ",
        &[1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0, 1, 0, 8, 0],
    );
    let data = chunk(b"data", &[0x80; 9]);
    let wav = |before: &[Vec<u8>]| {
        let chunks = [before, &[format.clone(), data.clone()]].concat();
        riff(b"RIFF", b"WAVE", &chunks)
    };
    let mut endless = wav(&[]);
    endless[4..8].fill(0xff);
    let key_frame = join(&[&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0], &[0; 10]]);
    let extended = chunk(b"VP8X", &[0; 10]);
    vec![
        made("wav", wav(&[]), Is("audio/wav")),
        made(
            "wav, JUNK first",
            wav(&[chunk(b"JUNK", &[0; 28])]),
            Is("audio/wav"),
        ),
        made(
            "wav, an odd LIST first",
            wav(&[chunk(b"LIST", b"INFOx")]),
            Is("audio/wav"),
        ),
        made(
            "wav, a tag longer than the head",
            wav(&[chunk(b"id3 ", &[0; 70_000])]),
            Is("audio/wav"),
        ),
        made("wav, of unknown length", endless, Is("audio/wav")),
        made(
            "wav, BW64",
            riff(
                b"BW64",
                b"WAVE",
                &[chunk(b"ds64", &[0; 28]), format.clone(), data.clone()],
            ),
            Is("audio/wav"),
        ),
        made(
            "wav, no format",
            riff(b"RIFF", b"WAVE", std::slice::from_ref(&data)),
            NotStored,
        ),
        made(
            "wav, big-endian",
            riff(b"RIFX", b"WAVE", &[format.clone(), data.clone()]),
            NotStored,
        ),
        made(
            "webp",
            riff(b"RIFF", b"WEBP", &[chunk(b"VP8 ", &key_frame)]),
            Is("image/webp"),
        ),
        made(
            "webp, extended",
            riff(b"RIFF", b"WEBP", &[extended, chunk(b"VP8 ", &key_frame)]),
            Is("image/webp"),
        ),
        made(
            "webp, no picture",
            riff(b"RIFF", b"WEBP", &[chunk(b"ABCD", &key_frame)]),
            NotStored,
        ),
        made(
            "avi",
            riff(b"RIFF", b"AVI ", &[chunk(b"LIST", b"hdrlavih")]),
            Is("video/x-msvideo"),
        ),
        made(
            "riff, animated cursor",
            riff(b"RIFF", b"ACON", &[chunk(b"anih", &[0; 36])]),
            NotStored,
        ),
        made(
            "riff, MIDI",
            riff(
                b"RIFF",
                b"RMID",
                &[chunk(b"data", b"MThd\0\0\0\x06\0\0\0\x01\0\x60")],
            ),
            NotStored,
        ),
        made(
            "riff, sound font",
            riff(b"RIFF", b"sfbk", &[chunk(b"LIST", b"INFO")]),
            NotStored,
        ),
        made(
            "riff, picture in the place of sound",
            riff(b"RIFF", b"WAVE", &[chunk(b"VP8 ", &key_frame)]),
            NotStored,
        ),
    ]
}

fn documents() -> Vec<Made> {
    let pdf =
        b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF\n";
    vec![
        made("pdf", pdf.to_vec(), Is("application/pdf")),
        made(
            "pdf, plain text",
            b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n".to_vec(),
            Is("application/pdf"),
        ),
        made("pdf behind a blank", join(&[b"\n", pdf]), NotStored),
        made("pdf behind rubbish", join(&[&[0xee; 512], pdf]), NotStored),
        made(
            "pdf, no version",
            b"%PDF-\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            NotStored,
        ),
        made("nothing", Vec::new(), NotStored),
        made("zeros", vec![0; 4096], NotStored),
        made(
            "pdf, no object",
            b"%PDF-1.7\n\xe2\xe3\xcf\xd3 and rubbish\0".to_vec(),
            NotStored,
        ),
        made("font", b"OTTO\0\x01\0\x10\0\0\0\0".to_vec(), NotStored),
    ]
}
