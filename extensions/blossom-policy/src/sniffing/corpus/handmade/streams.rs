//! Boxes, Ogg, EBML and sound without a container, by their specifications.

use super::super::Expected::{Is, NotStored};
use super::{Made, join, made};

/// All of them.
pub(super) fn all() -> Vec<Made> {
    let mut all = boxes();
    all.extend(oggs());
    all.extend(ebmls());
    all.extend(sounds());
    all
}

/// A file of boxes with these brands.
fn branded(major: &[u8; 4], others: &[&[u8; 4]]) -> Vec<u8> {
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
fn page(flags: u8, stream: u32, packet: &[u8]) -> Vec<u8> {
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
pub(in super::super) fn mp3_frame() -> Vec<u8> {
    join(&[&[0xff, 0xfb, 0x10, 0xc4], &[0; 100]])
}

/// An ID3v2 tag with so many bytes in it.
pub(in super::super) fn id3(version: u8, bytes: u32) -> Vec<u8> {
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
