//! Opens the store of a relay that has a backup, and restores it first where it is empty.
//!
//! Invariant: what is restored is filled in a directory beside the database and takes its place when it is whole; so an
//! interruption leaves an empty database, and the next start begins again. Nothing is restored into a store that holds
//! anything.

use super::BackupError;
use super::opening::{Opened, Opening, Start};
use super::own_rows::is_empty;
use super::restoration::Restoration;
use super::restoring::Progress;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::lmdb::LmdbStore;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a store is filled, below the data directory. A name that nobody else would choose.
const BESIDE: &str = ".trellis-restoring";
/// What LMDB makes in a directory.
const DATABASE: &str = "data.mdb";
const READERS: &str = "lock.mdb";
/// Progress is told so often.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How a store is opened in a directory, made where there is none.
pub type OpenStore<'o, E> = &'o (dyn Fn(&Path) -> Result<LmdbStore, E> + Sync);

/// Opens the store that a configuration names, and its backup. Blocks, for as long as a restoration takes.
pub fn open_store<E: From<BackupError> + Send>(
    config: &Config,
    clock: &dyn Clock,
    open: OpenStore<'_, E>,
) -> Result<(LmdbStore, Option<Opened>), E> {
    let store = open(&config.data.path)?;
    discard(&config.data.path)?;
    if !config.backup.is_on() {
        return Ok((store, None));
    }
    // Whoever calls may be on a thread of an async runtime, which must not wait for another one.
    std::thread::scope(|scope| {
        let opening = std::thread::Builder::new()
            .name("backup".into())
            .spawn_scoped(scope, || open_with_backup(config, clock, open, store))
            .map_err(BackupError::from)?;
        opening
            .join()
            .unwrap_or_else(|_| Err(BackupError::Died.into()))
    })
}

fn open_with_backup<E: From<BackupError>>(
    config: &Config,
    clock: &dyn Clock,
    open: OpenStore<'_, E>,
    store: LmdbStore,
) -> Result<(LmdbStore, Option<Opened>), E> {
    let opening = Opening {
        config: &config.backup,
        clock,
        takes_over: false,
        may_claim_later: true,
        started_at_row: None,
        note: None,
    };
    let restoration = match opening.open(&store, &|words| tracing::info!("{words}"))? {
        Start::Ready(opened) => return Ok((store, Some(*opened))),
        Start::Restore(restoration) => restoration,
    };
    tracing::info!(
        at_ms = restoration.point().at_ms,
        "the database is empty: it is restored from the backup"
    );
    let mut told = clock.monotonic();
    let mut tell = |progress: Progress| {
        if clock.monotonic().saturating_sub(told) >= TELL_EVERY {
            told = clock.monotonic();
            let Progress {
                objects,
                objects_in_all,
                events,
            } = progress;
            tracing::info!(objects, objects_in_all, events, "restoring");
        }
    };
    let path = &config.data.path;
    let store = replace(path, open, store, |beside| {
        restoration.run(beside, path, clock, &mut tell).map(drop)
    })?;
    say_done(&restoration);
    let opened = restoration.begin(&store)?;
    Ok((store, Some(opened)))
}

fn say_done(restoration: &Restoration) {
    let point = restoration.point();
    tracing::info!(
        lineage = point.lineage,
        sequence = point.sequence,
        "the database is restored"
    );
}

/// Puts a store that `fill` has filled in the place of an empty one.
pub(super) fn replace<E: From<BackupError>>(
    path: &Path,
    open: OpenStore<'_, E>,
    store: LmdbStore,
    fill: impl FnOnce(&LmdbStore) -> Result<(), BackupError>,
) -> Result<LmdbStore, E> {
    if !is_empty(&store).map_err(BackupError::from)? {
        return Err(BackupError::NotEmpty(path.to_owned()).into());
    }
    let beside = path.join(BESIDE);
    let filled = open(&beside)?;
    fill(&filled)?;
    // Neither may be open when the one takes the other's place. The lock of the directory beside is gone with it.
    drop(filled);
    drop(store);
    put_in_place(path, &beside).map_err(|source| BackupError::File {
        path: path.to_owned(),
        source,
    })?;
    open(path)
}

fn put_in_place(path: &Path, beside: &Path) -> io::Result<()> {
    // Of the empty one; LMDB makes it anew.
    match fs::remove_file(path.join(READERS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(beside.join(DATABASE), path.join(DATABASE))?;
    fs::remove_dir_all(beside)?;
    File::open(path)?.sync_all()
}

/// Throws away what an interrupted restoration has left.
fn discard(path: &Path) -> Result<(), BackupError> {
    let beside: PathBuf = path.join(BESIDE);
    if !beside.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    fs::remove_dir_all(&beside).map_err(|source| BackupError::File {
        path: beside,
        source,
    })
}
