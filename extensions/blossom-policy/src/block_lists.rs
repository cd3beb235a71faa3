//! Files with hashes of what must not be stored (rule B7), as sorted arrays in memory.
//!
//! Invariants: lists are replaced whole or not at all, so nobody sees half of one; hashes are compared whole; and no hash
//! leaves this machine or stands in a log.

mod file;
mod hash_set;
mod looking;
#[cfg(test)]
mod tests;

pub(crate) use file::ListError;
pub(crate) use looking::keep_looking;

use hash_set::HashSet;
use looking::Looks;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// What is in force, shared by all who ask. Cheap to ask: a lock that nobody holds for long, and a binary search.
#[derive(Debug)]
pub(crate) struct BlockLists {
    files: Vec<PathBuf>,
    /// What the files looked like just before they were first read.
    first_looks: Looks,
    current: RwLock<Arc<Lists>>,
}

/// The hashes of all files together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lists {
    sha256: HashSet<32>,
    sha1: HashSet<20>,
    md5: HashSet<16>,
    /// Whether there is anything in a file, be it a note, by the number of the file.
    is_written: Vec<bool>,
}

impl BlockLists {
    /// Reads the files. Blocks, for seconds where lists are long.
    pub(crate) fn load(files: Vec<PathBuf>) -> Result<Self, ListError> {
        let first_looks = looking::looks_of(&files);
        let current = RwLock::new(Arc::new(file::read(&files)?));
        Ok(BlockLists {
            files,
            first_looks,
            current,
        })
    }

    /// Whether any list has the blob, by whichever of its hashes are known.
    pub(crate) fn is_blocked(
        &self,
        sha256: &[u8; 32],
        md5: Option<&[u8; 16]>,
        sha1: Option<&[u8; 20]>,
    ) -> bool {
        let lists = self.current();
        lists.sha256.contains(sha256)
            || md5.is_some_and(|md5| lists.md5.contains(md5))
            || sha1.is_some_and(|sha1| lists.sha1.contains(sha1))
    }

    /// Whether there is any list by MD5, so that uploads have to be hashed so as well.
    pub(crate) fn wants_md5(&self) -> bool {
        !self.current().md5.is_empty()
    }

    /// Whether there is any list by SHA-1.
    pub(crate) fn wants_sha1(&self) -> bool {
        !self.current().sha1.is_empty()
    }

    /// How many hashes are in force, of all kinds.
    pub(crate) fn hashes(&self) -> usize {
        let lists = self.current();
        lists.sha256.len() + lists.sha1.len() + lists.md5.len()
    }

    /// Reads the files anew and puts them in force, unless one is bad: then everything stays as it is. A file that has become
    /// empty is bad. Blocks. Whether anything has changed.
    pub(crate) fn reload(&self) -> Result<bool, ListError> {
        let read = file::read(&self.files)?;
        let before = self.current();
        let written = before.is_written.iter().zip(&read.is_written);
        let emptied = written
            .zip(&self.files)
            .find(|((was, is), _)| **was && !**is);
        if let Some((_, file)) = emptied {
            return Err(ListError::Emptied { file: file.clone() });
        }
        drop(before);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = **current != read;
        *current = Arc::new(read);
        Ok(is_new)
    }

    fn current(&self) -> Arc<Lists> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
