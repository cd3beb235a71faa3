//! What is kept and for how long.

use super::super::pruning::{Due, Old, kept_from};
use super::*;

#[test]
fn d4_what_is_too_old_goes_and_the_rest_can_be_restored() {
    let ground = Ground::new();
    let (store, noted, mut shipper) = ground.writing();
    let mut told_at = Vec::new();
    for second in 0..6 {
        commit(&*store, &noted, &[Write::Put(note(second))]);
        ground.clock.advance(Duration::from_secs(1));
        shipper.ship().unwrap();
        if second % 2 == 0 {
            snapshot(&mut shipper);
        }
        told_at.push((ground.clock.now_ms(), told(&*store)));
    }
    let target = Target::open(&ground.config.url).unwrap();
    let lineage = shipper.opened.lineage.clone();
    let (kept_from, _) = told_at[3];
    let old = Old {
        lineage: lineage.clone(),
        before_ms: kept_from,
    };
    // Where the relay stops nothing more goes.
    assert_eq!(pruning::prune(&target, &old, &|| false).unwrap(), 0);
    assert!(pruning::prune(&target, &old, &|| true).unwrap() > 0);
    assert_eq!(target.sequences(&lineage, None).unwrap(), [3, 4, 5, 6]);
    assert_eq!(target.snapshot_sequences(&lineage).unwrap(), [3, 5]);
    for (at_ms, then) in &told_at[3..] {
        assert_eq!(&told(&*ground.restored(false, Some(*at_ms))), then);
    }
    assert_eq!(pruning::prune(&target, &old, &|| true).unwrap(), 0);
}

#[test]
fn d4_a_clock_that_is_far_ahead_deletes_nothing_at_once() {
    const DAY: u64 = 86_400_000;
    let (now, last) = (100 * DAY, Some(99 * DAY));
    assert_eq!(kept_from(now, last, DAY, 30 * DAY), Some(70 * DAY));
    // It was off for some hours.
    let later = now + DAY / 2;
    assert_eq!(
        kept_from(later, last, DAY, 30 * DAY),
        Some(70 * DAY + DAY / 2)
    );
    // A year ahead, or a clock that was behind before: the snapshot before says what is old.
    let ahead = now + 365 * DAY;
    assert_eq!(kept_from(ahead, last, DAY, 30 * DAY), Some(71 * DAY));
    assert_eq!(kept_from(now, None, DAY, 30 * DAY), None);
}

#[test]
fn d4_a_snapshot_goes_before_the_segments_that_it_needs() {
    let ground = Ground::new();
    let (store, noted, mut shipper) = ground.writing();
    snapshot(&mut shipper);
    for number in 0..3 {
        commit(&*store, &noted, &[Write::Put(note(number))]);
        ground.clock.advance(Duration::from_secs(1));
        shipper.ship().unwrap();
    }
    snapshot(&mut shipper);
    let target = Target::open(&ground.config.url).unwrap();
    let lineage = shipper.opened.lineage.clone();
    let old = Old {
        lineage: lineage.clone(),
        before_ms: ground.clock.now_ms(),
    };
    let doomed = pruning::doomed(&target, &old).unwrap();
    let is_of_snapshot = |name: &String| name.contains("/snapshots/");
    let snapshots = doomed
        .iter()
        .take_while(|name| is_of_snapshot(name))
        .count();
    assert!(snapshots > 0, "{doomed:?}");
    assert!(
        !doomed[snapshots..].iter().any(is_of_snapshot),
        "{doomed:?}"
    );
    assert!(doomed.len() > snapshots, "{doomed:?}");
    assert!(doomed[0].ends_with("manifest.json"), "{doomed:?}");
}

#[test]
fn d4_what_is_old_is_handed_over_once() {
    let due = Due::default();
    let old = |before_ms| Old {
        lineage: "a".to_owned(),
        before_ms,
    };
    due.want(old(1));
    due.want(old(2));
    assert_eq!(due.take(), Some(old(2)));
    assert_eq!(due.take(), None);
}
