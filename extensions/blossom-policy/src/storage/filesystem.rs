//! Blobs as files: `files/ab/cd/<sha256>`, where `abcd` is how the hash begins.
//!
//! Invariant: a name leads to a whole file that is on the disk. A file gets its name by renaming, after an fsync of its own
//! and before one of its folders; so the spool must be on the same file system.

use super::{BlobStore, BlobStream, CHUNK_BYTES, Room, StorageError, blocking};
use crate::blob::BlobHash;
use crate::spool::Spooled;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use rustix::fs::{Access, access, statvfs};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Blobs as files.
#[derive(Clone, Debug)]
pub(crate) struct Filesystem {
    folder: PathBuf,
}

impl Filesystem {
    /// Opens the folder, which is made if it is not there. Blocks.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        make_folder(folder)?;
        Ok(Filesystem {
            folder: folder.to_owned(),
        })
    }

    fn path_of(&self, hash: &BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(&name[2..4]).join(name)
    }
}

#[async_trait]
impl BlobStore for Filesystem {
    async fn put(&self, spooled: &Spooled, _mime_type: &str) -> Result<(), StorageError> {
        let there = self.path_of(&spooled.sha256());
        let here = spooled.path().to_owned();
        let file = spooled.file().try_clone();
        let file = file.map_err(|error| StorageError::of_disk("put", error))?;
        let root = self.folder.clone();
        let moved = blocking("put", move || {
            file.sync_all()?;
            move_durably(&here, &there, &root)
        });
        match moved.await {
            // What has come in was there a moment ago; of a storage only a blob can be missing.
            Err(StorageError::Missing) => Err(StorageError::Disk {
                operation: "put",
                source: io::ErrorKind::NotFound.into(),
            }),
            result => result,
        }
    }

    async fn get(
        &self,
        hash: &BlobHash,
        range: Range<u64>,
        size_bytes: u64,
    ) -> Result<BlobStream, StorageError> {
        let path = self.path_of(hash);
        let opened = blocking("get", move || {
            let file = File::open(path)?;
            let found_bytes = file.metadata()?.len();
            Ok((file, found_bytes))
        });
        let (file, found_bytes) = opened.await?;
        if found_bytes != size_bytes || range.end > size_bytes {
            return Err(StorageError::Corrupt(
                "a file has another length than its blob",
            ));
        }
        Ok(read(Arc::new(file), range))
    }

    async fn delete(&self, hash: &BlobHash) -> Result<(), StorageError> {
        let path = self.path_of(hash);
        let removed = blocking("delete", move || {
            fs::remove_file(&path)?;
            path.parent().map_or(Ok(()), sync_folder)
        });
        match removed.await {
            Err(StorageError::Missing) => Ok(()),
            result => result,
        }
    }

    async fn size(&self, hash: &BlobHash) -> Result<Option<u64>, StorageError> {
        let path = self.path_of(hash);
        match blocking("size", move || Ok(fs::metadata(path)?.len())).await {
            Ok(size_bytes) => Ok(Some(size_bytes)),
            Err(StorageError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(
        &self,
        after: Option<BlobHash>,
        max: usize,
    ) -> Result<Vec<BlobHash>, StorageError> {
        let root = self.folder.clone();
        blocking("list", move || list_files(&root, after, max)).await
    }

    fn file_of(&self, hash: &BlobHash) -> Option<PathBuf> {
        Some(self.path_of(hash))
    }

    async fn room(&self) -> Option<Room> {
        let folder = self.folder.clone();
        let room = blocking("room", move || {
            let found = statvfs(&folder)?;
            Ok(Room {
                free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
                total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            })
        });
        room.await.ok()
    }

    async fn check(&self) -> Result<(), StorageError> {
        let folder = self.folder.clone();
        let writable = blocking("check", move || {
            Ok(access(&folder, Access::WRITE_OK | Access::EXEC_OK)?)
        });
        match writable.await {
            Err(StorageError::Missing) => Err(StorageError::Disk {
                operation: "check",
                source: io::ErrorKind::NotFound.into(),
            }),
            result => result,
        }
    }
}

/// Makes a folder for this user alone, and those above it, if they are not there.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Renames a file into the second of two folders below `root`, which are made. All of the way is on the disk afterwards: a
/// folder that another has just made may not be there yet.
fn move_durably(here: &Path, there: &Path, root: &Path) -> io::Result<()> {
    let folders: Vec<&Path> = there.ancestors().skip(1).collect();
    let [second, first, ..] = folders[..] else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    make_folder(second)?;
    fs::rename(here, there)?;
    for folder in [second, first, root] {
        sync_folder(folder)?;
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What has been read to here, and has to be read to there.
fn read(file: Arc<File>, range: Range<u64>) -> BlobStream {
    let next = move |left: Range<u64>| {
        let file = file.clone();
        async move {
            if left.is_empty() {
                return Ok(None);
            }
            let bytes = (left.end - left.start).min(CHUNK_BYTES as u64);
            let from = left.start;
            let chunk = blocking("get", move || {
                let mut chunk = vec![0; bytes as usize];
                file.read_exact_at(&mut chunk, from)?;
                Ok(Bytes::from(chunk))
            });
            Ok(Some((chunk.await?, left.start + bytes..left.end)))
        }
    };
    Box::pin(stream::try_unfold(range, next))
}

/// The hashes of files after one, in their order, without reading folders that cannot have any.
fn list_files(root: &Path, after: Option<BlobHash>, max: usize) -> io::Result<Vec<BlobHash>> {
    let after = after.map(|hash| hash.to_string()).unwrap_or_default();
    let mut found = Vec::new();
    for first in names(root, after.get(..2).unwrap_or_default())? {
        let folder = root.join(&first);
        let is_edge = after.starts_with(&first);
        let from = after.get(2..4).filter(|_| is_edge);
        for second in names(&folder, from.unwrap_or_default())? {
            for name in names(&folder.join(&second), "")? {
                let hash: Option<BlobHash> = name.parse().ok();
                found.extend(hash.filter(|_| name.starts_with(&first) && name > after));
                if found.len() == max {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}

/// The names in a folder that are not before one, in their order; none where there is no folder.
fn names(folder: &Path, from: &str) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_no_folder(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(name.into_string().ok().filter(|name| name.as_str() >= from));
    }
    names.sort_unstable();
    Ok(names)
}

fn is_no_folder(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ground::{hash_of, noise, spooled};
    use crate::spool::Spool;
    use crate::storage::conformance;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn b6_the_disk_keeps_what_every_storage_keeps() {
        let folder = tempfile::tempdir().unwrap();
        let incoming = folder.path().join("incoming");
        fs::create_dir(&incoming).unwrap();
        let storage = Filesystem::open(&folder.path().join("files")).unwrap();
        conformance::run(&storage, &incoming).await;
        let room = storage.room().await.unwrap();
        assert!(room.free_bytes <= room.total_bytes && room.total_bytes > 0);
    }

    #[tokio::test]
    async fn b6_a_blob_is_a_file_for_this_user_alone_and_no_other_file_is_a_blob() {
        let folder = tempfile::tempdir().unwrap();
        let incoming = folder.path().join("incoming");
        fs::create_dir(&incoming).unwrap();
        let files = folder.path().join("files");
        let storage = Filesystem::open(&files).unwrap();
        let bytes = noise(1, 1_000);
        let spooled = spooled(&Spool::new(&incoming, 1), &bytes).await.unwrap();
        storage.put(&spooled, "image/png").await.unwrap();
        let name = hash_of(&bytes).to_string();
        let path = files.join(&name[..2]).join(&name[2..4]).join(&name);
        assert!(fs::read(&path).unwrap() == bytes);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&files)), (0o600, 0o700));
        fs::write(files.join("lost+found"), "").unwrap();
        fs::write(path.with_file_name("notes.txt"), "").unwrap();
        let elsewhere = hash_of(b"elsewhere").to_string();
        fs::create_dir_all(files.join("zz")).unwrap();
        fs::write(files.join("zz").join(elsewhere), "").unwrap();
        assert_eq!(storage.list(None, 10).await.unwrap(), [spooled.sha256()]);
    }

    #[tokio::test]
    async fn b15_a_storage_without_its_folder_is_not_well() {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files");
        let storage = Filesystem::open(&files).unwrap();
        storage.check().await.unwrap();
        fs::remove_dir(files).unwrap();
        assert!(matches!(
            storage.check().await,
            Err(StorageError::Disk { .. })
        ));
    }
}
