//! Histories of several relays, one after the other, and a place that is gone for a moment.

use super::super::pruning::Old;
use super::*;

#[test]
fn d4_histories_that_went_through_several_relays_can_be_restored_from_each_time_and_pruned() {
    let ground = Ground::new();
    let noted = Arc::new(Noted::new(1 << 20));
    let mut store = ground.store(false);
    let mut told_at = Vec::new();
    let mut lineages = Vec::new();
    for generation in 0..3 {
        let mut shipper = match generation {
            0 => ground.shipper(&store, &noted),
            // The relay before has ended, and its disk is gone.
            _ => {
                store = ground.store(false);
                let Start::Restore(restoration) = ground.open(&*store).unwrap() else {
                    panic!("an empty store is restored");
                };
                let data_dir = ground.home.path().join(format!("data{generation}"));
                std::fs::create_dir(&data_dir).unwrap();
                restoration
                    .run(&*store, &data_dir, &*ground.clock, &mut |_| {})
                    .unwrap();
                let opened = restoration.begin(&*store).unwrap();
                let (clock, store) = (ground.clock.clone(), store.clone());
                Shipper::new(opened, store, noted.clone(), clock, keeps())
            }
        };
        lineages.push(shipper.opened.lineage.clone());
        for second in 0..3 {
            let second = 10 * generation + second;
            commit(&*store, &noted, &[Write::Put(event(0, 1, second, &[], ""))]);
            ground.clock.advance(Duration::from_secs(1));
            shipper.ship().unwrap();
            if second % 10 == 1 {
                shipper.begin_snapshot();
                while !shipper.is_copied() {
                    shipper.copy_some().unwrap();
                }
                // What is committed meanwhile makes it one that does not stand alone.
                commit(&*store, &noted, &[Write::Put(event(1, 1, second, &[], ""))]);
                ground.clock.advance(Duration::from_secs(1));
                shipper.end_snapshot().unwrap();
            }
            told_at.push((ground.clock.now_ms(), told(&*store)));
        }
        shipper.end().unwrap();
        ground.clock.advance(Duration::from_secs(1));
    }
    let newest = told_at.last().unwrap().1.clone();
    let target = Target::open(&ground.config.url).unwrap();
    let restored_at = |at_ms| {
        let history = target.history(lineages.last().unwrap()).unwrap();
        matches!(
            plan::find(&target, &history, Some(at_ms)).unwrap(),
            Found::Plan(_)
        )
        .then(|| told(&*ground.restored(false, Some(at_ms))))
    };
    let mut whole = 0;
    for (at_ms, then) in &told_at {
        // Before the first snapshot there is nothing whole; nothing else than what was there is ever given out.
        if let Some(restored) = restored_at(*at_ms) {
            assert_eq!(&restored, then, "at {at_ms}");
            whole += 1;
        }
    }
    assert!(whole >= 6, "{whole} of {}", told_at.len());
    // Once only the last relay's time is kept, the lineages before go, and what is left is still a history.
    let (kept_from, _) = told_at[told_at.len() - 1];
    let old = Old {
        lineage: lineages.last().unwrap().clone(),
        before_ms: kept_from,
    };
    pruning::prune(&target, &old, &|| true).unwrap();
    assert!(target.lineage(&lineages[0]).unwrap().is_none());
    assert_eq!(told(&*ground.restored(false, None)), newest);
    assert_eq!(pruning::prune(&target, &old, &|| true).unwrap(), 0);
}

#[test]
fn d4_a_place_that_is_gone_for_a_moment_is_no_relay_that_has_taken_over() {
    let ground = Ground::new();
    let store = ground.store(false);
    let noted = Arc::new(Noted::new(1 << 20));
    let shipper = ground.shipper(&store, &noted);
    assert!(shipper.is_head().unwrap());
    let copies = ground.home.path().join("copies");
    let elsewhere = ground.home.path().join("elsewhere");
    std::fs::rename(&copies, &elsewhere).unwrap();
    std::fs::create_dir(&copies).unwrap();
    assert!(shipper.is_head().is_err());
    std::fs::remove_dir(&copies).unwrap();
    std::fs::rename(&elsewhere, &copies).unwrap();
    assert!(shipper.is_head().unwrap());
}
