//! Whose files and directories are, for whoever examines without being sure to run as the relay does.
//!
//! The system judges what this process may do, groups and lists of access included. Root may do everything, so what root
//! may do tells nothing of another user's relay: there the numbers of users are compared.

use rustix::fs::{Access, access};
use rustix::process::geteuid;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Whether this process may read a file, or write into a directory, as the relay does. False of what is not there.
pub fn is_ours(path: &Path) -> bool {
    let Ok(metadata) = fs::metadata(path) else {
        return false;
    };
    if geteuid().is_root() {
        return metadata.uid() == 0;
    }
    let wanted = match metadata.is_dir() {
        true => Access::WRITE_OK | Access::EXEC_OK,
        false => Access::READ_OK,
    };
    access(path, wanted).is_ok()
}

/// The path itself or the nearest above it that is there; fails with what keeps this user from seeing it.
pub fn nearest(path: &Path) -> io::Result<Option<&Path>> {
    for it in path.ancestors() {
        match it.metadata() {
            Ok(_) => return Ok(Some(it)),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                // A link that leads nowhere is in the way.
                if it.symlink_metadata().is_ok() {
                    return Ok(Some(it));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
