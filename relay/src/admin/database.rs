//! Which database a job is meant for, since a socket's path does not tell: two relays may name the same.
//!
//! The lock file decides: it stays the same when a compaction replaces the database, and it is the same by whatever path,
//! link or mount one comes to it.

use serde::{Deserialize, Serialize};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What the store locks in `data.path` against a second process.
const LOCK_FILE: &str = "trellis.lock";

/// A database on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its directory, without links; for people, since another mount may show it elsewhere.
    pub path: PathBuf,
    /// The device of its lock file.
    pub device: u64,
    /// The inode of its lock file.
    pub inode: u64,
}

impl Database {
    /// The database in `data.path`, which some process has opened at least once.
    pub fn of(data_path: &Path) -> io::Result<Self> {
        let path = data_path.canonicalize()?;
        let lock = path.join(LOCK_FILE).metadata()?;
        Ok(Database {
            path,
            device: lock.dev(),
            inode: lock.ino(),
        })
    }

    /// Whether both are one, however they are reached.
    pub fn is(&self, other: &Database) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn c21_a_database_is_the_same_by_a_link_and_no_other_is() {
        let home = tempfile::tempdir().unwrap();
        let [one, two, link] = ["one", "two", "link"].map(|name| home.path().join(name));
        for directory in [&one, &two] {
            fs::create_dir(directory).unwrap();
            assert!(Database::of(directory).is_err());
            fs::write(directory.join(LOCK_FILE), "").unwrap();
        }
        symlink(&one, &link).unwrap();
        let [one, two, link] = [one, two, link].map(|path| Database::of(&path).unwrap());
        assert!(one.is(&link) && !one.is(&two));
        assert_eq!(one.path, link.path);
    }
}
