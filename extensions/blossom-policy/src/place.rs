//! The directory of a media server: `index.sqlite`, `incoming/` for what is on its way in, `files/` for blobs where the
//! storage is this machine's, and `lock`.
//!
//! Invariant: one process has a directory, and in it all instances share one [`Place`], since a new one is built while the
//! old one still serves. What a process left behind that was killed is removed when the directory is opened anew.

use crate::index::{Index, IndexError};
use crate::places::Taken;
use crate::quota::Ledger;
use crate::spool::UnderWay;
use crate::storage::{Room, make_folder};
use crate::turns::Turns;
use rustix::fs::{FlockOperation, flock, statvfs};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore};

/// The directory of a media server, and what is kept in memory about it.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
    pub(crate) index: Index,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) turns: Turns,
    /// Uploads under way.
    pub(crate) uploads: Taken,
    /// Mirrors among them.
    pub(crate) mirrors: Taken,
    /// Archives under way.
    pub(crate) exports: Taken,
    /// Files on their way into `incoming/`.
    pub(crate) incoming_files: UnderWay,
    /// Parts of files that may be in memory on their way to an object store.
    pub(crate) parts: Arc<Semaphore>,
    /// Somebody has begun to work in it.
    is_begun: AtomicBool,
    /// Held by the process.
    _lock: File,
}

/// Why a directory cannot be had. Text names the directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    /// It cannot be read, made or written.
    #[error("path: {folder:?} cannot be used: {source}")]
    Disk {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("path: {0:?} is used by another process; wanted a directory for this relay alone")]
    Taken(PathBuf),
    /// Its index is not to be used.
    #[error("path: {folder:?}: {source}")]
    Index {
        folder: PathBuf,
        #[source]
        source: IndexError,
    },
}

/// The directories that this process has.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Place>>> = Mutex::const_new(BTreeMap::new());

/// Parts of 8 MiB that are sent to an object store at a time.
const PARTS_IN_MEMORY: usize = 4;
/// For how long the lock is waited for: an instance of this process may be about to let go of it.
const PATIENCE: Duration = Duration::from_secs(2);

impl Place {
    /// Opens a directory, which is made if it is not there. Blocks for a moment.
    pub(crate) async fn open(folder: &Path) -> Result<Arc<Self>, PlaceError> {
        let of_disk = |source| PlaceError::Disk {
            folder: folder.to_owned(),
            source,
        };
        let mut open = OPEN.lock().await;
        make_folder(folder).map_err(of_disk)?;
        let folder = folder.canonicalize().map_err(of_disk)?;
        if let Some(place) = open.get(&folder).and_then(Weak::upgrade) {
            return Ok(place);
        }
        open.retain(|_, place| place.strong_count() > 0);
        let place = Arc::new(Self::open_anew(&folder).await?);
        open.insert(folder, Arc::downgrade(&place));
        Ok(place)
    }

    async fn open_anew(folder: &Path) -> Result<Self, PlaceError> {
        let of_disk = |source| PlaceError::Disk {
            folder: folder.to_owned(),
            source,
        };
        let of_index = |source| PlaceError::Index {
            folder: folder.to_owned(),
            source,
        };
        let lock = File::create(folder.join("lock")).map_err(of_disk)?;
        take(&lock, folder).await?;
        let incoming = folder.join("incoming");
        make_folder(&incoming)
            .and_then(|()| empty(&incoming))
            .map_err(of_disk)?;
        let index = Index::open(&folder.join("index.sqlite")).await;
        let index = index.map_err(of_index)?;
        let ledger = Ledger::open(index.clone()).await.map_err(of_index)?;
        Ok(Place {
            folder: folder.to_owned(),
            index,
            ledger: Arc::new(ledger),
            turns: Turns::default(),
            uploads: Taken::default(),
            mirrors: Taken::default(),
            exports: Taken::default(),
            incoming_files: UnderWay::default(),
            parts: Arc::new(Semaphore::new(PARTS_IN_MEMORY)),
            is_begun: AtomicBool::new(false),
            _lock: lock,
        })
    }

    /// Whether this is the first time that it is asked: only then is what is unfinished in it a killed process's, and not
    /// that of an instance which still serves.
    pub(crate) fn begin(&self) -> bool {
        !self.is_begun.swap(true, Ordering::Relaxed)
    }

    /// Where files are on their way in.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    /// Where blobs are, if they are on this machine.
    pub(crate) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// Where a storage may write down what a crash must not make it forget.
    pub(crate) fn notes(&self) -> PathBuf {
        self.folder.join("unfinished")
    }

    /// The room of the disk that it is on.
    pub(crate) async fn room(&self) -> Option<Room> {
        let folder = self.folder.clone();
        let found = tokio::task::spawn_blocking(move || statvfs(&folder)).await;
        let found = found.ok()?.ok()?;
        Some(Room {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

/// Takes the lock of a directory.
async fn take(lock: &File, folder: &Path) -> Result<(), PlaceError> {
    let begun = Instant::now();
    while let Err(error) = flock(lock, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(PlaceError::Disk {
                folder: folder.to_owned(),
                source: error.into(),
            });
        }
        if begun.elapsed() > PATIENCE {
            return Err(PlaceError::Taken(folder.to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Removes the files in a folder.
fn empty(folder: &Path) -> io::Result<()> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    if removed > 0 {
        tracing::info!(removed, "uploads that were interrupted are removed");
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn b6_what_is_unfinished_is_ended_by_the_first_instance_of_a_process_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Place::open(folder.path()).await.unwrap();
        assert!(first.begin());
        // The next one is built while the first still serves.
        let second = Place::open(folder.path()).await.unwrap();
        assert!(!second.begin());
        drop((first, second));
        let anew = Place::open(folder.path()).await.unwrap();
        assert!(anew.begin());
    }
}
