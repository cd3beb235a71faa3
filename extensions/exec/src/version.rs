//! Which version of a program's file is there, so that a new one is noticed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

/// What changes when a file is written, replaced, or made executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    modified: Option<SystemTime>,
    /// When its mode or owner changed last: seconds, and nanoseconds on top.
    changed: (i64, i64),
    inode: u64,
    bytes: u64,
}

impl Version {
    /// Of the file that is there now; `None` where there is none, as in the middle of a replacement.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Version {
            modified: file.modified().ok(),
            changed: (file.ctime(), file.ctime_nsec()),
            inode: file.ino(),
            bytes: file.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn e12_a_file_that_is_made_executable_is_a_new_version() {
        let file = std::env::temp_dir().join(format!("trellis-exec-{}", std::process::id()));
        fs::write(&file, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let before = Version::of(&file);
        // A file system's clock may stand still for some milliseconds.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut after = before;
        while after == before && std::time::Instant::now() < until {
            fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
            after = Version::of(&file);
        }
        fs::remove_file(&file).unwrap();
        assert!(before.is_some() && after.is_some());
        assert_ne!(before, after);
    }
}
