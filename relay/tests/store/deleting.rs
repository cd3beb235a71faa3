//! What `trellis delete` does where the log of decisions cannot take its row.

use crate::draft::Draft;
use nostr::key::Keys;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use trellis_relay::admin::console::{Console, Note};
use trellis_relay::admin::delete::{DeleteJob, delete};
use trellis_relay::admin::target::{StoppedStore, Target};
use trellis_relay::clock::FakeClock;
use trellis_relay::config::Config;
use trellis_relay::decisions;
use trellis_relay::reason::Reason;
use trellis_relay::store::memory::MemoryStore;
use trellis_relay::store::{NoPolicy, Outcome, Store, StoreError, Stored, Write};

/// A store that has no room for rows while it takes removals, as one does whose map is full to its end.
struct Full {
    stopped: StoppedStore,
    is_full: AtomicBool,
}

impl Target for Full {
    fn store(&self) -> &Arc<dyn Store> {
        self.stopped.store()
    }

    fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let is_full = self.is_full.load(Relaxed);
        let (rows, others): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|write| is_full && matches!(write, Write::Append { .. }));
        let refused = Outcome::Refused(Reason::error("the store is full"));
        let mut outcomes = vec![refused; rows.len()];
        outcomes.extend(self.stopped.commit(others)?);
        Ok(outcomes)
    }

    fn config(&self) -> Arc<Config> {
        self.stopped.config()
    }

    fn now_s(&self) -> u64 {
        self.stopped.now_s()
    }

    fn is_live(&self) -> bool {
        false
    }

    fn keys(&self) -> Option<Keys> {
        None
    }

    fn may_hide(&self, _kinds: Option<&[u16]>) -> bool {
        false
    }

    fn shows_strangers(&self, stored: &Stored) -> bool {
        self.stopped.shows_strangers(stored)
    }
}

struct Silent;

impl Console for Silent {
    fn print(&mut self, _line: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn tell(&mut self, _note: Note) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

#[test]
fn c29_nothing_is_deleted_that_cannot_be_written_down() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let note = Draft::of(1).build();
    let put = [Write::Put(note.clone())];
    store.commit(&put, &NoPolicy, 0).unwrap();
    let clock = Arc::new(FakeClock::at_s(1_700_000_000));
    let target = Full {
        stopped: StoppedStore::new(store.clone(), Arc::new(Config::default()), clock),
        is_full: AtomicBool::new(true),
    };
    let job = DeleteJob {
        filter: serde_json::json!({"kinds": [1]}),
        reason: "legal: order 7".to_owned(),
        ..DeleteJob::default()
    };
    let problem = delete(&target, &job, &mut Silent).unwrap_err().to_string();
    assert!(problem.contains("the store is full"), "{problem}");
    assert!(store.contains(note.id()).unwrap());
    target.is_full.store(false, Relaxed);
    assert_eq!(delete(&target, &job, &mut Silent).unwrap().removed, 1);
    assert!(!store.contains(note.id()).unwrap());
    let rows = decisions::newest(&*store, None, 9).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].decision.rule, "legal process");
}
