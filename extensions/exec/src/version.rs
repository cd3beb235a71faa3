//! Which version of a program's file is there, so that a new one is noticed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    modified: Option<SystemTime>,
    inode: u64,
    bytes: u64,
}

impl Version {
    /// Of the file that is there now; `None` where there is none, as in the middle of a replacement.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Version {
            modified: file.modified().ok(),
            inode: file.ino(),
            bytes: file.len(),
        })
    }
}
