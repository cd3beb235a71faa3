//! C20, H1: a process killed while it commits loses nothing that it had answered for.

use crate::draft::{Draft, deletion_of};
use crate::subject::{NOW, small_options};
use rand::Rng;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use trellis_relay::event::{Event, EventId};
use trellis_relay::store::lmdb::LmdbStore;
use trellis_relay::store::{NoPolicy, Outcome, Store, StoreError, Write};

const DIRECTORY: &str = "TEST_STORE_DIRECTORY";
const ROUNDS: usize = 5;

/// Not a test of its own: what the child process runs until it is killed.
#[test]
#[ignore = "run by the crash tests as a child process"]
fn child_commits_until_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let store = LmdbStore::open(directory, small_options()).unwrap();
    let mut random = rand::rng();
    let mut short_lived: Vec<Arc<Event>> = Vec::new();
    loop {
        let batch: Vec<Write> = (0..random.random_range(1..40))
            .map(|_| Write::Put(next_event(&mut random, &mut short_lived)))
            .collect();
        let outcomes = store.commit(&batch, &NoPolicy, NOW).unwrap();
        let mut out = std::io::stdout().lock();
        for outcome in outcomes {
            if let Outcome::Stored(stored) = outcome {
                let (kind, id) = (stored.event.kind(), stored.event.id());
                writeln!(out, "stored {} {kind} {}", stored.row, id.to_hex()).unwrap();
            }
        }
        out.flush().unwrap();
    }
}

/// Notes stay; reactions are deleted after a while and profiles replaced, which keeps every kind of index busy.
fn next_event(random: &mut impl Rng, short_lived: &mut Vec<Arc<Event>>) -> Arc<Event> {
    let draft = |kind| Draft::of(kind).by(1).content("x".repeat(500));
    let nonce: u64 = random.random();
    match random.random_range(0..10) {
        0 => draft(0).at(nonce % NOW).by((nonce % 5) as u8).build(),
        1..4 => {
            let reaction = draft(7).tag(&["e", &format!("{nonce:064x}")]).build();
            short_lived.push(reaction.clone());
            reaction
        }
        4 if short_lived.len() > 50 => {
            let gone: Vec<_> = short_lived.drain(..50).collect();
            let gone: Vec<&Event> = gone.iter().map(|event| &**event).collect();
            deletion_of(1, nonce % NOW, &gone)
        }
        _ => draft(1).tag(&["t", &nonce.to_string()]).build(),
    }
}

fn start_child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "crash::child_commits_until_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Rows, kinds and ids that a child answered for.
fn read_answer(line: &str) -> Option<(u64, u16, EventId)> {
    let mut words = line.strip_prefix("stored ")?.strip_suffix('\n')?.split(' ');
    Some((
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
        EventId::from_hex(words.next()?).ok()?,
    ))
}

#[test]
fn c20_nothing_answered_is_lost_when_the_process_is_killed() {
    let directory = TempDir::new().unwrap();
    let mut notes: Vec<(u64, EventId)> = Vec::new();
    let mut highest_row = 0;
    for round in 0..ROUNDS {
        let mut child = start_child(directory.path());
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let killed_after = rand::rng().random_range(1..2_000);
        let mut answers = Vec::new();
        let mut line = String::new();
        while output.read_line(&mut line).unwrap() > 0 {
            answers.extend(read_answer(&line));
            line.clear();
            if answers.len() == killed_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(answers.len() >= killed_after, "the child ended by itself");
        let rows: Vec<u64> = answers.iter().map(|(row, _, _)| *row).collect();
        assert!(rows[0] > highest_row, "row {} was given twice", rows[0]);
        assert!(rows.is_sorted_by(|a, b| a < b));
        highest_row = *rows.last().unwrap();
        notes.extend(
            answers
                .iter()
                .filter(|(_, kind, _)| *kind == 1)
                .map(|(row, _, id)| (*row, *id)),
        );

        let store = LmdbStore::open(directory.path(), small_options()).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_sound(), "round {round}: {report:?}");
        assert!(store.last_row().unwrap() >= highest_row);
        for (row, id) in &notes {
            assert!(
                store.contains(id).unwrap(),
                "round {round}: row {row} is lost"
            );
        }
    }
}

#[test]
fn c19_second_process_is_refused() {
    let directory = TempDir::new().unwrap();
    let mut child = start_child(directory.path());
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while read_answer(&line).is_none() {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "no child");
    }
    let refusal = LmdbStore::open(directory.path(), small_options()).unwrap_err();
    assert!(matches!(&refusal, StoreError::InUse(path) if path == directory.path()));
    child.kill().unwrap();
    child.wait().unwrap();
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    assert!(matches!(
        LmdbStore::open(directory.path(), small_options()),
        Err(StoreError::InUse(_))
    ));
    drop(store);
    LmdbStore::open(directory.path(), small_options()).unwrap();
}
