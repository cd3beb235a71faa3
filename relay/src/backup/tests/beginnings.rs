//! How histories begin, and what a start makes of one that has nothing yet.

use super::super::fallback;
use super::super::manifest::to_json;
use super::super::opening::Opened;
use super::super::restorable;
use super::super::restoration::Restoration;
use super::*;
use crate::config::TimeSpan;

impl Ground {
    fn target(&self) -> Target {
        Target::open(&self.config.url).unwrap()
    }

    fn head(&self) -> Vec<u8> {
        self.target().get(names::HEAD).unwrap().unwrap().to_vec()
    }

    fn head_lineage(&self) -> String {
        self.target().head().unwrap().unwrap().lineage
    }

    /// A store with a whole copy in a history that has ended, and what was in it.
    pub(super) fn ended(&self) -> (Arc<dyn Store>, String) {
        let (store, noted) = (self.store(false), Arc::new(Noted::new(1 << 20)));
        commit(&*store, &noted, &[Write::Put(note(1))]);
        let mut shipper = self.shipper(&store, &noted);
        snapshot(&mut shipper);
        commit(&*store, &noted, &[Write::Put(note(2))]);
        self.clock.advance(Duration::from_secs(1));
        shipper.ship().unwrap();
        shipper.end().unwrap();
        (store, shipper.opened.lineage)
    }

    /// Puts a store in the place of whatever is backed up.
    pub(super) fn take_over(&self, store: &Arc<dyn Store>) -> Shipper {
        self.clock.advance(Duration::from_secs(1));
        let opening = Opening {
            config: &self.config,
            clock: &*self.clock,
            takes_over: true,
            may_claim_later: false,
            started_at_row: None,
            note: None,
        };
        let Start::Ready(opened) = opening.open(&**store, &|_| {}).unwrap() else {
            panic!("nothing is restored");
        };
        let noted = Arc::new(Noted::new(1 << 20));
        let (store, clock) = (store.clone(), self.clock.clone());
        Shipper::new(*opened, store, noted, clock, keeps())
    }

    pub(super) fn restoration(&self, store: &dyn Store) -> Restoration {
        match self.open(store).unwrap() {
            Start::Restore(restoration) => *restoration,
            Start::Ready(_) => panic!("there is something to restore"),
        }
    }

    fn opened(&self, store: &dyn Store) -> Opened {
        match self.open(store).unwrap() {
            Start::Ready(opened) => *opened,
            Start::Restore(_) => panic!("there is nothing to restore"),
        }
    }

    pub(super) fn other_store(&self) -> Arc<dyn Store> {
        let store = self.store(false);
        store
            .commit(&[Write::Put(note(9))], &NoPolicy, NOW_S)
            .unwrap();
        store
    }

    /// Restores into a store as a relay would that starts with an empty one.
    pub(super) fn run(&self, restoration: Restoration, store: &dyn Store) -> Opened {
        let data = self.home.path().join(&restoration.lineage);
        std::fs::create_dir(&data).unwrap();
        let clock = &*self.clock;
        restoration.run(store, &data, clock, &mut |_| {}).unwrap();
        restoration.begin(store).unwrap()
    }
}

#[test]
fn d4_what_a_new_history_replaced_serves_until_that_has_a_whole_copy() {
    let ground = Ground::new();
    let (old, first) = ground.ended();
    let mut shipper = ground.take_over(&ground.other_store());
    // A loss before anything is there, and one after some of it.
    for has_segment in [false, true] {
        if has_segment {
            let store = shipper.store.clone();
            commit(&*store, &shipper.noted, &[Write::Put(note(10))]);
            assert_eq!(shipper.ship().unwrap().segments, 1);
        }
        assert!(restorable::check(&ground.target()).is_err());
        let before = ground.head();
        let store = ground.store(false);
        let restoration = ground.restoration(&*store);
        assert_eq!(restoration.point().lineage, first);
        let opened = ground.run(restoration, &*store);
        assert_eq!(told(&*store), told(&*old));
        let history = ground.target().history(&opened.lineage).unwrap();
        let lineages: Vec<&str> = history.iter().map(|link| &*link.lineage).collect();
        assert_eq!(lineages, [&*opened.lineage, &*first]);
        restorable::check(&ground.target()).unwrap();
        ground.target().put(names::HEAD, before).unwrap();
    }
    // Once it is whole, it counts, and what it replaced only for the time before.
    ground.clock.advance(Duration::from_secs(1));
    snapshot(&mut shipper);
    shipper.end().unwrap();
    restorable::check(&ground.target()).unwrap();
    let (target, own) = (ground.target(), shipper.opened.lineage.clone());
    let looked = fallback::look(&target, &own, None).unwrap();
    assert!(looked.may_be_taken());
    assert_eq!(looked.instead_of, None);
    let then = target.segment(&first, 1).unwrap().manifest.at_ms;
    let looked = fallback::look(&target, &own, Some(then)).unwrap();
    assert_eq!(looked.instead_of, Some(own.clone()));
    assert_eq!(looked.history[0].lineage, first);
    let store = ground.store(false);
    assert_eq!(ground.restoration(&*store).point().lineage, own);
}

#[test]
fn d4_a_history_without_anything_is_no_reason_to_begin_with_nothing() {
    let ground = Ground::new();
    let mut shipper = ground.take_over(&ground.other_store());
    for has_segment in [false, true] {
        if has_segment {
            let store = shipper.store.clone();
            commit(&*store, &shipper.noted, &[Write::Put(note(10))]);
            assert_eq!(shipper.ship().unwrap().segments, 1);
        }
        let before = ground.head();
        let refused = ground.open(&*ground.store(false)).err().unwrap();
        let is_it = matches!(refused, BackupError::NothingWhole { .. });
        assert!(is_it, "{refused}");
        // Nobody who writes there has to give way.
        assert_eq!(ground.head(), before);
        let unsound = restorable::check(&ground.target()).unwrap_err();
        assert!(matches!(unsound, BackupError::NothingWhole { .. }));
    }
}

#[test]
fn d4_a_history_that_began_with_nothing_and_has_nothing_may_be_begun_again() {
    let ground = Ground::new();
    let first = ground.opened(&*ground.store(false)).lineage;
    restorable::check(&ground.target()).unwrap();
    ground.clock.advance(Duration::from_secs(1));
    let second = ground.opened(&*ground.store(false)).lineage;
    assert_ne!(first, second);
    assert_eq!(ground.head_lineage(), second);
    let note = ground.target().lineage(&second).unwrap().unwrap();
    assert!(note.began_empty);
}

#[test]
fn d4_a_second_start_with_nothing_stored_is_a_beginning_with_nothing_too() {
    let ground = Ground::new();
    let store = ground.store(false);
    let first = ground.opened(&*store).lineage;
    ground.clock.advance(Duration::from_secs(1));
    // It ended before it stored anything, and all that is here is the name of its history.
    let second = ground.opened(&*store).lineage;
    assert_ne!(first, second);
    let note = ground.target().lineage(&second).unwrap().unwrap();
    assert!(note.began_empty);
    // With that disk nothing is lost.
    ground.clock.advance(Duration::from_secs(1));
    let third = ground.opened(&*ground.store(false)).lineage;
    assert_eq!(ground.head_lineage(), third);
}

#[test]
fn d4_a_start_that_was_interrupted_before_the_head_was_written_is_made_up_for() {
    let ground = Ground::new();
    let (old, first) = ground.ended();
    let before = ground.head();
    let other = ground.other_store();
    let interrupted = ground.take_over(&other).opened.lineage;
    ground.target().put(names::HEAD, before).unwrap();
    let opened = ground.opened(&*other);
    assert_eq!(ground.head_lineage(), opened.lineage);
    // Before its first copy the one from before still serves.
    assert_ne!(opened.lineage, first);
    let empty = ground.store(false);
    assert_eq!(ground.restoration(&*empty).point().lineage, first);
    // Whoever had the place before is told.
    let refused = ground.open(&*old).err().unwrap();
    let is_it = matches!(&refused, BackupError::Superseded { own, .. } if *own == first);
    assert!(is_it, "{refused}");
    assert_ne!(interrupted, first);
}

#[test]
fn d4_a_restored_history_whose_start_was_interrupted_goes_on() {
    let ground = Ground::new();
    let (old, first) = ground.ended();
    let store = ground.store(false);
    let restoration = ground.restoration(&*store);
    let data = ground.home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let clock = &*ground.clock;
    restoration.run(&*store, &data, clock, &mut |_| {}).unwrap();
    // Killed before its note says how far it goes on from.
    drop(restoration);
    ground.clock.advance(Duration::from_secs(1));
    let noted = Arc::new(Noted::new(1 << 20));
    let mut shipper = ground.shipper(&store, &noted);
    let empty = ground.store(false);
    let lost = ground.head();
    assert_eq!(ground.restoration(&*empty).point().lineage, first);
    ground.target().put(names::HEAD, lost).unwrap();
    snapshot(&mut shipper);
    assert_eq!(told(&*ground.restored(false, None)), told(&*old));
}

#[test]
fn d4_the_interval_of_the_last_start_is_the_one_that_counts() {
    let mut ground = Ground::new();
    let (store, lineage) = ground.ended();
    ground.config.interval = TimeSpan::from_secs(60);
    assert_eq!(ground.opened(&*store).lineage, lineage);
    let note = ground.target().lineage(&lineage).unwrap().unwrap();
    assert_eq!(note.interval_ms, 60_000);
}

#[test]
fn d4_a_start_that_follows_one_that_failed_does_not_wait_once_more() {
    let ground = Ground::new();
    let (_, lineage) = ground.ended();
    let target = ground.target();
    target.delete(vec![names::ended(&lineage)]).unwrap();
    ground.restoration(&*ground.store(false));
    // Whoever wrote there had this long to see that the place is taken. The clock stands while a start waits, so that one
    // that did would not end.
    let mut note = target.lineage(&lineage).unwrap().unwrap();
    note.interval_ms = 60_000;
    let note = to_json(&note);
    target.put(&names::lineage(&lineage), note).unwrap();
    ground.clock.advance(Duration::from_secs(180));
    let store = ground.store(false);
    assert_eq!(ground.restoration(&*store).point().lineage, lineage);
}

#[test]
fn d4_of_two_that_start_at_the_same_moment_the_loser_learns_of_it() {
    let ground = Ground::new();
    ground.ended();
    let (one, other) = (ground.store(false), ground.store(false));
    let first = ground.restoration(&*one);
    ground.clock.advance(Duration::from_secs(1));
    let second = ground.restoration(&*other);
    let refused = first.begin(&*one).err().unwrap();
    let is_it = matches!(refused, BackupError::Superseded { .. });
    assert!(is_it, "{refused}");
    ground.run(second, &*other);
}

#[test]
fn d4_a_gap_in_what_leads_to_the_newest_state_is_found() {
    let ground = Ground::new();
    let (store, lineage) = ground.ended();
    let noted = Arc::new(Noted::new(1 << 20));
    let mut shipper = ground.shipper(&store, &noted);
    for number in 3..6 {
        commit(&*store, &noted, &[Write::Put(note(number))]);
        shipper.ship().unwrap();
    }
    restorable::check(&ground.target()).unwrap();
    let middle = names::segment_manifest(&lineage, shipper.opened.sequence - 1);
    ground.target().delete(vec![middle]).unwrap();
    let error = restorable::check(&ground.target()).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
}
