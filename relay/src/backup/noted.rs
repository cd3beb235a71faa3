//! What the writer has written beside events since the backup last asked: rows of extensions, deletions, who vanished.
//!
//! Invariant: whatever is committed is noted before the commit and once more after it. So if the backup takes the notes and
//! then looks at the store, what it cannot see there yet is noted again for the next time. Bounded by bytes: beyond, it is
//! only noted that all entries have to be looked at.

use crate::event::{Event, EventId, PublicKey};
use crate::reason::Reason;
use crate::store::{Cause, CommitPolicy, EntriesOf, KvWrites, StoreError, TxnRead, Write};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// NIP-09.
const DELETION: u16 = 5;
/// What a note takes beside its bytes, roughly.
const NOTE_BYTES: usize = 100;

/// Notes of the writer for the backup.
#[derive(Debug)]
pub struct Noted {
    bytes_max: usize,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    rows: HashSet<(String, Vec<u8>)>,
    /// How many rows were added to key spaces that only grow.
    appended: HashMap<String, u64>,
    deletions: HashMap<EventId, Arc<Event>>,
    vanishing: HashSet<PublicKey>,
    bytes: usize,
    is_overfull: bool,
}

/// What was noted.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Which entries may have changed.
    pub of: Vec<EntriesOf>,
    /// Others may have as well: there were too many to note.
    pub all: bool,
}

impl Noted {
    /// Notes of so many bytes at most.
    pub fn new(bytes_max: usize) -> Self {
        Noted {
            bytes_max,
            notes: Mutex::default(),
        }
    }

    /// Commits a batch, and notes what it writes before and after.
    pub fn around<T>(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        commit: impl FnOnce(&dyn CommitPolicy) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.note_writes(batch);
        let noting = Noting {
            inner: policy,
            noted: self,
            keys: RefCell::default(),
        };
        let committed = commit(&noting);
        self.note_writes(batch);
        self.note_keys(noting.keys.into_inner());
        committed
    }

    /// What was noted since this was last asked.
    pub fn take(&self) -> Taken {
        let notes = std::mem::take(&mut *self.lock());
        let rows = notes.rows.into_iter();
        let rows = rows.map(|(extension, key)| EntriesOf::Row { extension, key });
        let appended = notes.appended.into_iter();
        let appended = appended.map(|(space, rows)| EntriesOf::LastRows { space, rows });
        let deletions = notes.deletions.into_values().map(EntriesOf::Deletion);
        let vanishing = notes.vanishing.into_iter().map(EntriesOf::Vanishing);
        Taken {
            of: rows
                .chain(appended)
                .chain(deletions)
                .chain(vanishing)
                .collect(),
            all: notes.is_overfull,
        }
    }

    /// Notes that all entries have to be looked at.
    pub fn want_all(&self) {
        self.lock().overflow();
    }

    fn note_writes(&self, batch: &[Write]) {
        let notable = |write: &Write| match write {
            Write::Kv { .. } | Write::Append { .. } => true,
            Write::Vanish(_) | Write::EndVanishing(_) => true,
            Write::Put(event) => event.kind() == DELETION,
            Write::Remove(..) => false,
        };
        if !batch.iter().any(notable) {
            return;
        }
        let mut notes = self.lock();
        for write in batch {
            match write {
                Write::Kv { extension, key, .. } => {
                    notes.row((extension.clone(), key.clone()), self.bytes_max);
                }
                Write::Append { space, .. } => notes.appended(space, self.bytes_max),
                Write::Put(event) if event.kind() == DELETION => {
                    notes.deletion(event, self.bytes_max);
                }
                Write::Vanish(event) => notes.vanishing(event.pubkey(), self.bytes_max),
                Write::EndVanishing(vanishing) => {
                    notes.vanishing(&vanishing.pubkey, self.bytes_max);
                }
                Write::Put(_) | Write::Remove(..) => {}
            }
        }
    }

    fn note_keys(&self, keys: Vec<(String, Vec<u8>)>) {
        if keys.is_empty() {
            return;
        }
        let mut notes = self.lock();
        for key in keys {
            notes.row(key, self.bytes_max);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn row(&mut self, row: (String, Vec<u8>), bytes_max: usize) {
        let bytes = row.0.len() + row.1.len();
        if !self.is_overfull && self.rows.insert(row) {
            self.weigh(bytes, bytes_max);
        }
    }

    /// Its number is known to the commit alone. Noted before and after it, a row is counted twice: a few older ones are
    /// looked at as well then.
    fn appended(&mut self, space: &str, bytes_max: usize) {
        if !self.is_overfull {
            *self.appended.entry(space.to_owned()).or_default() += 1;
            self.weigh(0, bytes_max);
        }
    }

    fn deletion(&mut self, event: &Arc<Event>, bytes_max: usize) {
        let bytes = event.json().len();
        if !self.is_overfull && self.deletions.insert(*event.id(), event.clone()).is_none() {
            self.weigh(bytes, bytes_max);
        }
    }

    fn vanishing(&mut self, pubkey: &PublicKey, bytes_max: usize) {
        if !self.is_overfull && self.vanishing.insert(*pubkey) {
            self.weigh(0, bytes_max);
        }
    }

    fn weigh(&mut self, bytes: usize, bytes_max: usize) {
        self.bytes += bytes + NOTE_BYTES;
        if self.bytes > bytes_max {
            self.overflow();
        }
    }

    fn overflow(&mut self) {
        *self = Notes {
            is_overfull: true,
            ..Notes::default()
        };
    }
}

/// The word of the extensions, and a look at the rows that they write.
struct Noting<'n> {
    inner: &'n dyn CommitPolicy,
    noted: &'n Noted,
    /// Of this commit.
    keys: RefCell<Vec<(String, Vec<u8>)>>,
}

impl Noting<'_> {
    fn look(&self, rows: &KvWrites) {
        let keys: Vec<(String, Vec<u8>)> = rows.keys().cloned().collect();
        self.keys.borrow_mut().extend_from_slice(&keys);
        self.noted.note_keys(keys);
    }
}

impl CommitPolicy for Noting<'_> {
    fn wants_commit(&self, kind: u16) -> bool {
        self.inner.wants_commit(kind)
    }

    fn on_commit(
        &self,
        event: &Event,
        removes: &[Arc<Event>],
        txn: &dyn TxnRead,
    ) -> Result<KvWrites, Reason> {
        let rows = self.inner.on_commit(event, removes, txn)?;
        self.look(&rows);
        Ok(rows)
    }

    fn on_vanish(&self, request: &Event, txn: &dyn TxnRead) -> KvWrites {
        let rows = self.inner.on_vanish(request, txn);
        self.look(&rows);
        rows
    }

    fn guards_removal(&self, kind: u16) -> bool {
        self.inner.guards_removal(kind)
    }

    fn may_remove(&self, event: &Event, cause: Cause) -> bool {
        self.inner.may_remove(event, cause)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{NoPolicy, Store as _};

    fn row(key: &[u8]) -> Write {
        Write::Kv {
            extension: "test".to_owned(),
            key: key.to_vec(),
            value: Some(vec![1]),
        }
    }

    #[test]
    fn d4_rows_are_noted_before_and_after_their_commit() {
        let (noted, store) = (Noted::new(1 << 20), MemoryStore::default());
        let batch = [row(b"a"), row(b"b")];
        let committed = noted.around(&batch, &NoPolicy, |policy| {
            assert_eq!(noted.take().of.len(), 2);
            store.commit(&batch, policy, 0)
        });
        assert_eq!(committed.unwrap().len(), 2);
        let taken = noted.take();
        assert_eq!((taken.of.len(), taken.all), (2, false));
        assert!(noted.take().of.is_empty());
    }

    #[test]
    fn d4_rows_that_are_added_are_counted() {
        let noted = Noted::new(1 << 20);
        let append = Write::Append {
            space: "grows".to_owned(),
            entry: b"entry".to_vec(),
            even_if_full: true,
        };
        noted.note_writes(&[append.clone(), append]);
        let taken = noted.take();
        let [EntriesOf::LastRows { space, rows }] = &taken.of[..] else {
            panic!("{taken:?}");
        };
        assert_eq!((&space[..], *rows), ("grows", 2));
    }

    #[test]
    fn d4_too_many_notes_are_one() {
        let noted = Noted::new(1_000);
        let rows: Vec<Write> = (0..100).map(|n| row(&[n])).collect();
        noted.note_writes(&rows);
        let taken = noted.take();
        assert!(taken.all && taken.of.is_empty());
        assert!(!noted.take().all);
    }
}
