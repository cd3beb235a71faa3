//! Writes all tables anew in the order of keys into a second file, which then takes the place of the first.
//!
//! Invariant: the name `data.mdb` leads to a whole database at every moment, the old one or the new one, which is on the
//! disk before it gets the name. What a crash leaves in the directory [`BESIDE`] is thrown away by the next opening, and
//! nothing else is: the data directory may be one that others use too.

use super::cursor::{Pen, Walk};
use super::fault::{Fault, Result};
use super::keys;
use super::mapped::Mapped;
use super::opening;
use super::tables::{Table, Tables};
use crate::store::{CompactReport, Headway, StoreError, Watch};
use lmdb::{Environment, EnvironmentFlags};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Bytes of one transaction: more would make LMDB write pages out and take them up again.
const TRANSACTION_BYTES: usize = 32 << 20;

/// The directory of the second file, below the data directory. A name that nobody else would choose.
const BESIDE: &str = ".trellis-compacting";
/// What LMDB makes in a directory.
const FILES: [&str; 2] = ["data.mdb", "lock.mdb"];

/// Copies everything that a read transaction sees into the directory [`BESIDE`], and gives the sizes of both files.
pub(super) fn copy(from: &Mapped, directory: &Path, watch: Watch<'_>) -> Result<CompactReport> {
    let used_bytes = from.stats()?.used_bytes;
    want_no_link(directory)?;
    want_disk(from, directory, used_bytes)?;
    discard(directory)?;
    let target = beside(directory);
    DirBuilder::new()
        .mode(0o700)
        .create(&target)
        .map_err(at(&target))?;
    let map_bytes = from.env.info()?.map_size();
    let written = fill(from, &target, map_bytes, watch).and_then(|entries| {
        let file = File::open(target.join("data.mdb"))?;
        file.sync_all()?;
        Ok(CompactReport {
            entries,
            before_bytes: directory.join("data.mdb").metadata()?.len(),
            after_bytes: file.metadata()?.len(),
        })
    });
    written.map_err(|fault| match from.room.is_disk_full(&fault) {
        true => want_disk(from, directory, used_bytes)
            .err()
            .unwrap_or(fault),
        false => fault,
    })
}

/// Gives the new file the name of the old one. Neither may be open.
pub(super) fn put_in_place(directory: &Path) -> Result<()> {
    let from = beside(directory).join("data.mdb");
    std::fs::rename(from, directory.join("data.mdb"))?;
    opening::sync_names(directory)
}

/// Throws away what is left of a compaction; what is none of its doing stays.
pub(super) fn discard(directory: &Path) -> Result<()> {
    let beside = beside(directory);
    // Neither a file of that name nor a link to elsewhere was made here.
    if !beside.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    for name in FILES {
        let file = beside.join(name);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&file)(error)),
            _ => {}
        }
    }
    match std::fs::remove_dir(&beside) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(at(&beside)(error)),
        _ => Ok(()),
    }
}

fn beside(directory: &Path) -> PathBuf {
    directory.join(BESIDE)
}

fn at(path: &Path) -> impl Fn(io::Error) -> Fault {
    let path = path.to_owned();
    move |error| {
        let path = path.clone();
        StoreError::File { path, error }.into()
    }
}

/// The name would lead to the new file, beside it, and the old one would be left where the link led.
fn want_no_link(directory: &Path) -> Result<()> {
    let path = directory.join("data.mdb");
    match path.symlink_metadata().map_err(at(&path))?.is_symlink() {
        true => Err(StoreError::Link(path).into()),
        false => Ok(()),
    }
}

fn want_disk(from: &Mapped, directory: &Path, used_bytes: u64) -> Result<()> {
    let needed_bytes = used_bytes + from.room.least_disk_bytes();
    let free_bytes = from.room.disk_free_bytes()?;
    if free_bytes < needed_bytes {
        let directory = directory.to_owned();
        return Err(Fault::Store(StoreError::DiskSpace {
            directory,
            needed_bytes,
            free_bytes,
        }));
    }
    Ok(())
}

/// Says how many pairs were written.
fn fill(from: &Mapped, target: &Path, map_bytes: usize, watch: Watch<'_>) -> Result<u64> {
    let env = Environment::new()
        // Nobody else knows the file yet, and it is synced once, at its end.
        .set_flags(EnvironmentFlags::NO_LOCK | EnvironmentFlags::NO_SYNC)
        .set_max_dbs(Table::ALL.len() as u32)
        .set_map_size(map_bytes)
        .open_with_permissions(target, 0o600)?;
    let tables = Tables::open(&env)?;
    let seen = from.env.begin_ro_txn()?;
    let mut total = 0;
    for (table, _) in Table::ALL {
        total += from.tables.entries(&seen, table)?;
    }
    let mut done = 0;
    for (table, _) in Table::ALL {
        let mut walk = Walk::new(&seen, from.tables.of(table))?;
        let mut found = walk.first()?;
        while found.is_some() {
            let mut txn = env.begin_rw_txn()?;
            let mut pen = Pen::new(&mut txn, tables.of(table))?;
            let mut bytes = 0;
            while let Some((key, value)) = found
                && bytes < TRANSACTION_BYTES
            {
                let data_key = match table {
                    Table::Data => keys::read_data(key).map(|(row, chunk)| keys::data(row, chunk)),
                    _ => None,
                };
                pen.append(data_key.as_deref().unwrap_or(key), value)?;
                bytes += key.len() + value.len();
                done += 1;
                found = walk.next()?;
            }
            drop(pen);
            lmdb::Transaction::commit(txn)?;
            if watch(Headway { done, total }).is_break() {
                return Err(StoreError::Stopped.into());
            }
        }
    }
    if done != total {
        let problem = format!("its tables say that they have {total} entries, and have {done}");
        return Err(Fault::corrupt(problem));
    }
    env.sync(true)?;
    Ok(done)
}
