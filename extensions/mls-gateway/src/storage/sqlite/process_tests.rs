//! Several processes on one file, one of which is killed.
//!
//! A process that writes is this test's program again, told by its environment to be one.

#![allow(clippy::unwrap_used)]

use super::SqliteStorage;
use crate::roster::{Role, Roster};
use crate::storage::{PutRoster, Storage};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use trellis_relay::event::PublicKey;

const NAME: &str =
    "storage::sqlite::process_tests::m28_a_killed_process_leaves_the_others_a_whole_file";
/// Name and database of a process that writes, one after the other.
const WRITER: &str = "TRELLIS_TEST_WRITER";

/// Writes rosters until somebody ends it: one of a new group, and its turn into the group of all. Says each that is
/// written on a line.
async fn write(name: &str, url: &str) {
    let storage = SqliteStorage::open(&url.into(), 1).await.unwrap();
    let own = PublicKey::from_byte_array([7; 32]);
    for turn in 0.. {
        let group_id = format!("{name}-{turn}");
        let roster = Roster::of_owner(own);
        let put = storage.put_roster(&group_id, &roster, None, turn).await;
        assert!(matches!(put.unwrap(), PutRoster::Written(_)));
        loop {
            let there = storage.rosters(&["all".to_owned()]).await.unwrap().pop();
            let revision = there.as_ref().map(|(_, it)| it.revision);
            let mut roster = there.map_or(Roster::of_owner(own), |(_, it)| it.roster);
            let mut member = [0; 32];
            member[..8].copy_from_slice(&roster.seq.to_be_bytes());
            let member = PublicKey::from_byte_array(member);
            roster.members.insert(member, Role::Member);
            roster.seq += 1;
            let put = storage.put_roster("all", &roster, revision, turn).await;
            if put.unwrap() != PutRoster::Conflict {
                break;
            }
        }
        // Past the capture of output.
        let line = format!("wrote {group_id}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
        std::io::stdout().flush().unwrap();
    }
}

struct Writer {
    process: Child,
    lines: BufReader<ChildStdout>,
    written: Vec<String>,
}

impl Writer {
    fn start(name: &str, url: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(WRITER, format!("{name} {url}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Writer {
            process,
            lines,
            written: Vec::new(),
        }
    }

    /// Takes what it says, so many times.
    fn follow(&mut self, turns: usize) {
        let wanted = self.written.len() + turns;
        let mut line = String::new();
        while self.written.len() < wanted {
            line.clear();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "it ended");
            let written = line.trim().split_once("wrote ");
            self.written.extend(written.map(|(_, id)| id.to_owned()));
        }
    }

    /// Kills it, and says what it had written until then.
    fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        for line in self.lines.lines() {
            let line = line.unwrap();
            let written = line.strip_prefix("wrote ");
            self.written.extend(written.map(str::to_owned));
        }
        self.written
    }
}

#[tokio::test]
async fn m28_a_killed_process_leaves_the_others_a_whole_file() {
    if let Ok(writer) = std::env::var(WRITER) {
        let (name, url) = writer.split_once(' ').unwrap();
        return write(name, url).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("mls.db").display());
    let mut lasting = Writer::start("lasting", &url);
    let mut written = Vec::new();
    for round in 0..5 {
        let mut killed = Writer::start(&format!("killed{round}"), &url);
        killed.follow(3 + round);
        written.extend(killed.kill());
        lasting.follow(3);
    }
    written.extend(lasting.kill());
    assert!(written.len() >= 40);

    let storage = SqliteStorage::open(&url.as_str().into(), 1).await.unwrap();
    let found = storage.rosters(&written).await.unwrap();
    assert_eq!(found.len(), written.len(), "what was told is there");
    let (_, all) = storage
        .rosters(&["all".to_owned()])
        .await
        .unwrap()
        .pop()
        .unwrap();
    let turns = all.roster.seq as usize;
    assert_eq!(all.roster.members.len(), turns + 1, "no turn was lost");
    // Each killed process may have taken a turn that it did not live to tell.
    assert!((written.len()..=written.len() + 6).contains(&turns));
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&storage.readers)
        .await
        .unwrap();
    assert_eq!(sound, "ok");
}
