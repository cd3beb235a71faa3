//! Lists in real files.

#![allow(clippy::unwrap_used)]

use super::*;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn sha256(number: u64) -> [u8; 32] {
    Sha256::digest(number.to_le_bytes()).into()
}

fn hex(number: u64) -> String {
    const_hex::encode(sha256(number))
}

/// Lists of files with these texts, in a folder that lives as long as they do.
fn lists(texts: &[&str]) -> (TempDir, Result<BlockLists, ListError>) {
    let folder = TempDir::new().unwrap();
    let files = texts.iter().enumerate().map(|(at, text)| {
        let file = folder.path().join(format!("{at}.txt"));
        fs::write(&file, text).unwrap();
        file
    });
    let loaded = BlockLists::load(files.collect());
    (folder, loaded)
}

fn blocks(lists: &BlockLists, number: u64) -> bool {
    lists.is_blocked(&sha256(number), None, None)
}

#[test]
fn b7_lists_are_read_as_people_write_them() {
    let (md5, sha1) = (
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    );
    let text = format!(
        "\u{feff}sha256,source,note\r\n# a note\r\n\r\n{},police,\"a, b\"\r\n\"{}\";x\n{} *name.jpg\n\t{}\n{}\n{}\n",
        hex(1),
        hex(2),
        hex(3).to_uppercase(),
        hex(4),
        hex(4),
        hex(5),
    );
    let (_folder, read) = lists(&[&text, &format!("{md5}\n{sha1}"), ""]);
    let read = read.unwrap();
    assert_eq!(read.hashes(), 7);
    for number in 1..=5 {
        assert!(blocks(&read, number), "{number}");
    }
    assert!(!blocks(&read, 6));
    assert!(read.wants_md5() && read.wants_sha1());
    let mut known = ([0; 16], [0; 20]);
    const_hex::decode_to_slice(md5, &mut known.0).unwrap();
    const_hex::decode_to_slice(sha1, &mut known.1).unwrap();
    let none = sha256(9);
    assert!(read.is_blocked(&none, Some(&known.0), None));
    assert!(read.is_blocked(&none, None, Some(&known.1)));
    assert!(!read.is_blocked(&none, Some(&[0; 16]), Some(&[0; 20])));
}

#[test]
fn b7_other_hashes_are_asked_for_only_where_a_list_has_them() {
    let (_folder, read) = lists(&[&hex(1)]);
    let read = read.unwrap();
    assert!(!read.wants_md5() && !read.wants_sha1());
    let none = BlockLists::load(Vec::new()).unwrap();
    assert!(!blocks(&none, 1) && none.hashes() == 0);
}

#[test]
fn b7_a_bad_list_is_refused_with_its_place_and_without_what_stands_there() {
    let good = hex(1);
    for (text, place) in [
        (format!("{good}\n{}\n", &hex(2)[1..]), "line 2"),
        (format!("{good}\nsha256\n"), "line 2"),
        (format!("{good}\n\n{}z\n", &hex(2)[1..]), "line 3"),
        ("<html>\n".to_owned(), "line 1"),
        ("\0\u{1}\u{2}".to_owned(), "line 1"),
        (format!("{good},{}\n", "x".repeat(70 << 10)), "line 1"),
        (format!("{good}{}", hex(2)), "line 1"),
    ] {
        let (_folder, read) = lists(&[&good, &text]);
        let said = read.unwrap_err().to_string();
        assert!(said.contains(place) && said.contains("1.txt"), "{said}");
        assert!(!said.contains(&hex(2)[1..20]), "{said}");
    }
    let missing = BlockLists::load(vec!["/nowhere/list.txt".into()]);
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("/nowhere/list.txt")
    );
}

#[test]
fn b7_a_reload_is_whole_or_not_at_all() {
    let (folder, read) = lists(&[&hex(1), &hex(2)]);
    let read = read.unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("0.txt", &hex(3));
    write("1.txt", "rubbish");
    read.reload().unwrap_err();
    assert_eq!([1, 2, 3].map(|it| blocks(&read, it)), [true, true, false]);
    write("1.txt", &hex(2));
    assert!(read.reload().unwrap());
    assert_eq!([1, 2, 3].map(|it| blocks(&read, it)), [false, true, true]);
    assert!(!read.reload().unwrap());
    fs::remove_file(folder.path().join("0.txt")).unwrap();
    read.reload().unwrap_err();
    assert!(blocks(&read, 3));
    // A file that was cut off takes nothing from the lists; one that is empty on purpose says so.
    write("0.txt", "\n");
    let emptied = read.reload().unwrap_err().to_string();
    assert!(emptied.contains("0.txt") && emptied.contains("empty"));
    assert!(blocks(&read, 3));
    write("0.txt", "# none any more\n");
    assert!(read.reload().unwrap());
    assert!(!blocks(&read, 3) && blocks(&read, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_changed_files_are_read_without_a_restart() {
    let (folder, read) = lists(&[&hex(1)]);
    let read = Arc::new(read.unwrap());
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let every = Duration::from_millis(5);
    let looking = keep_looking(Arc::clone(&read), every, move |reloaded| {
        let _ = tell.send(reloaded.is_ok());
    });
    let looking = tokio::spawn(looking);
    let file = folder.path().join("0.txt");
    let write = |text: &str| fs::write(&file, text).unwrap();
    // What is as it was when it was read is not read again: the first that is told is the change.
    write("rubbish");
    assert_eq!(told.recv().await, Some(false));
    // What cannot be read at all is tried again, although it looks the same.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    for _ in 0..3 {
        assert_eq!(told.recv().await, Some(false));
    }
    fs::remove_dir(&file).unwrap();
    assert!(blocks(&read, 1));
    write(&format!("{}\n{}", hex(2), hex(3)));
    let begun = Instant::now();
    while !blocks(&read, 3) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it was not read");
        told.recv().await;
    }
    assert!(!blocks(&read, 1) && blocks(&read, 2));
    looking.abort();
}

/// 650 MB of text on the disk, so it is asked for by name; it prints what Linux says the process has taken at most.
#[test]
#[ignore = "a measurement: writes a list of ten million hashes"]
#[allow(clippy::print_stdout)]
fn b7_ten_million_hashes_take_less_than_400_mb() {
    use std::io::{BufWriter, Write as _};
    const HASHES: u64 = 10_000_000;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("long.txt");
    let mut writer = BufWriter::new(fs::File::create(&file).unwrap());
    for number in 0..HASHES {
        writeln!(writer, "{}", hex(number)).unwrap();
    }
    writer.into_inner().unwrap().sync_all().unwrap();
    let before = peak_bytes();
    let begun = Instant::now();
    let read = BlockLists::load(vec![file]).unwrap();
    let loaded = begun.elapsed();
    let peak = peak_bytes();
    let begun = Instant::now();
    let found = (0..2_000_000).filter(|it| blocks(&read, it * 7)).count();
    let each = begun.elapsed() / 2_000_000;
    println!(
        "{} hashes: peak RSS {} MB (before {} MB), loaded in {loaded:?}, {each:?} a look including SHA-256",
        read.hashes(),
        peak / 1_000_000,
        before / 1_000_000
    );
    assert_eq!((read.hashes(), found), (HASHES as usize, 1_428_572));
    assert!(peak < 400_000_000, "{peak}");
}

fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

#[test]
fn b7_a_list_that_cannot_be_read_is_told_with_what_the_system_says() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.txt");
    let error = BlockLists::load(vec![missing]).unwrap_err().to_string();
    assert!(
        error.contains("missing.txt") && error.contains("No such file"),
        "{error}"
    );
}
