//! Segments: when there is one, what of it counts, and how long it gets.

use super::super::manifest::to_json;
use super::super::segment::{CutResult, Entries};
use super::*;

#[test]
fn d4_nothing_new_writes_nothing() {
    let ground = Ground::new();
    let (store, noted, mut shipper) = ground.writing();
    commit(&*store, &noted, &[Write::Put(note(1))]);
    assert_eq!(shipper.ship().unwrap().segments, 1);
    assert_eq!(shipper.ship().unwrap().segments, 0);
}

#[test]
fn d4_what_a_crash_left_half_written_is_written_over() {
    let ground = Ground::new();
    let (store, noted, mut shipper) = ground.writing();
    let target = Target::open(&ground.config.url).unwrap();
    let lineage = shipper.opened.lineage.clone();
    let put = |name: &str| target.put(name, b"half".to_vec()).unwrap();
    put(&names::segment(&lineage, 1, &"0".repeat(64)));
    commit(&*store, &noted, &[Write::Put(note(1))]);
    shipper.ship().unwrap();
    // With a manifest it is somebody else's.
    put(&names::segment_manifest(&lineage, 2));
    commit(&*store, &noted, &[Write::Put(note(2))]);
    let error = shipper.ship().unwrap_err();
    assert!(matches!(error, BackupError::NotAlone { .. }), "{error}");
}

/// Rows of an extension, for more than one page.
fn rows(value: u8, count: u16) -> Vec<Write> {
    let row = |number: u16| Write::Kv {
        extension: "a".to_owned(),
        key: number.to_be_bytes().to_vec(),
        value: Some(vec![value]),
    };
    (0..count).map(row).collect()
}

#[test]
fn d4_all_rows_go_in_several_segments_of_which_the_last_one_counts() {
    let ground = Ground::new();
    let store = ground.store(false);
    let noted = Arc::new(Noted::new(1 << 30));
    let mut shipper = ground.shipper(&store, &noted);
    let lineage = shipper.opened.lineage.clone();
    commit(&*store, &noted, &rows(1, 4_500));
    snapshot(&mut shipper);
    let before = (ground.clock.now_ms(), told(&*store));
    let first = shipper.opened.sequence;
    ground.clock.advance(Duration::from_secs(1));
    // A crash: what was noted is lost.
    let gone = Write::Kv {
        extension: "a".to_owned(),
        key: 7_u16.to_be_bytes().to_vec(),
        value: None,
    };
    store.commit(&rows(2, 4_000), &Opinions, NOW_S).unwrap();
    store.commit(&[gone], &Opinions, NOW_S).unwrap();
    let mut shipper = ground.shipper(&store, &noted);
    shipper.raw_bytes_max = 1;
    assert!(shipper.ship().unwrap().segments >= 4);
    let target = Target::open(&ground.config.url).unwrap();
    let sequences = target.sequences(&lineage, Some(first)).unwrap();
    let whole = |sequence: &u64| {
        let manifest = target.segment(&lineage, *sequence).unwrap().manifest;
        (manifest.is_consistent, manifest.all_entries)
    };
    let (last, others) = sequences.split_last().unwrap();
    assert_eq!(whole(last), (true, false));
    assert_eq!(whole(&others[0]), (false, true));
    assert!(others[1..].iter().all(|one| whole(one) == (false, false)));
    assert_eq!(told(&*ground.restored(false, None)), told(&*store));
    assert_eq!(shipper.ship().unwrap().segments, 0);
    // Without the last one none of them counts.
    let manifest = names::segment_manifest(&lineage, *last);
    target.delete(vec![manifest]).unwrap();
    assert_eq!(told(&*ground.restored(false, None)), before.1);
}

#[test]
fn d4_what_is_written_between_segments_with_all_rows_comes_after_them() {
    let ground = Ground::new();
    let store = ground.store(false);
    // Too few bytes for the notes, so that all rows are wanted.
    let noted = Arc::new(Noted::new(1_000));
    let mut shipper = ground.shipper(&store, &noted);
    shipper.raw_bytes_max = 1;
    snapshot(&mut shipper);
    commit(&*store, &noted, &rows(1, 3_500));
    // Rows that were read already are written once more.
    let source = shipper.source();
    let CutResult::Cut(cut) = source.cut(0, &Entries::Noted, false).unwrap() else {
        panic!("rows were written");
    };
    assert!(!cut.is_consistent && cut.all_entries);
    commit(&*store, &noted, &rows(3, 5));
    let CutResult::Cut(next) = source.cut(0, &cut.then, true).unwrap() else {
        panic!("a segment is open");
    };
    assert!(!next.is_consistent && !next.all_entries);
    noted.want_all();
    commit(&*store, &noted, &rows(4, 5));
    while shipper.ship().unwrap().segments > 0 {}
    assert_eq!(told(&*ground.restored(false, None)), told(&*store));
}

#[test]
fn d4_a_segment_that_was_ended_early_is_followed_by_one_that_counts() {
    let ground = Ground::new();
    let (store, noted, mut shipper) = ground.writing();
    snapshot(&mut shipper);
    let before = shipper.opened.sequence;
    shipper.raw_bytes_max = 1;
    // Exactly a page, after which nothing comes.
    for number in 0..256 {
        commit(&*store, &noted, &[Write::Put(note(number))]);
    }
    let target = Target::open(&ground.config.url).unwrap();
    let lineage = shipper.opened.lineage.clone();
    shipper.ship().unwrap();
    let sequences = target.sequences(&lineage, Some(before)).unwrap();
    let last = target.segment(&lineage, *sequences.last().unwrap());
    assert!(last.unwrap().manifest.is_consistent);
    assert_eq!(told(&*ground.restored(false, None)), told(&*store));
}

#[test]
fn d4_two_writers_of_one_lineage_overwrite_nothing() {
    let ground = Ground::new();
    let (store, noted, mut first) = ground.writing();
    snapshot(&mut first);
    // A copy of the machine.
    let mut second = ground.shipper(&store, &Arc::new(Noted::new(1 << 20)));
    commit(&*store, &noted, &[Write::Put(note(1))]);
    first.ship().unwrap();
    let then = told(&*store);
    commit(&*store, &noted, &[Write::Put(note(2))]);
    let error = second.ship().unwrap_err();
    assert!(matches!(error, BackupError::NotAlone { .. }), "{error}");
    assert_eq!(told(&*ground.restored(false, None)), then);
}

#[test]
fn d4_a_snapshot_that_is_not_finished_leaves_the_one_of_the_same_number_whole() {
    let ground = Ground::new();
    let (store, noted, mut shipper) = ground.writing();
    commit(&*store, &noted, &[Write::Put(note(1))]);
    commit(&*store, &noted, &rows(1, 5));
    snapshot(&mut shipper);
    let (first, then) = (shipper.opened.sequence, told(&*store));
    // Nothing was committed since, and something is while it is copied.
    shipper.begin_snapshot();
    commit(&*store, &noted, &rows(2, 5));
    while !shipper.is_copied() {
        shipper.copy_some().unwrap();
    }
    // The machine is lost.
    assert_eq!(told(&*ground.restored(false, None)), then);
    shipper.end_snapshot().unwrap();
    let target = Target::open(&ground.config.url).unwrap();
    let lineage = &shipper.opened.lineage;
    assert_eq!(target.snapshot_sequences(lineage).unwrap(), [first]);
    assert_eq!(told(&*ground.restored(false, None)), told(&*store));
}

#[test]
fn d4_a_snapshot_whose_parts_have_no_hashes_in_their_names_is_read() {
    let ground = Ground::new();
    let (store, noted, mut shipper) = ground.writing();
    commit(&*store, &noted, &[Write::Put(note(1))]);
    snapshot(&mut shipper);
    let (sequence, lineage) = (shipper.opened.sequence, &shipper.opened.lineage);
    let target = Target::open(&ground.config.url).unwrap();
    let mut manifest = target.snapshot(lineage, sequence).unwrap().unwrap();
    manifest.named_by_hash = false;
    let name = names::snapshot_manifest(lineage, sequence);
    let mut json: serde_json::Value = serde_json::from_slice(&to_json(&manifest)).unwrap();
    json.as_object_mut().unwrap().remove("named_by_hash");
    target.put(&name, json.to_string()).unwrap();
    for (number, part) in manifest.parts.iter().enumerate() {
        let now = names::snapshot_part(lineage, sequence, number, &part.sha256);
        let before = names::old_snapshot_part(lineage, sequence, number);
        target
            .put(&before, target.get(&now).unwrap().unwrap())
            .unwrap();
        target.delete(vec![now]).unwrap();
    }
    assert_eq!(told(&*ground.restored(false, None)), told(&*store));
}
