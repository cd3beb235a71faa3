//! Notes on this machine's disk of uploads in parts that are under way: a file for each, called by the blob's hash, with
//! what the store calls the upload.
//!
//! Invariant: a note is on the disk before the first part is sent, and goes when the store has the object or has given up the
//! parts.

use crate::blob::BlobHash;
use crate::storage::{StorageError, blocking, make_folder};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Notes of uploads.
#[derive(Clone, Debug)]
pub(super) struct Unfinished {
    folder: PathBuf,
}

impl Unfinished {
    /// Opens the folder, which is made if it is not there. Blocks.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        make_folder(folder)?;
        Ok(Unfinished {
            folder: folder.to_owned(),
        })
    }

    /// Notes an upload, durably.
    pub(super) async fn note(&self, hash: &BlobHash, id: &str) -> Result<(), StorageError> {
        let (folder, id) = (self.folder.clone(), id.to_owned());
        let path = folder.join(hash.to_string());
        let noted = blocking("note", move || {
            let mut file = File::create(path)?;
            file.write_all(id.as_bytes())?;
            file.sync_all()?;
            File::open(folder)?.sync_all()
        });
        noted.await
    }

    /// Forgets an upload.
    pub(super) async fn forget(&self, hash: &BlobHash) -> Result<(), StorageError> {
        let path = self.folder.join(hash.to_string());
        match blocking("forget", move || fs::remove_file(path)).await {
            Err(StorageError::Missing) => Ok(()),
            result => result,
        }
    }

    /// What is noted of a blob.
    pub(super) async fn of(&self, hash: &BlobHash) -> Result<Option<String>, StorageError> {
        let path = self.folder.join(hash.to_string());
        match blocking("read notes", move || fs::read_to_string(path)).await {
            Ok(id) => Ok(Some(id)),
            Err(StorageError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All that is noted.
    pub(super) async fn all(&self) -> Result<Vec<(BlobHash, String)>, StorageError> {
        let folder = self.folder.clone();
        let read = blocking("read notes", move || {
            let mut noted = Vec::new();
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let name = entry.file_name().into_string().unwrap_or_default();
                if let Ok(hash) = name.parse() {
                    noted.push((hash, fs::read_to_string(entry.path())?));
                }
            }
            Ok(noted)
        });
        read.await
    }
}
