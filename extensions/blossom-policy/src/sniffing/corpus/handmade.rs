//! The shortest files of each kind that its specification allows, for what no program at hand writes.

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
    all.extend(boxes());
    all.extend(oggs());
    all.extend(ebmls());
    all.extend(sounds());
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
        made("jpeg, JFIF", jpeg(&[jfif.clone()]), jpeg_is),
        made("jpeg, Exif first", jpeg(&[exif.clone()]), jpeg_is),
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

/// A file of boxes with these brands.
pub(super) fn branded(major: &[u8; 4], others: &[&[u8; 4]]) -> Vec<u8> {
    let length = (16 + 4 * others.len() as u32).to_be_bytes();
    let others: Vec<u8> = others.iter().flat_map(|it| it.iter().copied()).collect();
    join(&[
        &length,
        b"ftyp",
        major,
        &[0, 0, 2, 0],
        &others,
        &[0, 0, 0, 12],
        b"mdat",
        &[7; 4],
    ])
}

fn boxes() -> Vec<Made> {
    let mut all = Vec::new();
    let mut add = |major: &[u8; 4], others: &[&[u8; 4]], expected| {
        let name = format!(
            "boxes of {:?} and {}",
            String::from_utf8_lossy(major),
            others.len()
        );
        all.push((name, branded(major, others), expected));
    };
    for major in [
        b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"MSNV", b"dash",
    ] {
        add(major, &[], Is("video/mp4"));
        add(major, &[b"isom", b"3gp4"], Is("video/mp4"));
    }
    // A camera's own brand, which says what it is compatible with.
    add(b"XAVC", &[b"XAVC", b"mp42", b"iso2"], Is("video/mp4"));
    add(b"ABCD", &[b"ABCD"], NotStored);
    add(b"M4A ", &[b"M4A ", b"mp42", b"isom"], Is("audio/mp4"));
    add(b"M4B ", &[b"M4A ", b"mp42"], Is("audio/mp4"));
    add(b"qt  ", &[b"qt  "], Is("video/quicktime"));
    add(b"qt  ", &[b"mp42", b"isom"], Is("video/quicktime"));
    add(b"heic", &[b"mif1", b"heic"], Is("image/heic"));
    add(b"mif1", &[b"mif1", b"heic"], Is("image/heic"));
    add(b"mif1", &[b"avif", b"miaf", b"mif1"], Is("image/avif"));
    add(b"avif", &[b"mif1", b"mp42"], Is("image/avif"));
    add(b"avis", &[b"avif", b"msf1", b"iso8"], Is("image/avif"));
    add(b"msf1", &[b"hevc", b"iso8"], Is("image/heif"));
    add(b"3gp5", &[b"3gp5", b"isom", b"mp42"], Is("video/3gpp"));
    add(b"M4V ", &[b"M4V "], Is("video/x-m4v"));
    add(b"crx ", &[b"crx ", b"isom"], NotStored);
    add(b"jp2 ", &[b"jp2 "], NotStored);
    let movie = join(&[
        &[0, 0, 0, 116],
        b"moov",
        &[0, 0, 0, 108],
        b"mvhd",
        &[0; 100],
    ]);
    all.push(made("boxes without brands", movie, Is("video/quicktime")));
    let wide = join(&[&[0, 0, 0, 8], b"wide", &[0, 0, 0, 12], b"mdat", &[7; 4]]);
    all.push(made(
        "boxes without brands, media first",
        wide,
        Is("video/quicktime"),
    ));
    all.push(made(
        "boxes of brands alone",
        branded(b"isom", &[])[..16].to_vec(),
        NotStored,
    ));
    all.push(made(
        "boxes of a stream's part",
        join(&[
            &[0, 0, 0, 24],
            b"stypmsdh\0\0\0\0msdhmsix",
            &[0, 0, 0, 8],
            b"moof",
        ]),
        NotStored,
    ));
    all
}

/// A page of Ogg with one packet.
pub(super) fn page(flags: u8, stream: u32, packet: &[u8]) -> Vec<u8> {
    assert!(packet.len() < 255);
    join(&[
        b"OggS\0",
        &[flags],
        &[0; 8],
        &stream.to_le_bytes(),
        &[0; 8],
        &[1, packet.len() as u8],
        packet,
    ])
}

fn oggs() -> Vec<Made> {
    let stream = |first: &[&[u8]]| {
        let begins = first
            .iter()
            .zip(1..)
            .map(|(packet, number)| page(2, number, packet));
        let mut bytes: Vec<u8> = begins.flatten().collect();
        bytes.extend(page(0, 1, b"more"));
        bytes
    };
    let (vorbis, theora): (&[u8], &[u8]) = (b"\x01vorbis\0\0\0\0\x01", b"\x80theora\x03\x02\x01");
    let skeleton: &[u8] = b"fishead\0\x04\0\0\0";
    vec![
        made("ogg, Vorbis", stream(&[vorbis]), Is("audio/ogg")),
        made("ogg, Opus", stream(&[b"OpusHead\x01\x01"]), Is("audio/ogg")),
        made("ogg, Speex", stream(&[b"Speex   1.2"]), Is("audio/ogg")),
        made("ogg, FLAC", stream(&[b"\x7fFLAC\x01\0"]), Is("audio/ogg")),
        made(
            "ogg, an index and Vorbis",
            stream(&[skeleton, vorbis]),
            Is("audio/ogg"),
        ),
        made("ogg, Theora", stream(&[theora]), Is("video/ogg")),
        made(
            "ogg, Theora and Vorbis",
            stream(&[theora, vorbis]),
            Is("video/ogg"),
        ),
        made(
            "ogg, Vorbis and Theora",
            stream(&[vorbis, theora]),
            Is("video/ogg"),
        ),
        made(
            "ogg, an index, Vorbis, Theora",
            stream(&[skeleton, vorbis, theora]),
            Is("video/ogg"),
        ),
        made("ogg, Dirac", stream(&[b"BBCD\0\0\0\0"]), Is("video/ogg")),
        made("ogg, VP8", stream(&[b"OVP80\x01\x01\0"]), Is("video/ogg")),
        made(
            "ogg, OGM",
            stream(&[b"\x01video\0\0\0DIVX"]),
            Is("video/ogg"),
        ),
        made("ogg, an index alone", stream(&[skeleton]), NotStored),
        made("ogg, an unknown codec", stream(&[b"whatever"]), NotStored),
        made(
            "ogg, Vorbis and an unknown codec",
            stream(&[vorbis, b"whatever"]),
            NotStored,
        ),
        made("ogg, a beginning alone", page(2, 1, vorbis), NotStored),
        made("ogg, not from its beginning", page(0, 1, vorbis), NotStored),
    ]
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 127);
    join(&[id, &[0x80 | content.len() as u8], content])
}

fn ebmls() -> Vec<Made> {
    let file = |header: &[u8]| {
        join(&[
            &element(&[0x1a, 0x45, 0xdf, 0xa3], header),
            &[0x18, 0x53, 0x80, 0x67, 0xff],
        ])
    };
    let doc_type = |name: &[u8]| element(&[0x42, 0x82], name);
    let version = element(&[0x42, 0x86], &[1]);
    let mut wide = vec![0x1a, 0x45, 0xdf, 0xa3, 0x01, 0, 0, 0, 0, 0, 0, 7];
    wide.extend(doc_type(b"webm"));
    vec![
        made(
            "webm",
            file(&join(&[&version, &doc_type(b"webm")])),
            Is("video/webm"),
        ),
        made("webm, lengths of eight bytes", wide, Is("video/webm")),
        made(
            "webm, padded",
            file(&doc_type(b"webm\0\0\0\0")),
            Is("video/webm"),
        ),
        made(
            "matroska",
            file(&join(&[&version, &doc_type(b"matroska")])),
            Is("video/x-matroska"),
        ),
        made(
            "matroska by default",
            file(&version),
            Is("video/x-matroska"),
        ),
        made(
            "matroska with a word in a void",
            file(&join(&[
                &element(&[0xec], b"B\x82\x84webm"),
                &doc_type(b"matroska"),
            ])),
            Is("video/x-matroska"),
        ),
        made(
            "ebml of another kind",
            file(&doc_type(b"webmail")),
            NotStored,
        ),
        made(
            "ebml, letters alone",
            b"\x1a\x45\xdf\xa3".to_vec(),
            NotStored,
        ),
    ]
}

/// A frame of MPEG-1 layer III: 32 kbit/s and 44.1 kHz, so 104 bytes.
pub(super) fn mp3_frame() -> Vec<u8> {
    join(&[&[0xff, 0xfb, 0x10, 0xc4], &[0; 100]])
}

/// An ID3v2 tag with so many bytes in it.
pub(super) fn id3(version: u8, bytes: u32) -> Vec<u8> {
    let size = [21, 14, 7, 0].map(|shift| (bytes >> shift & 0x7f) as u8);
    join(&[b"ID3", &[version, 0, 0], &size, &vec![0; bytes as usize]])
}

fn sounds() -> Vec<Made> {
    let frames = mp3_frame().repeat(2);
    // Layer II, 64 kbit/s and 48 kHz: 192 bytes. MPEG-2 layer III, 16 kbit/s and 22.05 kHz: 52 bytes.
    let layer_2 = join(&[&[0xff, 0xfd, 0x44, 0xc4], &[0; 188]]).repeat(2);
    let second_version = join(&[&[0xff, 0xf3, 0x20, 0xc4], &[0; 48]]).repeat(2);
    // An ADTS frame of 16 bytes: AAC LC, 44.1 kHz, two channels.
    let adts = join(&[&[0xff, 0xf1, 0x50, 0x80, 0x02, 0x1f, 0xfc], &[0; 9]]).repeat(2);
    let mut other_rate = frames.clone();
    other_rate[104 + 2] = 0x14;
    vec![
        made("mp3, two frames", frames.clone(), Is("audio/mpeg")),
        made(
            "mp3, tagged",
            join(&[&id3(3, 40), &frames]),
            Is("audio/mpeg"),
        ),
        made(
            "mp3, tagged 2.2",
            join(&[&id3(2, 0), &frames]),
            Is("audio/mpeg"),
        ),
        made(
            "mp3, tagged and padded",
            join(&[&id3(4, 10), &[0; 100], &frames]),
            Is("audio/mpeg"),
        ),
        made(
            "mp3, a picture longer than the head",
            join(&[&id3(4, 90_000), &frames]),
            Is("audio/mpeg"),
        ),
        made("mp3, second version", second_version, Is("audio/mpeg")),
        made("mp2", layer_2, Is("audio/mpeg")),
        made("mp3, one frame", mp3_frame(), NotStored),
        made(
            "mp3, a frame and rubbish",
            join(&[&mp3_frame(), &[7; 104]]),
            NotStored,
        ),
        made("mp3, a second frame of another rate", other_rate, NotStored),
        made("mp3, a tag alone", id3(4, 50), NotStored),
        made(
            "mp3, a tag and rubbish",
            join(&[&id3(4, 50), &[7; 300]]),
            NotStored,
        ),
        made("aac", adts.clone(), Is("audio/aac")),
        made("aac, tagged", join(&[&id3(4, 20), &adts]), Is("audio/aac")),
        made(
            "flac",
            join(&[b"fLaC\x80\0\0\x22", &[0; 34]]),
            Is("audio/flac"),
        ),
        made("flac, letters alone", b"fLaC".to_vec(), NotStored),
        made("amr", join(&[b"#!AMR\n\x3c", &[8; 31]]), Is("audio/amr")),
        made(
            "amr, wide",
            join(&[b"#!AMR-WB\n\x04", &[8; 17]]),
            Is("audio/amr"),
        ),
        made("amr, no frame", b"#!AMR\n\x3c\x08".to_vec(), NotStored),
        made(
            "midi",
            b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0\x04\0\xff\x2f\0".to_vec(),
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
