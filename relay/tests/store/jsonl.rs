//! C21: lines in and out.

use crate::draft::{Draft, deletion_of, hex};
use crate::subject::{NOW, Subject, for_every_store, small_options};
use tempfile::TempDir;
use trellis_relay::event::{Event, EventId};
use trellis_relay::filter::Filter;
use trellis_relay::store::jsonl::{
    ExportOptions, ImportError, ImportNote, ImportOptions, ImportTotals, export, import,
};
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{Cause, NoPolicy, Order, Outcome, Store, StoreError, Write};

for_every_store!(
    c21_what_is_exported_can_be_imported,
    c21_an_import_can_be_repeated,
    c21_bad_lines_are_named_and_skipped,
    c21_signatures_are_verified_unless_told_otherwise,
    c21_tombstones_hold_against_imports,
    c21_exports_take_filter_limit_and_order,
);

const UNVERIFIED: ImportOptions = ImportOptions {
    known_as: None,
    verify: false,
    batch_events: 7,
    batch_bytes: 1 << 20,
    max_line_bytes: 10_000,
    threads: 2,
};

fn import_text(
    store: &dyn Store,
    text: &[u8],
    options: &ImportOptions,
) -> (ImportTotals, Vec<(u64, String)>) {
    let mut rejected = Vec::new();
    let mut last = ImportTotals::default();
    let totals = import(store, &NoPolicy, text, NOW, options, |note| match note {
        ImportNote::Progress(totals) => last = totals,
        ImportNote::Rejected { line, reason } => rejected.push((line, reason.to_owned())),
    })
    .unwrap();
    assert_eq!(totals, last);
    assert_eq!(totals.rejected, rejected.len() as u64);
    (totals, rejected)
}

fn export_text(store: &dyn Store, filter: Filter, order: Order) -> String {
    let mut text = Vec::new();
    let options = ExportOptions {
        filter,
        order,
        now: NOW,
    };
    let written = export(store, &options, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().count() as u64, written);
    text
}

fn everything(store: &dyn Store) -> String {
    export_text(store, Filter::default(), Order::NewestFirst)
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
    let options = ImportOptions::default();
    let (totals, rejected) = import_text(&*subject.store, &text, &options);
    assert_eq!(rejected, []);
    let expected = ImportTotals {
        lines: 30,
        bytes: text.len() as u64,
        stored: 30,
        ..ImportTotals::default()
    };
    assert_eq!(totals, expected);
    let newest_first = everything(&*subject.store);
    let directory = TempDir::new().unwrap();
    let other = LmdbStore::open(directory.path(), small_options()).unwrap();
    let oldest_first = export_text(&*subject.store, Filter::default(), Order::OldestFirst);
    assert!(oldest_first.lines().eq(newest_first.lines().rev()));
    import_text(&other, oldest_first.as_bytes(), &ImportOptions::default());
    assert_eq!(everything(&other), newest_first);
    assert!(other.check().unwrap().is_sound());
}

fn c21_an_import_can_be_repeated(subject: &Subject) {
    let text: Vec<u8> = (0..30)
        .flat_map(|n| line(&Draft::of(1).at(n).build()))
        .collect();
    let half = &text[..text.len() / 2];
    let (begun, rejected) = import_text(&*subject.store, half, &UNVERIFIED);
    assert_eq!(rejected.len(), 1, "the line that was cut");
    let (totals, _) = import_text(&*subject.store, &text, &UNVERIFIED);
    assert_eq!(totals.duplicates, begun.stored);
    assert_eq!(totals.stored, 30 - begun.stored);
    // Known events are skipped before their signatures, which are wrong, are looked at.
    let verified = ImportOptions {
        verify: true,
        ..UNVERIFIED
    };
    let (again, rejected) = import_text(&*subject.store, &text, &verified);
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
    let (totals, rejected) = import_text(&*subject.store, &text, &UNVERIFIED);
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
    let (totals, rejected) = import_text(&*subject.store, &forged, &ImportOptions::default());
    assert_eq!((totals.stored, rejected.len()), (0, 1));
    let (totals, _) = import_text(&*subject.store, &forged, &UNVERIFIED);
    assert_eq!(totals.stored, 1);
}

fn c21_tombstones_hold_against_imports(subject: &Subject) {
    let events: Vec<_> = (0..5).map(|n| Draft::of(1).at(n).build()).collect();
    for event in &events {
        subject.stored(event);
    }
    let profile = Draft::of(0).at(50).build();
    subject.stored(&profile);
    let backup = everything(&*subject.store);
    subject.stored(&deletion_of(1, 100, &[&events[2]]));
    subject.stored(&Draft::of(0).at(60).build());
    assert_eq!(subject.remove(&events[3], Cause::Retention), Outcome::Done);
    let (totals, rejected) = import_text(&*subject.store, backup.as_bytes(), &UNVERIFIED);
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
    let text = export_text(
        &*subject.store,
        Filter {
            kinds: Some(vec![7]),
            ..Filter::default()
        },
        Order::OldestFirst,
    );
    let times: Vec<u64> = text
        .lines()
        .map(|line| Event::parse(line.as_bytes()).unwrap().created_at())
        .collect();
    assert_eq!(times.len(), 1_250);
    assert!(times.is_sorted());
    let limited = Filter {
        limit: Some(1_100),
        ..Filter::default()
    };
    let text = export_text(&*subject.store, limited, Order::NewestFirst);
    assert_eq!(text.lines().count(), 1_100);
    let first = Event::parse(text.lines().next().unwrap().as_bytes()).unwrap();
    assert_eq!(first.created_at(), 1_000_000);
    let none = Filter {
        ids: Some(vec![EventId::from_byte_array([9; 32])]),
        ..Filter::default()
    };
    assert_eq!(export_text(&*subject.store, none, Order::NewestFirst), "");
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
    let mut progress = ImportTotals::default();
    let stopped = import(
        &*subject.store,
        &NoPolicy,
        &text[..],
        NOW,
        &UNVERIFIED,
        |note| {
            if let ImportNote::Progress(totals) = note {
                progress = totals;
            }
        },
    );
    assert!(
        matches!(stopped, Err(ImportError::Store(StoreError::Full(_)))),
        "{stopped:?}"
    );
    assert!((100..2_000).contains(&progress.stored));
    assert!(subject.count("{}") >= progress.stored);
}
