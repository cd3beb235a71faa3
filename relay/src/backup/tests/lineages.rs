//! Histories of several relays, one after the other, and a place that is gone for a moment.

use super::super::fallback;
use super::super::own_rows::note_lineage;
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
    let (_store, _noted, shipper) = ground.writing();
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

#[test]
fn d4_what_a_kept_history_goes_on_from_is_kept() {
    const DAY: Duration = Duration::from_secs(86_400);
    let ground = Ground::new();
    let (_, first) = ground.ended();
    ground.clock.advance(27 * DAY);
    // Its disk is lost, and so is the next one, before it has a copy of everything.
    let (store, noted) = (ground.store(false), Arc::new(Noted::new(1 << 20)));
    let opened = ground.run(ground.restoration(&*store), &*store);
    let clock = ground.clock.clone();
    let mut shipper = Shipper::new(opened, store.clone(), noted.clone(), clock, keeps());
    commit(&*store, &noted, &[Write::Put(note(3))]);
    ground.clock.advance(Duration::from_secs(1));
    shipper.ship().unwrap();
    shipper.end().unwrap();
    let second = shipper.opened.lineage.clone();
    let (then_ms, then) = (ground.clock.now_ms(), told(&*store));
    // A history that goes on from neither.
    let mut third = ground.take_over(&ground.other_store());
    snapshot(&mut third);
    let target = Target::open(&ground.config.url).unwrap();
    let prune_after = |days: u32, third: &mut Shipper| {
        ground.clock.advance(days * DAY);
        commit(
            &*third.store,
            &third.noted,
            &[Write::Put(note(days.into()))],
        );
        snapshot(third);
        let old = Old {
            lineage: third.opened.lineage.clone(),
            before_ms: ground.clock.now_ms() - (30 * DAY).as_millis() as u64,
        };
        pruning::prune(&target, &old, &|| true).unwrap();
    };
    let is_there = |lineage: &str| target.lineage(lineage).unwrap().is_some();
    // The first has nothing that is new enough for itself.
    prune_after(4, &mut third);
    assert!(is_there(&first) && is_there(&second));
    let looked = fallback::look(&target, &third.opened.lineage, Some(then_ms)).unwrap();
    let Found::Plan(plan) = looked.found else {
        panic!("{:?}", looked.found);
    };
    let restored = ground.store(false);
    restoring::run(&target, &plan, &*restored, &mut |_| {}).unwrap();
    assert_eq!(told(&*restored), then);
    // Nobody needs either any more.
    prune_after(31, &mut third);
    assert!(!is_there(&first) && !is_there(&second));
}

#[test]
fn d4_a_relay_that_gets_no_answer_when_it_begins_anew_is_no_other_to_itself() {
    let ground = Ground::new();
    let (store, noted, mut shipper) = ground.writing();
    commit(&*store, &noted, &[Write::Put(note(1))]);
    snapshot(&mut shipper);
    let opened = &shipper.opened;
    let (lineage, sequence, row) = (opened.lineage.clone(), opened.sequence, opened.row);
    let (previous, writer) = (opened.previous.clone(), opened.writer.clone());
    let begin = |shipper: &mut Shipper| {
        ground.clock.advance(Duration::from_secs(1));
        let note = |lineage: &str| Ok(note_lineage(&*store, lineage, &*ground.clock)?);
        shipper.begin_anew(&ground.config, &note).unwrap();
        shipper.opened.lineage.clone()
    };
    let begun = begin(&mut shipper);
    // The head was written, and what came back was an error: all that is known is what was before.
    let opened = &mut shipper.opened;
    (opened.lineage, opened.sequence, opened.row) = (lineage, sequence, row);
    (opened.previous, opened.writer) = (previous, writer);
    assert!(shipper.is_head().unwrap());
    assert_ne!(begin(&mut shipper), begun);
    assert!(shipper.is_head().unwrap());
    commit(&*store, &noted, &[Write::Put(note(2))]);
    snapshot(&mut shipper);
    assert_eq!(told(&*ground.restored(false, None)), told(&*store));
}
