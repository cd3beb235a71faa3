//! Opens the directory: the lock against a second process, the size of the map, the table of readers.

use super::LmdbOptions;
use super::ballast;
use super::fault::{Fault, Result};
use super::tables::Table;
use crate::store::StoreError;
use lmdb::{Environment, EnvironmentFlags};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

const PAGE_BYTES: u64 = 4096;
/// LMDB's own: a reader's slot, and what stands before the first.
const READER_BYTES: u64 = 64;
const READER_TABLE_HEADER_BYTES: u64 = 256;

/// Takes the directory for this process; the lock ends with the file, however the process ends.
pub(super) fn lock(directory: &Path) -> Result<File> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(directory.join("trellis.lock"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::InUse(directory.to_owned()).into()),
        Err(errno) => Err(std::io::Error::from(errno).into()),
    }
}

/// Opens the environment of a locked directory, fully synchronous: a commit that returned is on the disk.
pub(super) fn environment(directory: &Path, options: &LmdbOptions) -> Result<Environment> {
    allocate_reader_table(directory, options.max_readers)?;
    let stored_bytes = match directory.join("data.mdb").metadata() {
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    // Changing the size later would pull pages from under readers, so it is fixed here, whatever the file holds already.
    let map_bytes = options.quota_bytes.max(stored_bytes) + options.reserve_bytes();
    let map_bytes = usize::try_from(map_bytes.next_multiple_of(PAGE_BYTES)).map_err(|_| {
        Fault::from(StoreError::Full(
            "the quota exceeds the address space".into(),
        ))
    })?;
    Ok(Environment::new()
        // Slots of the reader table belong to transactions, not to threads that may come and go.
        .set_flags(EnvironmentFlags::NO_TLS)
        .set_max_readers(options.max_readers)
        .set_max_dbs(Table::MOST_OPEN)
        .set_map_size(map_bytes)
        .open_with_permissions(directory, 0o600)?)
}

/// Makes the names of new files as durable as their contents will be.
pub(super) fn sync_names(directory: &Path) -> Result<()> {
    File::open(directory)?.sync_all()?;
    // A relative path of one name has an empty parent.
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => Ok(File::open(parent)?.sync_all()?),
        _ => Ok(()),
    }
}

/// Gives LMDB's table of readers its blocks: it is mapped, and a reader that entered it on a full disk would die of
/// SIGBUS. Done before LMDB opens the file, since closing it afterwards would let go of LMDB's own lock.
fn allocate_reader_table(directory: &Path, max_readers: u32) -> Result<()> {
    let path = directory.join("lock.mdb");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| StoreError::File { path, error })?;
    let bytes = u64::from(max_readers) * READER_BYTES + READER_TABLE_HEADER_BYTES;
    let bytes = bytes.next_multiple_of(PAGE_BYTES);
    if file.metadata()?.len() < bytes {
        ballast::allocate(&file, bytes)?;
    }
    Ok(())
}
