//! One task over one store: when an instance takes the place of another, both run for a moment.
//!
//! Invariant: as many entries as there are stores whose tasks run, and a few more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

static TASKS: Mutex<BTreeMap<PathBuf, Weak<tokio::sync::Mutex<()>>>> = Mutex::new(BTreeMap::new());

/// Waits until no other task works on the store in this directory; it is this one's turn while the answer is held.
pub(super) async fn turn(data_dir: &Path) -> OwnedMutexGuard<()> {
    let turn = {
        let mut tasks = TASKS.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|_, turn| turn.strong_count() > 0);
        let turn = tasks.get(data_dir).and_then(Weak::upgrade);
        turn.unwrap_or_else(|| {
            let turn = Arc::default();
            tasks.insert(data_dir.to_owned(), Arc::downgrade(&turn));
            turn
        })
    };
    turn.lock_owned().await
}
