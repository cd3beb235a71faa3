//! Shows that a log forgets in time, by a clock that is told, and harms nobody where it cannot be written.

#![allow(clippy::unwrap_used)]

use super::*;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use tempfile::TempDir;

const DAY_S: u64 = 86_400;
const LOOK_EVERY_S: u64 = 60;
/// 2030-01-01T00:00:00Z
const NOW_S: u64 = 1_893_456_000;

struct Ground {
    directory: TempDir,
}

impl Ground {
    fn new() -> Self {
        Ground {
            directory: TempDir::with_prefix("trellis-test-").unwrap(),
        }
    }

    fn keeping(&self, retention_s: u64) -> Keeping {
        Keeping {
            directory: self.directory.path().join("logs"),
            stem: "requests",
            retention_s,
            look_every_s: LOOK_EVERY_S,
            max_bytes: 1 << 30,
        }
    }

    fn log(&self, retention_s: u64, now_s: u64) -> LogFile {
        LogFile::open(self.keeping(retention_s), now_s).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let found = fs::read_dir(self.directory.path().join("logs")).unwrap();
        let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// All lines there are.
    fn lines(&self) -> Vec<String> {
        let logs = self.directory.path().join("logs");
        let texts = self.names().into_iter();
        let texts = texts.map(|name| fs::read_to_string(logs.join(name)).unwrap_or_default());
        let text: String = texts.collect();
        text.lines().map(str::to_owned).collect()
    }
}

/// The clock goes on by the minute, and a line comes every quarter of an hour.
#[test]
fn c30_no_request_is_kept_longer_than_24_hours() {
    let ground = Ground::new();
    let mut log = ground.log(DAY_S, NOW_S);
    for minute in 0..3 * 24 * 60 {
        let now_s = NOW_S + minute * 60;
        if minute % 15 == 0 {
            log.write(format!("{now_s}\n").as_bytes(), now_s);
        }
        log.tidy(now_s).unwrap();
        if minute % 97 == 0 {
            let lines = ground.lines();
            let oldest = lines.iter().map(|line| line.parse::<u64>().unwrap()).min();
            let oldest = oldest.unwrap_or(now_s);
            assert!(now_s < oldest + DAY_S, "{now_s}: {oldest} is there");
            // And not much sooner.
            let all = (now_s - NOW_S).min(DAY_S - 3_600) / 900;
            assert!(lines.len() as u64 >= all, "{now_s}: {}", lines.len());
            assert!(ground.names().len() <= 25);
        }
    }
    assert_eq!(log.take_lost(), 0);
}

#[test]
fn c30_old_files_are_removed_at_the_start_and_while_nothing_is_logged() {
    let ground = Ground::new();
    let mut log = ground.log(7 * DAY_S, NOW_S);
    log.write(b"first\n", NOW_S);
    let logs = ground.directory.path().join("logs");
    for foreign in [
        "errors-2020-01-01T00-00-00Z.jsonl",
        "requests-2020.jsonl",
        "requests-2020-01-01T00-00-00Z.jsonl.gz",
        "notes.txt",
    ] {
        fs::write(logs.join(foreign), "not ours\n").unwrap();
    }
    log.tidy(NOW_S + 7 * DAY_S - LOOK_EVERY_S - 1).unwrap();
    assert_eq!(ground.names().len(), 5);
    log.tidy(NOW_S + 7 * DAY_S - LOOK_EVERY_S).unwrap();
    assert_eq!(ground.names().len(), 4, "others' files stay");
    log.write(b"second\n", NOW_S + 8 * DAY_S);
    drop(log);
    let log = ground.log(7 * DAY_S, NOW_S + 20 * DAY_S);
    let lines = ground.lines();
    assert!(!lines.contains(&"second".to_owned()), "{lines:?}");
    drop(log);
}

#[test]
fn c30_a_restart_goes_on_with_the_file_that_is_there() {
    let ground = Ground::new();
    for second in 0..100 {
        let mut log = ground.log(DAY_S, NOW_S + second);
        log.write(format!("{second}\n").as_bytes(), NOW_S + second);
    }
    assert_eq!(ground.names(), ["requests-2030-01-01T00-00-00Z.jsonl"]);
    assert_eq!(ground.lines().len(), 100);
}

#[test]
fn c30_files_of_a_clock_that_was_wrong_do_not_stay() {
    let ground = Ground::new();
    let mut log = ground.log(DAY_S, NOW_S + 365 * DAY_S);
    log.write(b"from the future\n", NOW_S + 365 * DAY_S);
    log.write(b"now\n", NOW_S);
    log.tidy(NOW_S).unwrap();
    assert_eq!(ground.lines(), ["now"]);
}

/// Files begin at any second, and between two looks nothing is removed.
#[test]
fn c30_no_line_outlives_the_retention_between_two_looks() {
    let ground = Ground::new();
    let mut log = ground.log(DAY_S, NOW_S + 13);
    for second in (13..2 * DAY_S).step_by(7 * 60) {
        log.write(format!("{}\n", NOW_S + second).as_bytes(), NOW_S + second);
    }
    for look in 0..DAY_S / LOOK_EVERY_S {
        let now_s = NOW_S + 2 * DAY_S + 37 + look * LOOK_EVERY_S;
        log.tidy(now_s).unwrap();
        let lines = ground.lines();
        let oldest = lines.iter().map(|line| line.parse::<u64>().unwrap()).min();
        let next_s = now_s + LOOK_EVERY_S;
        assert!(oldest.is_none_or(|oldest| next_s < oldest + DAY_S + 1));
    }
}

#[test]
fn c30_no_file_is_named_ahead_after_a_clock_stepped_back() {
    let ground = Ground::new();
    let mut log = ground.log(DAY_S, NOW_S);
    log.write(b"ahead\n", NOW_S);
    let back_s = NOW_S - log.keeping.period_s() / 2;
    for second in 0..3 {
        log.write(b"now\n", back_s + second);
    }
    assert_eq!(ground.names(), ["requests-2029-12-31T23-30-00Z.jsonl"]);
    assert_eq!(ground.lines(), ["now"; 3]);
    assert_eq!(log.open.as_ref().unwrap().start_s, back_s);
}

#[test]
fn c30_logs_are_bounded_in_bytes_too() {
    let ground = Ground::new();
    let keeping = Keeping {
        max_bytes: 24_000,
        ..ground.keeping(DAY_S)
    };
    let mut log = LogFile::open(keeping, NOW_S).unwrap();
    let line = [b"x".repeat(99), b"\n".to_vec()].concat();
    for second in 0..3_000 {
        log.write(&line, NOW_S + second);
        if second % 60 == 0 {
            log.tidy(NOW_S + second).unwrap();
            let bytes = ground.lines().len() * line.len();
            assert!(bytes <= 25_000 + 60 * line.len(), "{bytes}");
        }
    }
    assert!(ground.lines().len() > 200);
}

#[test]
fn c30_only_the_relays_user_reads_the_logs() {
    let ground = Ground::new();
    let mut log = ground.log(DAY_S, NOW_S);
    log.write(b"line\n", NOW_S);
    let logs = ground.directory.path().join("logs");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&logs), 0o700);
    assert_eq!(mode(&logs.join(&ground.names()[0])), 0o600);
}

#[test]
fn c30_a_file_that_somebody_moved_away_is_followed_by_another() {
    let ground = Ground::new();
    let mut log = ground.log(DAY_S, NOW_S);
    log.write(b"one\n", NOW_S);
    let logs = ground.directory.path().join("logs");
    let name = ground.names().remove(0);
    fs::rename(logs.join(&name), logs.join("requests.1")).unwrap();
    log.tidy(NOW_S + 60).unwrap();
    log.write(b"two\n", NOW_S + 60);
    assert_eq!(ground.lines(), ["two", "one"]);
}

#[test]
fn c30_a_full_disk_loses_lines_and_nothing_else() {
    let ground = Ground::new();
    let keeping = ground.keeping(DAY_S);
    fs::create_dir(&keeping.directory).unwrap();
    let path = keeping.path(NOW_S);
    // Whoever writes there is told that no space is left.
    symlink("/dev/full", &path).unwrap();
    let mut log = LogFile::open(keeping, NOW_S).unwrap();
    log.write(b"lost\n", NOW_S);
    log.write(b"lost, too\n", NOW_S + 1);
    assert_eq!((log.take_lost(), log.take_lost()), (2, 0));
    fs::remove_file(&path).unwrap();
    log.write(b"there is room\n", NOW_S + 2);
    assert_eq!(ground.lines(), ["there is room"]);
    fs::remove_dir_all(ground.directory.path().join("logs")).unwrap();
    log.write(b"lost\n", NOW_S + 2 * DAY_S);
    assert!(log.tidy(NOW_S + 2 * DAY_S).is_err());
    assert_eq!(log.take_lost(), 1);
}

#[test]
fn c30_a_directory_that_cannot_be_is_told_at_the_start() {
    let ground = Ground::new();
    let keeping = ground.keeping(DAY_S);
    fs::write(&keeping.directory, "a file").unwrap();
    assert!(LogFile::open(keeping, NOW_S).is_err());
}
