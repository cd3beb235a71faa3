//! A file of no content that holds room on the disk: thrown out when others have filled it, so that removals can be
//! written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    pub(super) fn in_directory(directory: &Path, bytes: u64) -> Self {
        Ballast {
            path: directory.join("ballast"),
            bytes,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the file aboard unless it is there.
    pub(super) fn load(&self) -> io::Result<()> {
        if self.bytes == 0 || self.path.metadata().is_ok_and(|m| m.len() == self.bytes) {
            return Ok(());
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&self.path)?;
        let loaded = allocate(&file, self.bytes);
        if loaded.is_err() {
            self.drop_overboard()?;
        }
        loaded
    }

    pub(super) fn drop_overboard(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Gives a file real blocks on the disk, not only a length.
pub(super) fn allocate(mut file: &File, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            let block = [0; 1 << 16];
            let mut left = bytes;
            while left > 0 {
                let length = left.min(block.len() as u64);
                file.write_all(&block[..length as usize])?;
                left -= length;
            }
            Ok(())
        }
        done => Ok(done?),
    }
}
