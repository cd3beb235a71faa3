//! What can go wrong in a store, in words for those who run it.

use super::MAX_KEY_BYTES;
use std::io;
use std::path::PathBuf;

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the directory open.
    #[error(
        "the data directory {0} is in use by another process; stop it first, or give this one another [data] path"
    )]
    InUse(PathBuf),
    /// Written by a newer version.
    #[error(
        "the data directory has schema version {found}, this program knows {known}; use a newer Trellis"
    )]
    Schema {
        /// As stored.
        found: u32,
        /// As compiled in.
        known: u32,
    },
    /// No room: the quota or the disk is full. Reads and removals go on.
    #[error("the store is full: {0}")]
    Full(String),
    /// Not reachable now; trying again may help.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Stored bytes do not make sense.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The key of an extension's row is too long.
    #[error("a key of {0} bytes is longer than {MAX_KEY_BYTES}")]
    KeyTooLong(usize),
    /// The value of an extension's row is too long.
    #[error("a value of {bytes} bytes is longer than {max_bytes}")]
    ValueTooLong {
        /// So long it is.
        bytes: usize,
        /// So long it may be.
        max_bytes: usize,
    },
    /// Whoever watched had it stopped.
    #[error("it was stopped before it was done; nothing has changed")]
    Stopped,
    /// Not enough free disk for a second database beside the first.
    #[error(
        "compacting needs {needed_bytes} bytes of free disk below {}, and {free_bytes} are free",
        directory.display()
    )]
    DiskSpace {
        /// Where the new database would be written.
        directory: PathBuf,
        /// So much at most.
        needed_bytes: u64,
        /// So much there is.
        free_bytes: u64,
    },
    /// The database is elsewhere.
    #[error(
        "{} is a symbolic link, which compacting would replace by a file; set [data] path to the directory it leads to",
        _0.display()
    )]
    Link(PathBuf),
    /// The file system's word on a file.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// The file system's word.
    #[error(transparent)]
    Io(#[from] io::Error),
}
