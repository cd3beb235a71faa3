//! C21: lines in and out, and removals by filter.

use crate::draft::{Draft, deletion_of, hex};
use crate::subject::{NOW, Subject, for_every_store, small_options};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use tempfile::TempDir;
use trellis_relay::admin::console::{Console, Note};
use trellis_relay::admin::delete::{DeleteJob, delete};
use trellis_relay::admin::export::{ExportJob, export};
use trellis_relay::admin::import::{ImportJob, ImportOptions, ImportTotals, import};
use trellis_relay::admin::job::JobError;
use trellis_relay::admin::target::StoppedStore;
use trellis_relay::clock::FakeClock;
use trellis_relay::event::Event;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{Cause, NoPolicy, Outcome, Store, StoreError, Write};

for_every_store!(
    c21_what_is_exported_can_be_imported,
    c21_an_import_can_be_repeated,
    c21_bad_lines_are_named_and_skipped,
    c21_signatures_are_verified_unless_told_otherwise,
    c21_tombstones_hold_against_imports,
    c21_exports_take_filter_limit_and_order,
    c21_an_interrupted_import_goes_on_from_a_line,
    c21_a_deletion_removes_what_the_filter_names,
    c21_everything_is_deleted_only_where_that_is_said,
);

const UNVERIFIED: ImportOptions = ImportOptions {
    relay_url: None,
    job: ImportJob {
        verify: false,
        from_line: 1,
        known_as: Vec::new(),
    },
    batch_events: 7,
    batch_bytes: 1 << 20,
    max_line_bytes: 10_000,
    threads: 2,
};

const VERIFIED: ImportOptions = ImportOptions {
    relay_url: None,
    job: ImportJob {
        verify: true,
        from_line: 1,
        known_as: Vec::new(),
    },
    batch_events: 7,
    batch_bytes: 1 << 20,
    max_line_bytes: 10_000,
    threads: 2,
};

/// Keeps what it is told, and calls the job off after so many notes.
#[derive(Default)]
struct Heard {
    printed: Vec<u8>,
    rejected: Vec<(u64, String)>,
    imported: ImportTotals,
    notes: usize,
    cancelled_after: Option<usize>,
}

impl Console for Heard {
    fn print(&mut self, event_json: &[u8]) -> io::Result<()> {
        self.printed.extend_from_slice(event_json);
        self.printed.push(b'\n');
        Ok(())
    }

    fn tell(&mut self, note: Note) {
        self.notes += 1;
        match note {
            Note::Imported(totals) => self.imported = totals,
            Note::Rejected { line, reason } => self.rejected.push((line, reason)),
            Note::Headway { .. } | Note::Warning(_) => {}
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled_after
            .is_some_and(|notes| self.notes >= notes)
    }
}

fn target(store: &Arc<dyn Store>) -> StoppedStore {
    StoppedStore::new(
        store.clone(),
        Arc::default(),
        Arc::new(FakeClock::at_s(NOW)),
    )
}

fn import_text(
    store: &Arc<dyn Store>,
    text: &[u8],
    options: &ImportOptions,
) -> (ImportTotals, Vec<(u64, String)>) {
    let mut heard = Heard::default();
    let totals = import(&target(store), text, options, &mut heard).unwrap();
    assert_eq!(totals, heard.imported);
    assert_eq!(totals.rejected, heard.rejected.len() as u64);
    (totals, heard.rejected)
}

fn export_text(store: &Arc<dyn Store>, filter: Value, oldest_first: bool) -> String {
    let mut heard = Heard::default();
    let job = ExportJob {
        filter,
        oldest_first,
    };
    let written = export(&target(store), &job, &mut heard).unwrap();
    let text = String::from_utf8(heard.printed).unwrap();
    assert_eq!(text.lines().count() as u64, written);
    text
}

fn everything(store: &Arc<dyn Store>) -> String {
    export_text(store, Value::Null, false)
}

/// A line with a note that verifies.
fn signed_line(n: u64) -> Vec<u8> {
    let content = format!("note {n} \"quoted\" \u{1F431}\n");
    let draft = Draft::of(1).at(n).tag(&["t", "cats"]).content(content);
    line(&draft.signed([7; 32]))
}

fn line(event: &Event) -> Vec<u8> {
    [event.json(), &b"\n"[..]].concat()
}

fn c21_what_is_exported_can_be_imported(subject: &Subject) {
    let text: Vec<u8> = (0..30).flat_map(signed_line).collect();
    let (totals, rejected) = import_text(&subject.store, &text, &VERIFIED);
    assert_eq!(rejected, []);
    let expected = ImportTotals {
        lines: 30,
        bytes: text.len() as u64,
        stored: 30,
        ..ImportTotals::default()
    };
    assert_eq!(totals, expected);
    let newest_first = everything(&subject.store);
    let directory = TempDir::new().unwrap();
    let other = Arc::new(LmdbStore::open(directory.path(), small_options()).unwrap());
    let lmdb = other.clone();
    let other: Arc<dyn Store> = other;
    let oldest_first = export_text(&subject.store, json!({}), true);
    assert!(oldest_first.lines().eq(newest_first.lines().rev()));
    import_text(&other, oldest_first.as_bytes(), &VERIFIED);
    assert_eq!(everything(&other), newest_first);
    assert!(lmdb.check().unwrap().is_sound());
}

fn c21_an_import_can_be_repeated(subject: &Subject) {
    let text: Vec<u8> = (0..30)
        .flat_map(|n| line(&Draft::of(1).at(n).build()))
        .collect();
    let half = &text[..text.len() / 2];
    let (begun, rejected) = import_text(&subject.store, half, &UNVERIFIED);
    assert_eq!(rejected.len(), 1, "the line that was cut");
    let (totals, _) = import_text(&subject.store, &text, &UNVERIFIED);
    assert_eq!(totals.duplicates, begun.stored);
    assert_eq!(totals.stored, 30 - begun.stored);
    // Known events are skipped before their signatures, which are wrong, are looked at.
    let (again, rejected) = import_text(&subject.store, &text, &VERIFIED);
    assert_eq!((again.duplicates, rejected.len()), (30, 0));
}

fn c21_bad_lines_are_named_and_skipped(subject: &Subject) {
    let good = Draft::of(1).build();
    let last = Draft::of(1).at(7).build();
    let ephemeral = Draft::of(20_001).build();
    let expired = Draft::of(1).tag(&["expiration", "5"]).build();
    let long = Draft::of(1).content("x".repeat(20_000)).build();
    let mut text = Vec::new();
    text.extend(line(&good));
    text.extend(b"{broken\n");
    text.extend(b"\n  \r\n");
    text.extend(b"\xff\xfe\n");
    text.extend(line(&long));
    text.extend(br#"{"content":"invalid utf-8: "#);
    text.extend(b"\xc3\x28\"}\n");
    text.extend(line(&ephemeral));
    text.extend(line(&expired));
    text.extend(line(&good));
    text.extend(last.json().iter());
    let (totals, rejected) = import_text(&subject.store, &text, &UNVERIFIED);
    let numbers: Vec<u64> = rejected.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 5, 6, 7, 8, 9], "{rejected:?}");
    assert!(rejected.iter().all(|(_, reason)| !reason.is_empty()));
    assert!(rejected[2].1.contains("10000"), "{rejected:?}");
    assert!(rejected[4].1.contains("20001"), "{rejected:?}");
    assert_eq!((totals.lines, totals.stored, totals.duplicates), (11, 2, 1));
    assert!(subject.has(&good) && subject.has(&last));
}

fn c21_signatures_are_verified_unless_told_otherwise(subject: &Subject) {
    let forged = line(&Draft::of(1).build());
    let (totals, rejected) = import_text(&subject.store, &forged, &VERIFIED);
    assert_eq!((totals.stored, rejected.len()), (0, 1));
    let (totals, _) = import_text(&subject.store, &forged, &UNVERIFIED);
    assert_eq!(totals.stored, 1);
}

fn c21_tombstones_hold_against_imports(subject: &Subject) {
    let events: Vec<_> = (0..5).map(|n| Draft::of(1).at(n).build()).collect();
    for event in &events {
        subject.stored(event);
    }
    let profile = Draft::of(0).at(50).build();
    subject.stored(&profile);
    let backup = everything(&subject.store);
    subject.stored(&deletion_of(1, 100, &[&events[2]]));
    subject.stored(&Draft::of(0).at(60).build());
    assert_eq!(subject.remove(&events[3], Cause::Retention), Outcome::Done);
    let (totals, rejected) = import_text(&subject.store, backup.as_bytes(), &UNVERIFIED);
    assert_eq!(rejected, []);
    assert_eq!((totals.deleted, totals.superseded), (1, 1));
    assert_eq!((totals.stored, totals.duplicates), (1, 3));
    assert!(!subject.has(&events[2]) && !subject.has(&profile) && subject.has(&events[3]));
}

fn c21_exports_take_filter_limit_and_order(subject: &Subject) {
    let events = (0..2_500u64).map(|n| {
        let draft = Draft::of(if n % 2 == 0 { 1 } else { 7 });
        Write::Put(draft.at(1_000_000 - n).build())
    });
    subject.commit_with(&events.collect::<Vec<_>>(), &NoPolicy);
    let text = export_text(&subject.store, json!({"kinds": [7]}), true);
    let times: Vec<u64> = text
        .lines()
        .map(|line| Event::parse(line.as_bytes()).unwrap().created_at())
        .collect();
    assert_eq!(times.len(), 1_250);
    assert!(times.is_sorted());
    let text = export_text(&subject.store, json!({"limit": 1_100}), false);
    assert_eq!(text.lines().count(), 1_100);
    let first = Event::parse(text.lines().next().unwrap().as_bytes()).unwrap();
    assert_eq!(first.created_at(), 1_000_000);
    let none = json!({"ids": ["09".repeat(32)]});
    assert_eq!(export_text(&subject.store, none, false), "");
}

fn c21_an_interrupted_import_goes_on_from_a_line(subject: &Subject) {
    let text: Vec<u8> = (0..50)
        .flat_map(|n| line(&Draft::of(1).at(n).build()))
        .collect();
    let mut heard = Heard {
        cancelled_after: Some(3),
        ..Heard::default()
    };
    let stopped = import(&target(&subject.store), &text[..], &UNVERIFIED, &mut heard);
    assert!(matches!(stopped, Err(JobError::Cancelled)), "{stopped:?}");
    // What was told is stored, and no more than the two batches of 7 that were read by then came after.
    let told = heard.imported;
    assert!((21..=35).contains(&told.lines), "{told:?}");
    assert_eq!(told.stored, told.lines);
    assert_eq!(subject.count("{}"), told.lines);
    let mut rest = UNVERIFIED;
    rest.job.from_line = told.lines + 1;
    let (totals, _) = import_text(&subject.store, &text, &rest);
    assert_eq!(
        (totals.lines, totals.stored, totals.duplicates),
        (50, 50 - told.lines, 0)
    );
    assert_eq!(subject.count("{}"), 50);
}

fn c21_a_deletion_removes_what_the_filter_names(subject: &Subject) {
    let events = (0..1_000u64).map(|n| {
        let draft = Draft::of(if n % 2 == 0 { 1 } else { 7 });
        Write::Put(draft.at(n).build())
    });
    subject.commit_with(&events.collect::<Vec<_>>(), &NoPolicy);
    let target = target(&subject.store);
    let mut job = DeleteJob {
        filter: json!({"kinds": [7], "since": 100}),
        all: false,
        dry_run: true,
        ..DeleteJob::default()
    };
    let counted = delete(&target, &job, &mut Heard::default()).unwrap();
    assert_eq!((counted.matched, counted.removed), (450, 0));
    assert_eq!(subject.count("{}"), 1_000);
    job.dry_run = false;
    let done = delete(&target, &job, &mut Heard::default()).unwrap();
    assert_eq!((done.matched, done.removed, done.kept), (450, 450, 0));
    assert_eq!(subject.count("{}"), 550);
    assert_eq!(subject.count(r#"{"kinds":[7]}"#), 50);
    // A limit names the newest.
    job.filter = json!({"kinds": [1], "limit": 300});
    let done = delete(&target, &job, &mut Heard::default()).unwrap();
    assert_eq!(done.removed, 300);
    assert_eq!(subject.count(r#"{"kinds":[1],"since":400}"#), 0);
    assert_eq!(subject.count(r#"{"kinds":[1]}"#), 200);
}

fn c21_everything_is_deleted_only_where_that_is_said(subject: &Subject) {
    subject.stored(&Draft::of(1).build());
    let target = target(&subject.store);
    for filter in [
        json!({}),
        Value::Null,
        json!({"limit": 5}),
        json!({"since": 0}),
        json!({"until": 99_999_999_999u64}),
        json!({"since": 0, "until": 1_099_511_627_775u64, "limit": 5}),
    ] {
        let mut job = DeleteJob {
            filter,
            ..DeleteJob::default()
        };
        let refused = delete(&target, &job, &mut Heard::default());
        assert!(matches!(refused, Err(JobError::NamesEverything)));
        assert_eq!(subject.count("{}"), 1);
        job.all = true;
        job.dry_run = true;
        let counted = delete(&target, &job, &mut Heard::default()).unwrap();
        assert_eq!(counted.matched, 1);
    }
}

#[test]
fn c21_an_import_into_a_full_store_stops() {
    let subject = Subject::lmdb_with(LmdbOptions {
        quota_bytes: 2 << 20,
        reserve_bytes: Some(1 << 20),
        ..small_options()
    });
    let text: Vec<u8> = (0..2_000u64)
        .flat_map(|n| line(&Draft::of(1).at(n).content(hex(&[n as u8; 900])).build()))
        .collect();
    let mut heard = Heard::default();
    let stopped = import(&target(&subject.store), &text[..], &UNVERIFIED, &mut heard);
    assert!(
        matches!(stopped, Err(JobError::Store(StoreError::Full(_)))),
        "{stopped:?}"
    );
    assert!((100..2_000).contains(&heard.imported.stored));
    assert!(subject.count("{}") >= heard.imported.stored);
}
