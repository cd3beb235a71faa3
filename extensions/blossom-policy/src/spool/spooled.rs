//! A file that has come in whole and belongs to nobody yet.
//!
//! Invariant: while it lives its file is there, and afterwards it is not, unless a storage has moved it.

use super::under_way::Begun;
use crate::blob::BlobHash;
use crate::sniffing::Forbidden;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;

/// The head of a file, from which its type is told, has so many bytes at most.
pub(crate) const HEAD_BYTES: usize = 64 << 10;
/// Its tail, where archives hide: the end of a ZIP file with the longest comment there can be, and a little more.
pub(crate) const TAIL_BYTES: usize = 66 << 10;

/// A file that has come in whole.
#[derive(Debug)]
pub(crate) struct Spooled {
    pub(super) file: TemporaryFile,
    pub(super) sha256: BlobHash,
    pub(super) size_bytes: u64,
    pub(super) md5: Option<[u8; 16]>,
    pub(super) sha1: Option<[u8; 20]>,
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
    pub(super) hides: Option<Forbidden>,
    /// Of those that come in at a time it is one until it is dropped.
    pub(super) _place: Begun,
}

impl Spooled {
    /// Where it is, to be moved from there by a storage.
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }

    /// The file that is there, open for reading and writing.
    pub(crate) fn file(&self) -> &File {
        &self.file.file
    }

    /// What it is called by.
    pub(crate) fn sha256(&self) -> BlobHash {
        self.sha256
    }

    /// Its length.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// If it was asked for.
    pub(crate) fn md5(&self) -> Option<[u8; 16]> {
        self.md5
    }

    /// If it was asked for.
    pub(crate) fn sha1(&self) -> Option<[u8; 20]> {
        self.sha1
    }

    /// Its first bytes, [`HEAD_BYTES`] at most.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Its last bytes, [`TAIL_BYTES`] at most.
    pub(crate) fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// What was found in it while it came in that head and tail need not show.
    pub(crate) fn hides(&self) -> Option<Forbidden> {
        self.hides
    }

    /// The file anew, at its beginning. Blocks.
    pub(crate) fn open(&self) -> io::Result<File> {
        File::open(self.path())
    }
}

/// A file that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct TemporaryFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl TemporaryFile {
    /// Makes a file for this user alone. Blocks.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let name = format!("{:032x}", rand::random::<u128>());
        let path = folder.join(name);
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path)?;
        Ok(TemporaryFile { file, path })
    }

    /// What stands at a place of the file. Blocks.
    pub(super) fn read_at(&self, from: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut read = vec![0; bytes];
        self.file.read_exact_at(&mut read, from)?;
        Ok(read)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        // To remove a large file takes the disk a while, for which no worker waits.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || remove(&path))),
            Err(_) => remove(&path),
        }
    }
}

/// Removes the file unless it was moved.
fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("a temporary file could not be removed: {error}");
        }
        _ => {}
    }
}
