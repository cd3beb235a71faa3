//! What is refused by how it begins: programs, scripts, archives, office documents, pages.
//!
//! Signatures of two bytes are not enough, since of 65,536 files of ciphertext one would be refused: each is looked at
//! closely enough that none is.

use super::Forbidden;
use super::markup;
use super::numbers::{array, has, u16_le, u32_be, u32_le};

/// What a system or a virtual machine runs, by signatures that nothing else has.
const EXECUTABLES: [&[u8]; 8] = [
    b"\x7fELF",
    b"\0asm\x01\0\0\0",
    b"dex\n03",
    b"dey\n03",
    b"BC\xc0\xde",
    b"\x1bLua",
    b"FasdUAS ",
    // A link of Windows, which runs what it leads to.
    b"\x4c\0\0\0\x01\x14\x02\0",
];
/// Archives, compressed files, packages, images of disks.
const ARCHIVES: [&[u8]; 31] = [
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x07\x08",
    b"PK00PK\x03\x04",
    b"Rar!\x1a\x07",
    b"RE\x7e\x5e",
    b"7z\xbc\xaf\x27\x1c",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"\x02\x21\x4c\x18",
    b"LZIP\x01",
    b"\x89LZO\0\r\n\x1a\n",
    b"BZ3v1",
    b"MSCF\0\0\0\0",
    b"ISc(",
    b"!<arch>\n",
    b"!<thin>\n",
    b"070701",
    b"070702",
    b"070707",
    b"xar!\0\x1c",
    b"hsqs",
    b"sqsh",
    b"Cr24",
    b"\xed\xab\xee\xdb",
    b"QFI\xfb",
    b"KDMV",
    b"vhdxfile",
    b"conectix",
];
/// Where ISO 9660 and UDF say what they are.
const DISK_SECTORS: [usize; 3] = [0x8000, 0x8800, 0x9000];

pub(super) fn at_head(head: &[u8]) -> Option<Forbidden> {
    let begins_with = |all: &[&[u8]]| all.iter().any(|it| head.starts_with(it));
    match () {
        () if is_program(head) || begins_with(&EXECUTABLES) => Some(Forbidden::Executable),
        () if begins_with(&ARCHIVES) || is_compressed(head) => Some(Forbidden::Archive),
        () if is_tar(head) || is_old_archive(head) => Some(Forbidden::Archive),
        () if is_disk(head) => Some(Forbidden::HiddenArchive),
        () if is_document(head) => Some(Forbidden::Document),
        () if is_script(head) => Some(Forbidden::Script),
        () if markup::is_markup(head) => Some(Forbidden::Markup),
        () => None,
    }
}

/// DOS and Windows, Mach-O, Java, Flash.
fn is_program(head: &[u8]) -> bool {
    is_dos(head) || is_mach_o(head) || is_java_or_fat(head) || is_flash(head)
}

/// `MZ`, and either a newer header where it points, or sizes that a program of DOS can have.
fn is_dos(head: &[u8]) -> bool {
    if !head.starts_with(b"MZ") && !head.starts_with(b"ZM") {
        return false;
    }
    let newer = u32_le(head, 0x3c).and_then(|at| array::<2>(head, usize::try_from(at).ok()?));
    if matches!(newer.as_ref(), Some(b"PE" | b"NE" | b"LE" | b"LX")) {
        return true;
    }
    let (Some(last), Some(pages), Some(relocations), Some(header)) = (
        u16_le(head, 2),
        u16_le(head, 4),
        u16_le(head, 6),
        u16_le(head, 8),
    ) else {
        // Too short to be a program, and too short to be anything else.
        return true;
    };
    let header_bytes = u32::from(header) * 16;
    let table = u16_le(head, 0x18).map_or(0, u32::from);
    last <= 512
        && pages != 0
        && header >= 2
        && header_bytes <= u32::from(pages) * 512
        && (relocations == 0 || table + u32::from(relocations) * 4 <= header_bytes)
}

fn is_mach_o(head: &[u8]) -> bool {
    let kind = match head.get(..4) {
        Some([0xce | 0xcf, 0xfa, 0xed, 0xfe]) => u32_le(head, 12),
        Some([0xfe, 0xed, 0xfa, 0xce | 0xcf]) => u32_be(head, 12),
        _ => return false,
    };
    // Cut short it is one all the same.
    kind.is_none_or(|kind| (1..=15).contains(&kind))
}

/// Java's classes and Mach-O for several machines, which begin alike, and Java's packed ones.
fn is_java_or_fat(head: &[u8]) -> bool {
    head.starts_with(&[0xca, 0xfe, 0xba, 0xbe])
        || head.starts_with(&[0xca, 0xfe, 0xba, 0xbf])
        || head.starts_with(&[0xca, 0xfe, 0xd0, 0x0d])
}

fn is_flash(head: &[u8]) -> bool {
    matches!(
        head.get(..4),
        Some([b'F' | b'C' | b'Z', b'W', b'S', 1..=60])
    ) && u32_le(head, 4).is_some_and(|length| length >= 12)
}

/// gzip, bzip2, compress, zstd behind what it skips, LZMA, zlib's own file.
fn is_compressed(head: &[u8]) -> bool {
    let is_gzip = head.starts_with(&[0x1f, 0x8b, 8]) && head.get(3).is_none_or(|it| it & 0xe0 == 0);
    let is_bzip2 = matches!(head.get(..4), Some([b'B', b'Z', b'h', b'1'..=b'9']))
        && [&b"1AY&SY"[..], b"\x17\x72\x45\x38\x50\x90"]
            .iter()
            .any(|it| {
                let rest = head.get(4..10);
                rest.is_none_or(|rest| rest == *it)
            });
    let is_compress = matches!(head.get(..3), Some([0x1f, 0x9d, 0x89..=0x90]));
    let is_skipped = matches!(head.get(..4), Some([0x50..=0x5f, 0x2a, 0x4d, 0x18]));
    // Properties, a dictionary of a power of two, and a length that is not known or below 2^40.
    let is_lzma = head.starts_with(&[0x5d, 0, 0])
        && (has(head, 5, &[0xff; 8]) || has(head, 10, &[0; 3]))
        && u32_le(head, 1).is_some_and(u32::is_power_of_two);
    is_gzip || is_bzip2 || is_compress || is_skipped || is_lzma
}

/// By the sum over the first header, which all kinds of tar have; so a name may say anything.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<512>() else {
        return has(head, 257, b"ustar");
    };
    if has(head, 257, b"ustar") {
        return true;
    }
    let (sum, rest) = header[148..156].split_at(7);
    let digits = sum.iter().filter(|it| !matches!(it, b' ' | 0));
    let Some(written) = digits
        .copied()
        .try_fold(0_u32, |number, digit| match digit {
            b'0'..=b'7' => Some(number << 3 | u32::from(digit - b'0')),
            _ => None,
        })
    else {
        return false;
    };
    let bytes = header.iter().enumerate();
    let summed: u32 = bytes
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                u32::from(b' ')
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    matches!(rest, [b' ' | 0]) && header[0] != 0 && written == summed
}

/// A file system of a CD, which may have anything before it.
fn is_disk(head: &[u8]) -> bool {
    DISK_SECTORS.iter().any(|at| {
        let word = head.get(at + 1..at + 6);
        matches!(word, Some(b"CD001" | b"BEA01" | b"NSR02" | b"NSR03"))
    })
}

/// LHA, ARJ, ACE, ZOO.
fn is_old_archive(head: &[u8]) -> bool {
    let is_lha = matches!(
        head.get(2..7),
        Some([
            b'-',
            b'l',
            b'h' | b'z',
            b'0'..=b'9' | b'd' | b's' | b'x',
            b'-'
        ])
    );
    let is_arj = head.starts_with(&[0x60, 0xea])
        && u16_le(head, 2).is_some_and(|length| (30..=2600).contains(&length))
        && matches!(head.get(4), Some(30..=60))
        && matches!(head.get(10), Some(2));
    is_lha || is_arj || has(head, 7, b"**ACE**") || has(head, 20, b"\xdc\xa7\xc4\xfd")
}

/// OLE (Word, Excel, installers of Windows), RTF, PostScript, compiled help.
fn is_document(head: &[u8]) -> bool {
    head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
        || head.starts_with(b"{\\rtf")
        || head.starts_with(b"%!PS")
        || head.starts_with(b"\xc5\xd0\xd3\xc6")
        || head.starts_with(b"ITSF\x03\0\0\0")
}

/// The name of a program in a first line of text.
fn is_script(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let Some(line) = head.strip_prefix(b"#!") else {
        return false;
    };
    let line = &line[..line.len().min(256)];
    let end = line.iter().position(|it| matches!(it, b'\n' | b'\r'));
    let line = &line[..end.unwrap_or(line.len())];
    // Two formats of speech begin so as well.
    let is_sound = line.starts_with(b"AMR") || line.starts_with(b"SILK");
    let line = line.trim_ascii();
    !is_sound && line.iter().all(|it| matches!(it, b'\t' | b' '..=b'~'))
}
