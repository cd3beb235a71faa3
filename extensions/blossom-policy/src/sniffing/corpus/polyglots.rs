//! Two files in one: what is refused, and what is what it looks like.

use super::Expected::{Is, Refused};
use super::forbidden::{cab, rar_4, rar_5, seven_zip, tar, zip, zip_64, zip_end};
use super::handmade::{Made, gif, id3, join, jpeg, jpeg_segment, mp3_frame};
use super::written::WRITTEN;
use crate::config::MIME_TYPES;
use crate::sniffing::Forbidden::{Archive, HiddenArchive};

/// All of them.
pub(super) fn all() -> Vec<Made> {
    let mut all = Vec::new();
    for mime_type in MIME_TYPES {
        let of_type = WRITTEN
            .iter()
            .find(|(.., expected)| *expected == Is(mime_type));
        let (_, media, _) = of_type.expect("a file of each type");
        for (name, archive) in glued() {
            let bytes = join(&[media, &archive]);
            all.push((
                format!("{mime_type} and {name}"),
                bytes,
                Refused(HiddenArchive),
            ));
        }
        all.push((
            format!("{mime_type} and rubbish"),
            join(&[media, &[0x55; 700]]),
            Is(mime_type),
        ));
    }
    all.extend(inside());
    all.extend(harmless());
    all
}

/// Archives that programs open although something stands before them.
fn glued() -> Vec<(&'static str, Vec<u8>)> {
    let mut disk = vec![0; 512];
    let list = b"PK\x01\x02".repeat(20_000);
    disk[..12].copy_from_slice(b"koly\0\0\0\x04\0\0\x02\0");
    vec![
        ("zip", zip(b"")),
        ("zip with a comment", zip(b"hello")),
        ("zip with the longest comment", zip(&[b'x'; 65_535])),
        ("zip and rubbish", join(&[&zip(b""), &[0xaa; 1000]])),
        (
            "zip and more rubbish than is looked at",
            join(&[&zip(b""), &[0xaa; 70_000]]),
        ),
        ("zip that lies about its list's length", lying_zip(0, 31)),
        ("zip that lies about its list's place", lying_zip(63, 7)),
        ("zip on another disk", other_disk_zip()),
        ("empty zip", zip_end(0, 0, 0, b"")),
        (
            "zip with a list longer than what is looked at",
            join(&[&list, &zip_end(20_000, list.len() as u32, 0, b"")]),
        ),
        ("zip of 64 bits", zip_64()),
        ("rar 4", rar_4()),
        ("rar 5", rar_5()),
        ("7z", seven_zip()),
        ("rar and rubbish", join(&[&rar_5(), &[0xaa; 5000]])),
        ("cab", cab()),
        ("a disk of macOS", disk),
    ]
}

/// A ZIP that is read by programs that do not believe its end.
fn lying_zip(list_bytes: u32, list_at: u32) -> Vec<u8> {
    let right = zip(b"");
    let end = right.len() - 22;
    join(&[&right[..end], &zip_end(1, list_bytes, list_at, b"")])
}

fn other_disk_zip() -> Vec<u8> {
    let mut bytes = zip(b"");
    let end = bytes.len() - 22;
    bytes[end + 4..end + 10].copy_from_slice(&[1, 0, 2, 0, 9, 0]);
    bytes
}

/// Archives that begin as something else, or stand within it.
fn inside() -> Vec<Made> {
    let hidden = Refused(HiddenArchive);
    let mut disk = gif(&[b' '; 100]);
    disk.resize(0x8001, 0);
    disk.extend(b"CD001\x01\0");
    let comment = jpeg(&[jpeg_segment(0xfe, &seven_zip())]);
    let tag = join(&[&id3(4, 500), &mp3_frame().repeat(3), &zip(b"")]);
    vec![
        (
            "a tar whose first file is called a picture".to_owned(),
            tar("GIF89a", true),
            Refused(Archive),
        ),
        (
            "a tar whose first file is called a PDF".to_owned(),
            tar("%PDF-1.4\n", true),
            Refused(Archive),
        ),
        (
            "a picture with a file system behind it".to_owned(),
            disk,
            hidden,
        ),
        (
            "a picture with an archive in a comment".to_owned(),
            comment,
            hidden,
        ),
        ("sound with a tag and a zip".to_owned(), tag, hidden),
        (
            "a picture in a zip's comment".to_owned(),
            zip(&jpeg(&[])),
            Refused(Archive),
        ),
    ]
}

/// What would be something else to those who look for it, and is given with its own type, `nosniff` and in a sandbox.
fn harmless() -> Vec<Made> {
    let page: &[u8] = b"<!DOCTYPE html><script>alert(1)</script>";
    let program = join(&[b"MZ\x90\0", &[0; 60], b"PE\0\0"]);
    let picture = |name: &str, bytes: Vec<u8>| (name.to_owned(), bytes, Is("image/jpeg"));
    vec![
        picture("a page in a comment", jpeg(&[jpeg_segment(0xfe, page)])),
        picture("a page behind a picture", join(&[&jpeg(&[]), page])),
        picture(
            "PHP in a comment",
            jpeg(&[jpeg_segment(0xfe, b"<?php system($_GET[0]); ?>")]),
        ),
        picture("a program behind a picture", join(&[&jpeg(&[]), &program])),
        picture("a PDF behind a picture", join(&[&jpeg(&[]), b"%PDF-1.4\n"])),
        picture(
            "letters of an archive that is none",
            join(&[&jpeg(&[]), b"PK\x05\x06 Rar! 7z\xbc\xaf PK\x03\x04 MSCF"]),
        ),
        (
            "a script in a picture's size".to_owned(),
            gif(b"*/=alert(1)//"),
            Is("image/gif"),
        ),
    ]
}

#[test]
fn b4_archives_are_found_wherever_they_stand_and_however_the_file_comes() {
    use crate::sniffing::ArchiveScan;
    // Beyond what a look at the head and the tail sees.
    let noise: Vec<u8> = (0..300_000_u32)
        .map(|it| (it.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for (name, archive) in [
        ("rar 4", rar_4()),
        ("rar 5", rar_5()),
        ("7z", seven_zip()),
        ("cab", cab()),
    ] {
        let file = join(&[&jpeg(&[]), &noise, &archive, &noise]);
        for part_bytes in [1, 2, 3, 5, 7, 8, 9, 64, 4096, 262_144, file.len()] {
            let mut scan = ArchiveScan::default();
            let mut clean = ArchiveScan::default();
            for part in file.chunks(part_bytes) {
                scan.feed(part);
            }
            for part in noise.chunks(part_bytes) {
                clean.feed(part);
            }
            assert_eq!(
                scan.found(),
                Some(HiddenArchive),
                "{name} in parts of {part_bytes}"
            );
            assert_eq!(clean.found(), None, "parts of {part_bytes}");
        }
    }
    // And none where it ends before it is one.
    for archive in [rar_4(), seven_zip(), cab()] {
        let mut scan = ArchiveScan::default();
        scan.feed(&archive[..6]);
        assert_eq!(scan.found(), None);
    }
}
