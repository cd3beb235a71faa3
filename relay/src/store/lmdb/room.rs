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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_full: bool,
    is_broken: bool,
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
            state: Mutex::default(),
        };
        room.state().lacks_ballast = true;
        room.restore_ballast(&mut room.state(), room.disk_free_bytes()?);
        Ok(room)
    }

    /// Looks at quota and disk; called before every commit.
    pub(super) fn admission(&self, env: &Environment) -> Result<Admission> {
        let mut state = self.state();
        if state.is_broken {
            return Err(broken().into());
        }
        let extent_bytes = (env.info()?.last_pgno() as u64 + 1) * self.page_bytes;
        let disk_bytes = self.disk_free_bytes()?;
        let least_bytes = self.least_disk_bytes();
        self.restore_ballast(&mut state, disk_bytes);
        if !state.is_full && extent_bytes < self.quota_bytes && disk_bytes >= least_bytes {
            return Ok(Admission::Everything);
        }
        // Counting free pages means a walk, so it is left for when the answer depends on it.
        let free_bytes = env.freelist()? as u64 * self.page_bytes;
        let used_bytes = extent_bytes.saturating_sub(free_bytes);
        let is_full = match state.is_full {
            false => used_bytes >= self.quota_bytes || disk_bytes + free_bytes < least_bytes,
            // A little more room than made it full, lest it goes back and forth with every event.
            true => {
                used_bytes >= self.quota_bytes - self.quota_bytes / 32
                    || disk_bytes + free_bytes < least_bytes + least_bytes / 4
            }
        };
        if is_full != state.is_full {
            state.is_full = is_full;
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

    /// Judges why a commit failed, and throws the ballast out where that helps.
    pub(super) fn judge(&self, fault: Fault) -> Verdict {
        match fault {
            Fault::Lmdb(lmdb::Error::MapFull) => Verdict::MapFull,
            Fault::Lmdb(lmdb::Error::Other(errno @ (EIO | ENOSPC | EDQUOT))) => {
                let disk_bytes = self.disk_free_bytes().unwrap_or(0);
                if errno == EIO && disk_bytes >= self.least_disk_bytes() {
                    return self.give_up(fault);
                }
                tracing::error!(disk_bytes, "the disk is full");
                if let Err(error) = self.ballast.drop_overboard() {
                    tracing::error!(%error, "the ballast file cannot be removed");
                }
                let mut state = self.state();
                state.is_full = true;
                state.lacks_ballast = true;
                Verdict::DiskFull
            }
            Fault::Lmdb(
                lmdb::Error::Panic | lmdb::Error::Corrupted | lmdb::Error::PageNotFound,
            ) => self.give_up(fault),
            fault => Verdict::Other(fault.into()),
        }
    }

    pub(super) fn mark_full(&self) {
        self.state().is_full = true;
    }

    /// Bytes of pages in use.
    pub(super) fn used_bytes(&self, env: &Environment) -> Result<u64> {
        let pages = env.info()?.last_pgno() as u64 + 1;
        Ok(pages.saturating_sub(env.freelist()? as u64) * self.page_bytes)
    }

    pub(super) fn quota_bytes(&self) -> u64 {
        self.quota_bytes
    }

    fn give_up(&self, fault: Fault) -> Verdict {
        let error = StoreError::from(fault);
        tracing::error!(%error, "the store takes no more writes until it is opened again");
        self.state().is_broken = true;
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

    fn least_disk_bytes(&self) -> u64 {
        self.ballast.bytes().max(LEAST_DISK_BYTES)
    }

    fn disk_free_bytes(&self) -> std::io::Result<u64> {
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
