//! Files of extensions and their blobs, on their way to the backup.
//!
//! Invariant: an object is named by the hash of what it holds, so it is written once, whoever has it and however often; a
//! list names what belongs together. Files are in a list only with a segment that was cut after they were copied: so a
//! restoration finds rows that are at least as new. What nothing names any more is deleted by `unnamed`; what extensions
//! that say nothing had before is `carried` over.

use super::BackupError;
use super::manifest::{BlobList, FORMAT, FileList, ListedFile};
use super::names;
use super::target::Target;
use crate::extension::{BackedUp, BackupBlob, BackupFiles};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What is known to be in the place, so that nothing is written twice.
#[derive(Debug, Default)]
pub(super) struct FileKeeper {
    /// Of each extension, the files of the last list: where to and hash.
    last: BTreeMap<String, Vec<(String, String)>>,
    /// Hashes of blobs that are there; `None` until somebody looked.
    blobs: Option<HashSet<String>>,
    /// The lineage whose lists these are, and the one before.
    lineage: Option<String>,
    lineage_before: Option<String>,
    /// Whether the lineage has lists of files of all extensions that had any before.
    has_all_files: bool,
}

/// Files of one extension that are in the place and in no list yet.
#[derive(Debug)]
pub(super) struct Kept {
    extension: String,
    files: Vec<ListedFile>,
    cursors: crate::extension::StoredCursors,
}

impl FileKeeper {
    /// Says which lineage is written. In a new one nothing is listed yet. Whether it is a new one.
    pub(super) fn follow(&mut self, lineage: Option<String>) -> bool {
        if lineage == self.lineage {
            return false;
        }
        self.lineage_before = std::mem::replace(&mut self.lineage, lineage);
        self.last.clear();
        self.has_all_files = false;
        true
    }

    /// The lineage whose lists these are.
    pub(super) fn lineage(&self) -> Option<&str> {
        self.lineage.as_deref()
    }

    /// Brings the files of extensions to their place, those that have changed. What is given has to be listed once a
    /// segment was cut. An extension that failed keeps its last list.
    pub(super) fn keep(
        &mut self,
        target: &Target,
        given: &[BackedUp],
        scratch: &Path,
    ) -> Result<(Vec<Kept>, u64), BackupError> {
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for one in given {
            let Ok(files) = &one.outcome else { continue };
            if let Some((files, sent)) = self.keep_files(target, one.extension, files, scratch)? {
                kept.push(files);
                bytes += sent;
            }
        }
        Ok((kept, bytes))
    }

    fn keep_files(
        &mut self,
        target: &Target,
        extension: &str,
        given: &BackupFiles,
        scratch: &Path,
    ) -> Result<Option<(Kept, u64)>, BackupError> {
        let mut files = Vec::with_capacity(given.files.len());
        let mut sent = 0;
        for file in &given.files {
            let (sha256, raw_bytes) = hash(&file.written)?;
            let restore_to = file.restore_to.to_string_lossy().into_owned();
            files.push((
                file,
                ListedFile {
                    restore_to,
                    sha256,
                    raw_bytes,
                },
            ));
        }
        let known: Vec<(String, String)> = files
            .iter()
            .map(|(_, it)| (it.restore_to.clone(), it.sha256.clone()))
            .collect();
        let last = self.last.get(extension);
        if last == Some(&known) || (last.is_none() && known.is_empty()) {
            return Ok(None);
        }
        for (file, listed) in &files {
            let name = names::file(&listed.sha256);
            if target.size(&name)?.is_none() {
                let packed = scratch.join("packed");
                pack(&file.written, &packed)?;
                sent += target.put_file(&name, &packed)?;
                std::fs::remove_file(&packed)?;
            }
        }
        let kept = Kept {
            extension: extension.to_owned(),
            files: files.into_iter().map(|(_, listed)| listed).collect(),
            cursors: given.cursors.clone(),
        };
        Ok(Some((kept, sent)))
    }

    /// Notes what is about to be listed, so that the same is not listed again.
    pub(super) fn note(&mut self, list: &FileList) {
        let known = list.files.iter();
        let known = known.map(|it| (it.restore_to.clone(), it.sha256.clone()));
        self.last.insert(list.extension.clone(), known.collect());
    }

    /// Brings a page of blobs to their place, those that are not there, and adds them to a list. One that is gone from the
    /// disk, or is not what it is called, is in the list if its place has it from before, and left out otherwise.
    pub(super) fn keep_blobs(
        &mut self,
        target: &Target,
        extension: &str,
        page: &[BackupBlob],
        list: &mut BlobList,
    ) -> Result<u64, BackupError> {
        let blobs = match &mut self.blobs {
            Some(blobs) => blobs,
            None => self.blobs.insert(blobs_in(target)?),
        };
        let mut sent = 0;
        for blob in page {
            let sha256 = const_hex::encode(blob.sha256);
            let on_disk = match hash(&blob.path) {
                Ok((found, bytes)) if found == sha256 => Some(bytes),
                Ok(_) => {
                    tracing::warn!(extension, sha256, "a blob is not what it is called");
                    None
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error.into()),
            };
            let name = names::blob(&sha256);
            let raw_bytes = match on_disk {
                Some(bytes) if blobs.contains(&sha256) => bytes,
                Some(_) => {
                    let bytes = target.put_file(&name, &blob.path)?;
                    blobs.insert(sha256.clone());
                    sent += bytes;
                    bytes
                }
                // The copy is the last good one, perhaps.
                None => match target.size(&name)? {
                    Some(bytes) => bytes,
                    None => continue,
                },
            };
            let restore_to = blob.restore_to.to_string_lossy().into_owned();
            list.blobs.push((
                extension.to_owned(),
                ListedFile {
                    restore_to,
                    sha256,
                    raw_bytes,
                },
            ));
        }
        Ok(sent)
    }

    /// So that the next list is complete.
    pub(super) fn forget_blobs(&mut self) {
        self.blobs = None;
    }
}

impl Kept {
    /// Its list, but for the segment and the time.
    pub(super) fn list(self) -> FileList {
        FileList {
            format: FORMAT,
            extension: self.extension,
            sequence: 0,
            at_ms: 0,
            cursors: self.cursors,
            files: self.files,
        }
    }
}

fn blobs_in(target: &Target) -> Result<HashSet<String>, BackupError> {
    let objects = target.list(names::BLOBS, None)?.into_iter();
    let hashes = objects.filter_map(|it| Some(it.name.rsplit('/').next()?.to_owned()));
    Ok(hashes.collect())
}

/// Hash and length.
pub(super) fn hash(path: &Path) -> io::Result<(String, u64)> {
    hash_of(File::open(path)?)
}

/// Hash and length of what is read, a piece at a time.
pub(super) fn hash_of(mut from: impl io::Read) -> io::Result<(String, u64)> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok((const_hex::encode(hash.finalize()), bytes)),
            read => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
        }
    }
}

fn pack(from: &Path, to: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(File::create(to)?, Compression::fast());
    io::copy(&mut File::open(from)?, &mut encoder)?;
    encoder.finish()?.flush()
}

mod carried;
#[cfg(test)]
mod tests;
