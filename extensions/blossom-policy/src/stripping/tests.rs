//! Pictures with all kinds of things in them, and what is left.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::sniffing::{Sniffed, sniff};

macro_rules! written {
    ($name:literal) => {
        include_bytes!(concat!("../sniffing/corpus/written/", $name))
    };
}

/// Pictures by several programs, of all types, with and without metadata.
const PICTURES: [(&str, &[u8]); 24] = [
    ("image/jpeg", written!("pillow_baseline.jpg")),
    ("image/jpeg", written!("pillow_progressive.jpg")),
    ("image/jpeg", written!("pillow_grey.jpg")),
    ("image/jpeg", written!("pillow_cmyk.jpg")),
    ("image/jpeg", written!("pillow_exif.jpg")),
    ("image/jpeg", written!("opencv.jpg")),
    ("image/jpeg", written!("opencv_progressive.jpg")),
    ("image/jpeg", written!("ffmpeg.jpg")),
    ("image/png", written!("pillow.png")),
    ("image/png", written!("pillow_palette.png")),
    ("image/png", written!("pillow_text.png")),
    ("image/png", written!("pillow_apng.png")),
    ("image/png", written!("opencv.png")),
    ("image/png", written!("matplotlib.png")),
    ("image/png", written!("ffmpeg.apng")),
    ("image/gif", written!("pillow.gif")),
    ("image/gif", written!("pillow_animated.gif")),
    ("image/gif", written!("ffmpeg.gif")),
    ("image/gif", written!("opencv.gif")),
    ("image/webp", written!("pillow.webp")),
    ("image/webp", written!("pillow_lossless.webp")),
    ("image/webp", written!("pillow_exif.webp")),
    ("image/webp", written!("pillow_animated.webp")),
    ("image/webp", written!("ffmpeg.webp")),
];

fn stripped(mime_type: &str, picture: &[u8]) -> Vec<u8> {
    strip(mime_type, Bytes::copy_from_slice(picture))
        .unwrap()
        .to_vec()
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|it| it == word)
}

#[test]
fn b12_what_is_stripped_is_still_that_picture() {
    for (at, (mime_type, picture)) in PICTURES.into_iter().enumerate() {
        let once = stripped(mime_type, picture);
        let sniffed = sniff(&once, &once, once.len() as u64);
        assert_eq!(sniffed, Sniffed::Media(mime_type), "{at}");
        assert!(once.len() <= picture.len() + 40, "{at}");
        assert_eq!(
            stripped(mime_type, &once),
            once,
            "{at}: not the same a second time"
        );
        // Whatever stands behind it goes.
        let glued = [picture, b"and more \xff\xd8 that is hidden"].concat();
        assert_eq!(stripped(mime_type, &glued), once, "{at}");
    }
}

#[test]
fn b12_words_and_places_are_gone() {
    let secrets: [&[u8]; 8] = [
        b"a place",
        b"a comment",
        b"somebody",
        b"xmp",
        b"tEXt",
        b"Software",
        b"script",
        b"matplotlib",
    ];
    for (at, (mime_type, picture)) in PICTURES.into_iter().enumerate() {
        let kept = stripped(mime_type, picture);
        for secret in secrets {
            assert!(
                !holds(&kept, secret),
                "{at}: {}",
                String::from_utf8_lossy(secret)
            );
        }
    }
    // They were there.
    for (word, picture) in [
        (&b"a place"[..], &written!("pillow_exif.jpg")[..]),
        (b"a comment", written!("pillow_exif.jpg")),
        (b"somebody", written!("pillow_text.png")),
        (b"a place", written!("pillow_exif.webp")),
        (b"script", written!("pillow_animated.gif")),
        (b"Software", written!("matplotlib.png")),
    ] {
        assert!(holds(picture, word), "{}", String::from_utf8_lossy(word));
    }
}

#[test]
fn b12_a_picture_that_lies_on_its_side_is_still_shown_upright() {
    let turned =
        orientation::alone(b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
            .unwrap();
    for (mime_type, picture) in [
        ("image/jpeg", &written!("pillow_exif.jpg")[..]),
        ("image/webp", written!("pillow_exif.webp")),
        ("image/png", written!("pillow_text.png")),
    ] {
        assert!(holds(&stripped(mime_type, picture), &turned), "{mime_type}");
    }
    let little = b"II\x2a\0\x08\0\0\0\x02\0\x0e\x01\x02\0\x01\0\0\0x\0\0\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
    assert_eq!(orientation::alone(little).unwrap(), turned);
    let upright = little.iter().map(|it| if *it == 6 { 1 } else { *it });
    assert_eq!(orientation::alone(&upright.collect::<Vec<_>>()), None);
    for length in 0..little.len() {
        orientation::alone(&little[..length]);
    }
}

#[test]
fn b12_between_the_scans_of_a_jpeg_nothing_hides() {
    let picture = written!("pillow_progressive.jpg");
    let scan = picture
        .windows(2)
        .rposition(|two| two == [0xff, 0xda])
        .unwrap();
    let mut hidden = picture.to_vec();
    hidden.splice(
        scan..scan,
        *b"\xff\xfe\x00\x0da secret to\xff\xe1\x00\x06more",
    );
    let kept = stripped("image/jpeg", &hidden);
    assert_eq!(kept, stripped("image/jpeg", picture));
}

#[test]
fn b12_a_small_picture_within_a_large_one_goes() {
    let picture = written!("opencv.jpg");
    assert_eq!(&picture[6..11], b"JFIF\0");
    let mut with_small = picture.to_vec();
    // One pixel, behind the numbers that tell of it.
    with_small[18..20].copy_from_slice(&[1, 1]);
    with_small[4..6].copy_from_slice(&19_u16.to_be_bytes());
    with_small.splice(20..20, *b"\x01\x02\x03");
    assert_eq!(
        stripped("image/jpeg", &with_small),
        stripped("image/jpeg", picture)
    );
}

/// How a picture ends that was cut off: its own end, and with GIF that of the data before it.
fn end_of(mime_type: &str) -> &'static [u8] {
    match mime_type {
        "image/jpeg" => b"\xff\xd9",
        "image/png" => b"\0\0\0\0IEND\xae\x42\x60\x82",
        "image/gif" => b"\0\x3b",
        _ => b"",
    }
}

#[test]
fn b12_a_picture_that_was_cut_off_is_kept_as_far_as_it_goes() {
    for (at, (mime_type, picture)) in PICTURES.into_iter().enumerate() {
        let whole = stripped(mime_type, picture);
        let end = end_of(mime_type);
        let mut is_kept = true;
        for length in (0..picture.len()).rev() {
            let cut = strip(mime_type, Bytes::copy_from_slice(&picture[..length]));
            let Ok(kept) = cut else {
                is_kept = false;
                continue;
            };
            assert!(is_kept, "{at}, {length}: more of it was refused");
            let beginning = kept.strip_suffix(end).unwrap();
            assert!(whole.starts_with(beginning), "{at}, {length}");
            let sniffed = sniff(&kept, &kept, kept.len() as u64);
            assert_eq!(sniffed, Sniffed::Media(mime_type), "{at}, {length}");
            assert_eq!(stripped(mime_type, &kept), kept, "{at}, {length}");
        }
        // Without its last bytes nothing of it is lost. WebP needs all but its padding.
        let missing = match mime_type {
            "image/webp" => continue,
            "image/gif" => 1,
            _ => end.len(),
        };
        for missing in 1..=missing {
            let cut = &picture[..picture.len() - missing];
            assert_eq!(stripped(mime_type, cut), whole, "{at}, {missing}");
        }
    }
}

#[test]
fn b12_what_stands_where_the_end_should_be_is_no_end() {
    let gif = written!("pillow_animated.gif");
    let png = written!("pillow.png");
    let jpeg = written!("pillow_progressive.jpg");
    let without = |picture: &[u8], end: usize| picture[..picture.len() - end].to_vec();
    for (mime_type, cut) in [
        ("image/gif", without(gif, 1)),
        ("image/png", without(png, 12)),
    ] {
        for behind in [&b"<script>alert(1)</script>"[..], b"PK\x03\x04"] {
            let kept = strip(mime_type, [&cut[..], behind].concat().into());
            // It is broken, or goes.
            assert!(kept.is_err() || kept.is_ok_and(|it| !holds(&it, behind)));
        }
    }
    // A second picture, and a segment that is none.
    for behind in [&jpeg[..], b"\xff\xc4\x00\x01"] {
        let kept = strip("image/jpeg", [&without(jpeg, 2), behind].concat().into());
        assert_eq!(kept, Err(StrippingError::Broken));
    }
}

#[test]
fn b12_broken_pictures_are_refused_and_others_are_none() {
    for (at, (mime_type, _)) in PICTURES.into_iter().enumerate() {
        let rubbish = strip(mime_type, Bytes::from_static(&[0xff; 500]));
        assert_eq!(rubbish, Err(StrippingError::Broken), "{at}");
    }
    let pdf = strip("application/pdf", Bytes::from_static(b"%PDF-1.4\n"));
    assert_eq!(pdf, Err(StrippingError::NoPicture));
}
