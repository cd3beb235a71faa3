//! E4: the commit sequence as it can be followed.

use crate::draft::{Draft, deletion_of};
use crate::subject::{Subject, for_every_store, ids, row, scan_of, small_options};
use trellis_relay::event::{Event, EventId};
use trellis_relay::filter::Filter;
use trellis_relay::store::lmdb::LmdbOptions;
use trellis_relay::store::{Cause, Change, Outcome};

for_every_store!(
    e4_stored_and_removed_appear_in_commit_order,
    e4_pages_of_changes_join,
    e4_an_event_gone_before_its_reader_came_appears_as_removed,
    c3_rows_above_the_boundary_are_left_out,
);

fn named(change: &Change) -> (u64, EventId, bool) {
    match change {
        Change::Stored(stored) => (stored.row, *stored.event.id(), true),
        Change::Removed { row, id, .. } => (*row, *id, false),
        Change::Gap { .. } => panic!("a gap"),
    }
}

fn removed(row: u64, event: &Event, cause: Cause) -> Change {
    Change::Removed {
        row,
        id: *event.id(),
        kind: event.kind(),
        pubkey: *event.pubkey(),
        cause,
    }
}

fn e4_stored_and_removed_appear_in_commit_order(subject: &Subject) {
    let note = Draft::of(1).build();
    let old = Draft::of(0).at(100).build();
    let new = Draft::of(0).at(101).build();
    let deletion = deletion_of(1, 102, &[&note]);
    let other = Draft::of(1).by(2).build();
    for event in [&note, &old, &new, &deletion, &other] {
        subject.stored(event);
    }
    subject.remove(&other, Cause::Admin);
    let all = subject.store.changes(0, 100).unwrap();
    assert_eq!(all.next, 8);
    assert_eq!(all.next, subject.store.last_row().unwrap());
    assert_eq!(all.changes.len(), 5);
    assert_eq!(named(&all.changes[0]), (3, *new.id(), true));
    assert_eq!(all.changes[1], removed(4, &old, Cause::Replacement));
    assert_eq!(named(&all.changes[2]), (5, *deletion.id(), true));
    assert_eq!(all.changes[3], removed(6, &note, Cause::Deletion));
    assert_eq!(all.changes[4], removed(8, &other, Cause::Admin));
    assert_eq!(subject.store.changes(8, 100).unwrap().changes, []);
    assert_eq!(subject.store.changes(8, 100).unwrap().next, 8);
}

fn e4_pages_of_changes_join(subject: &Subject) {
    for n in 0..40 {
        let event = Draft::of(if n % 3 == 0 { 0 } else { 1 }).at(n).build();
        subject.stored(&event);
    }
    let all = subject.store.changes(0, usize::MAX).unwrap();
    for max in [1, 2, 7] {
        let (mut joined, mut after) = (Vec::new(), 0);
        loop {
            let page = subject.store.changes(after, max).unwrap();
            if page.changes.is_empty() {
                break;
            }
            assert!(page.changes.len() <= max && page.next > after);
            joined.extend(page.changes);
            after = page.next;
        }
        assert_eq!(joined, all.changes);
        assert_eq!(after, all.next);
    }
}

fn e4_an_event_gone_before_its_reader_came_appears_as_removed(subject: &Subject) {
    let event = Draft::of(1).build();
    subject.stored(&event);
    let cursor = subject.store.changes(0, 10).unwrap().next;
    assert_eq!(cursor, 1);
    subject.remove(&event, Cause::Retention);
    assert_eq!(row(&subject.put(&event)), 3);
    let changes = subject.store.changes(0, 10).unwrap().changes;
    assert_eq!(changes[0], removed(2, &event, Cause::Retention));
    assert_eq!(named(&changes[1]), (3, *event.id(), true));
    assert_eq!(subject.put(&event), Outcome::Duplicate);
}

fn c3_rows_above_the_boundary_are_left_out(subject: &Subject) {
    for n in 0..10 {
        subject.stored(&Draft::of(1).at(100 - n).build());
    }
    let filter = Filter::default();
    let mut scan = scan_of(&filter);
    scan.max_row = 4;
    let events = subject.pages(&scan);
    assert_eq!(ids(&events).len(), 4);
    assert!(events.iter().all(|stored| stored.row <= 4));
    assert_eq!(subject.count_pages(&scan), 4);
    scan.max_row = 0;
    assert_eq!(subject.count_pages(&scan), 0);
}

fn a_cut_log_reports_a_gap(subject: &Subject) {
    let events: Vec<_> = (0..10).map(|n| Draft::of(1).at(n).build()).collect();
    for event in &events {
        subject.stored(event);
    }
    for event in &events[..8] {
        subject.remove(event, Cause::Admin);
    }
    let all = subject.store.changes(0, 100).unwrap();
    assert_eq!(all.changes[0], Change::Gap { from: 1, to: 15 });
    assert_eq!(named(&all.changes[1]), (9, *events[8].id(), true));
    assert_eq!(named(&all.changes[2]), (10, *events[9].id(), true));
    assert_eq!(named(&all.changes[3]), (16, *events[5].id(), false));
    assert_eq!(all.changes.len(), 6);
    let later = subject.store.changes(14, 100).unwrap();
    assert_eq!(later.changes[0], Change::Gap { from: 15, to: 15 });
    let current = subject.store.changes(15, 100).unwrap();
    assert_eq!(current.changes.len(), 3);
}

#[test]
fn e4_a_cut_log_reports_a_gap_in_memory() {
    a_cut_log_reports_a_gap(&Subject::memory_with_removal_log(3));
}

#[test]
fn e4_a_cut_log_reports_a_gap_in_lmdb() {
    a_cut_log_reports_a_gap(&Subject::lmdb_with(LmdbOptions {
        removal_log_entries: 3,
        ..small_options()
    }));
}
