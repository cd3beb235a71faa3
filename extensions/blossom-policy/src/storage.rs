//! Where the bytes of blobs are. What they are, and whose, is the index's affair.
//!
//! Invariant: a blob that was put is durable and whole, or it is not there; what is read is what was put under this
//! hash. `conformance` shows the same of every backend.

#[cfg(test)]
pub(crate) mod conformance;
mod filesystem;
mod s3;
pub(crate) mod upstream;

pub(crate) use filesystem::{Filesystem, make_folder};
pub(crate) use s3::S3;
pub(crate) use upstream::Upstream;

use crate::blob::BlobHash;
use crate::spool::Spooled;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;

/// What is read at a time has so many bytes at most.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// A blob, or a part of it, in chunks of [`CHUNK_BYTES`] at most. It ends early with an error only.
pub(crate) type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes, StorageError>> + Send>>;

/// A place for the bytes of blobs.
#[async_trait]
pub(crate) trait BlobStore: Send + Sync {
    /// Stores what has come in under its hash, and is durable when it returns. May move the spooled file away. A blob
    /// that is there stays as it is.
    async fn put(&self, spooled: &Spooled, mime_type: &str) -> Result<(), StorageError>;

    /// A part of a blob that has so many bytes by the index; the range lies within it. What has another length is no blob.
    async fn get(
        &self,
        hash: &BlobHash,
        range: Range<u64>,
        size_bytes: u64,
    ) -> Result<BlobStream, StorageError>;

    /// Removes a blob, durably; one that is not there is fine.
    async fn delete(&self, hash: &BlobHash) -> Result<(), StorageError>;

    /// Its length, if it is there.
    async fn size(&self, hash: &BlobHash) -> Result<Option<u64>, StorageError>;

    /// The blobs in the order of their hashes, `max` of those after one.
    async fn list(
        &self,
        after: Option<BlobHash>,
        max: usize,
    ) -> Result<Vec<BlobHash>, StorageError>;

    /// Where it would be, if blobs are files of this machine.
    fn file_of(&self, _hash: &BlobHash) -> Option<PathBuf> {
        None
    }

    /// How much room there is, where that can be told.
    async fn room(&self) -> Option<Room>;

    /// Whether it answers.
    async fn check(&self) -> Result<(), StorageError>;
}

/// The room of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// What can be written yet.
    pub(crate) free_bytes: u64,
    /// What there is altogether.
    pub(crate) total_bytes: u64,
}

/// What can go wrong between the media server and its storage. Text is for the log: it names no blob.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// There is no such blob.
    #[error("the storage has no such blob")]
    Missing,
    /// It has no room.
    #[error("the storage is full")]
    Full(#[source] io::Error),
    /// The disk does not do what it should.
    #[error("the disk failed in {operation}")]
    Disk {
        /// What was asked of it.
        operation: &'static str,
        /// What it says.
        #[source]
        source: io::Error,
    },
    /// A server of objects does not answer, or says no.
    #[error("the storage's server failed in {operation}: {what}")]
    Remote {
        /// What was asked of it.
        operation: &'static str,
        /// The kind of failure, without a name or an address.
        what: String,
    },
    /// It has not answered, so nobody knows whether it has done what it was asked.
    #[error("the storage's server does not answer in {operation}: {what}")]
    NoAnswer {
        /// What was asked of it.
        operation: &'static str,
        /// What happened instead, without a name or an address.
        what: String,
    },
    /// What is there is not what was put there.
    #[error("the storage holds another file than it was given: {0}")]
    Corrupt(&'static str),
}

impl StorageError {
    /// For what a disk says.
    pub(crate) fn of_disk(operation: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => StorageError::Missing,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full(source),
            _ => StorageError::Disk { operation, source },
        }
    }
}

/// Does what blocks on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| StorageError::of_disk(operation, error))
}
