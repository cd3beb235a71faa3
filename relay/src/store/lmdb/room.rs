//! How much room is left, and what to do when there is none.
//!
//! The map is larger than the quota by a reserve that only removals may enter: LMDB copies every page that it changes, so
//! a removal needs room before it gives any back. The same holds for the disk, where a ballast file is the reserve.
//! Fullness is decided by counting pages and asking the file system, because LMDB reports a full disk as any other
//! failure of output.

use super::ballast::Ballast;
use super::fault::{Fault, Result};
use crate::store::StoreError;
use lmdb::Environment;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which writes may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Everything,
    RemovalsOnly,
}

/// What a failed commit means.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The map is full: less may fit.
    MapFull,
    /// The disk is full; the ballast is gone.
    DiskFull,
    /// Nothing can be written any more.
    Broken(StoreError),
    /// Nothing to do with room.
    Other(StoreError),
}

#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    quota_bytes: u64,
    page_bytes: u64,
    ballast: Ballast,
    /// Set by commits; readers look without waiting for one.
    is_full: AtomicBool,
    is_broken: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The ballast was thrown out, or never found room.
    lacks_ballast: bool,
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EDQUOT: i32 = 122;
/// A disk with less than this is full, however small the ballast is.
const LEAST_DISK_BYTES: u64 = 1 << 20;

impl Room {
    pub(super) fn new(
        env: &Environment,
        directory: &Path,
        quota_bytes: u64,
        ballast_bytes: u64,
    ) -> Result<Self> {
        let room = Room {
            directory: directory.to_owned(),
            quota_bytes,
            page_bytes: u64::from(env.stat()?.page_size()),
            ballast: Ballast::in_directory(directory, ballast_bytes),
            is_full: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            state: Mutex::new(State {
                lacks_ballast: true,
            }),
        };
        // So that readers know before the first commit.
        room.admission(env)?;
        Ok(room)
    }

    /// Looks at quota and disk; called before every commit.
    pub(super) fn admission(&self, env: &Environment) -> Result<Admission> {
        let mut state = self.state();
        if self.is_broken.load(Relaxed) {
            return Err(broken().into());
        }
        let extent_bytes = (env.info()?.last_pgno() as u64 + 1) * self.page_bytes;
        let disk_bytes = self.disk_free_bytes()?;
        let least_bytes = self.least_disk_bytes();
        self.restore_ballast(&mut state, disk_bytes);
        let was_full = self.is_full.load(Relaxed);
        if !was_full && extent_bytes < self.quota_bytes && disk_bytes >= least_bytes {
            return Ok(Admission::Everything);
        }
        // Counting free pages means a walk, so it is left for when the answer depends on it.
        let free_bytes = env.freelist()? as u64 * self.page_bytes;
        let used_bytes = extent_bytes.saturating_sub(free_bytes);
        let is_full = self.exceeded(used_bytes, disk_bytes + free_bytes);
        if is_full != was_full {
            self.is_full.store(is_full, Relaxed);
            if is_full {
                tracing::error!(used_bytes, disk_bytes, "the store is full");
            } else {
                tracing::info!(used_bytes, disk_bytes, "the store has room again");
            }
        }
        Ok(match is_full {
            true => Admission::RemovalsOnly,
            false => Admission::Everything,
        })
    }

    /// Refuses where the disk and the file's free pages together have less; throws the ballast out before it does.
    pub(super) fn demand(&self, env: &Environment, bytes: u64) -> Result<()> {
        let page_bytes = self.page_bytes;
        let free_bytes = env.freelist()? as u64 * page_bytes;
        if free_bytes + self.disk_free_bytes()? >= bytes {
            return Ok(());
        }
        self.throw_ballast_out();
        let room_bytes = free_bytes + self.disk_free_bytes()?;
        if room_bytes >= bytes {
            return Ok(());
        }
        let needed = format!(
            "its records have to be moved before it opens, which takes {bytes} bytes of free disk, and there are \
             {room_bytes}; none was moved and the schema version is as it was"
        );
        Err(StoreError::Full(needed).into())
    }

    /// Writes, and once more without the ballast where the disk is full.
    pub(super) fn with_ballast<T>(&self, write: impl Fn() -> Result<T>) -> Result<T> {
        match write() {
            Err(fault) if self.is_disk_full(&fault) => {
                tracing::error!("the disk is full");
                self.throw_ballast_out();
                write()
            }
            done => done,
        }
    }

    fn throw_ballast_out(&self) {
        if let Err(error) = self.ballast.drop_overboard() {
            tracing::error!(%error, "the ballast file cannot be removed");
        }
        self.state().lacks_ballast = true;
    }

    /// Judges why a commit failed, and throws the ballast out where that helps.
    pub(super) fn judge(&self, fault: Fault) -> Verdict {
        match fault {
            Fault::Lmdb(lmdb::Error::MapFull) => Verdict::MapFull,
            fault if self.is_disk_full(&fault) => {
                let disk_bytes = self.disk_free_bytes().unwrap_or(0);
                tracing::error!(disk_bytes, "the disk is full");
                self.throw_ballast_out();
                self.is_full.store(true, Relaxed);
                Verdict::DiskFull
            }
            Fault::Lmdb(
                lmdb::Error::Panic
                | lmdb::Error::Corrupted
                | lmdb::Error::PageNotFound
                | lmdb::Error::Other(EIO),
            ) => self.give_up(fault),
            fault => Verdict::Other(fault.into()),
        }
    }

    /// Whether a failure to write means that the disk is full. LMDB tells of a write that was cut short as of any other
    /// failure of output, so what is left of the disk decides.
    pub(super) fn is_disk_full(&self, fault: &Fault) -> bool {
        let errno = match fault {
            Fault::Lmdb(lmdb::Error::Other(errno)) => Some(*errno),
            Fault::Store(StoreError::Io(error)) => error.raw_os_error(),
            _ => None,
        };
        match errno {
            Some(ENOSPC | EDQUOT) => true,
            Some(EIO) => self.disk_free_bytes().unwrap_or(0) < self.least_disk_bytes(),
            _ => false,
        }
    }

    pub(super) fn mark_full(&self) {
        self.is_full.store(true, Relaxed);
    }

    /// Whether a commit would take removals only, or nothing, as far as can be told without walking the list of free
    /// pages and without waiting for a commit.
    pub(super) fn looks_full(&self, env: &Environment, used_bytes: u64) -> Result<bool> {
        let extent_bytes = (env.info()?.last_pgno() as u64 + 1) * self.page_bytes;
        let free_bytes = extent_bytes.saturating_sub(used_bytes);
        let room_bytes = self.disk_free_bytes()? + free_bytes;
        Ok(self.is_broken.load(Relaxed) || self.exceeded(used_bytes, room_bytes))
    }

    /// `room_bytes` are those of the disk and of free pages.
    fn exceeded(&self, used_bytes: u64, room_bytes: u64) -> bool {
        let least_bytes = self.least_disk_bytes();
        match self.is_full.load(Relaxed) {
            false => used_bytes >= self.quota_bytes || room_bytes < least_bytes,
            // A little more room than made it full, lest it goes back and forth with every event.
            true => {
                used_bytes >= self.quota_bytes - self.quota_bytes / 32
                    || room_bytes < least_bytes + least_bytes / 4
            }
        }
    }

    pub(super) fn page_bytes(&self) -> u64 {
        self.page_bytes
    }

    pub(super) fn quota_bytes(&self) -> u64 {
        self.quota_bytes
    }

    fn give_up(&self, fault: Fault) -> Verdict {
        let error = StoreError::from(fault);
        tracing::error!(%error, "the store takes no more writes until it is opened again");
        self.is_broken.store(true, Relaxed);
        Verdict::Broken(error)
    }

    /// Takes the ballast aboard as soon as the disk has ample room for it.
    fn restore_ballast(&self, state: &mut State, disk_bytes: u64) {
        if !state.lacks_ballast || disk_bytes < 3 * self.ballast.bytes() {
            return;
        }
        match self.ballast.load() {
            Ok(()) => state.lacks_ballast = false,
            Err(error) => {
                tracing::warn!(%error, "no ballast file: a full disk may stop deletions too");
            }
        }
    }

    /// With less the disk counts as full.
    pub(super) fn least_disk_bytes(&self) -> u64 {
        self.ballast.bytes().max(LEAST_DISK_BYTES)
    }

    pub(super) fn disk_free_bytes(&self) -> std::io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.directory)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broken() -> StoreError {
    StoreError::Unavailable(
        "writing failed although there is room; the disk may be damaged, see the log".to_owned(),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{LmdbOptions, LmdbStore};
    use crate::store::Store as _;
    use std::sync::{Arc, mpsc};
    use std::time::Duration;
    use tempfile::TempDir;

    #[test]
    fn c19_stats_wait_for_no_commit() {
        let directory = TempDir::new().unwrap();
        let options = LmdbOptions {
            quota_bytes: 1 << 30,
            ballast_bytes: 0,
            ..LmdbOptions::default()
        };
        let store = Arc::new(LmdbStore::open(directory.path(), options).unwrap());
        let (tell, told) = mpsc::channel();
        let held = store.mapped.read().unwrap();
        let _held_by_a_commit = held.as_ref().unwrap().room.state();
        let asked = store.clone();
        std::thread::spawn(move || tell.send(asked.stats().unwrap()));
        let stats = told.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(!stats.full);
    }
}
