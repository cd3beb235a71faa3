//! A directory of this machine as a place for copies, a disk of another machine perhaps.
//!
//! Invariant: a file has its name only when it is whole and on the disk. What was being written when the power failed is
//! left under a name that no list shows.

use super::target::Object;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Names of files that are being written begin so.
const UNFINISHED: &str = ".writing-";

/// A directory.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Makes it where it is missing.
    pub(super) fn open(path: &str) -> io::Result<Self> {
        let root = PathBuf::from(path);
        make_directory(&root)?;
        Ok(Directory { root })
    }

    /// Says whether it was written: without `replaces` only where there is none.
    pub(super) fn put(&self, name: &str, bytes: &[u8], replaces: bool) -> io::Result<bool> {
        self.write(name, replaces, |file| file.write_all(bytes))
    }

    /// Replaces what is there.
    pub(super) fn put_from(&self, name: &str, from: &mut File) -> io::Result<()> {
        let written = self.write(name, true, |file| io::copy(from, file).map(drop));
        written.map(drop)
    }

    fn write(
        &self,
        name: &str,
        replaces: bool,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<bool> {
        let path = self.root.join(name);
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        make_directory(&folder)?;
        let aside = folder.join(format!("{UNFINISHED}{:016x}", rand::random::<u64>()));
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&aside)?;
        let filled = fill(&mut file).and_then(|()| file.sync_all());
        let named = filled.and_then(|()| match replaces {
            true => fs::rename(&aside, &path).map(|()| true),
            false => match fs::hard_link(&aside, &path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            },
        });
        if !(replaces && named.is_ok()) {
            // It has another name now, or none.
            let _ = fs::remove_file(&aside);
        }
        let named = named?;
        File::open(&folder)?.sync_all()?;
        Ok(named)
    }

    /// For reading, if it is there.
    pub(super) fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        found(File::open(self.root.join(name)))
    }

    pub(super) fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        found(fs::read(self.root.join(name)))
    }

    pub(super) fn size(&self, name: &str) -> io::Result<Option<u64>> {
        let found = found(self.root.join(name).metadata())?;
        Ok(found.filter(|it| it.is_file()).map(|it| it.len()))
    }

    /// Files below a folder, in no particular order.
    pub(super) fn list(&self, folder: &str) -> io::Result<Vec<Object>> {
        let mut objects = Vec::new();
        let mut folders = vec![self.root.join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in entries(&folder)? {
                let (path, metadata) = entry;
                if metadata.is_dir() {
                    folders.push(path);
                } else if let Some(name) = self.name_of(&path) {
                    let bytes = metadata.len();
                    objects.push(Object { name, bytes });
                }
            }
        }
        Ok(objects)
    }

    /// The last names of folders right below a folder, in no particular order.
    pub(super) fn folders(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = entries(&self.root.join(folder))?.into_iter();
        let folders = entries.filter(|(_, metadata)| metadata.is_dir());
        Ok(folders
            .filter_map(|(path, _)| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    /// With the folders that it leaves empty. One that is not there is fine.
    pub(super) fn delete(&self, name: &str) -> io::Result<()> {
        let path = self.root.join(name);
        found(fs::remove_file(&path))?;
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|it| *it != self.root && it.starts_with(&self.root)) {
            if fs::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
        Ok(())
    }

    fn name_of(&self, path: &Path) -> Option<String> {
        let name = path.strip_prefix(&self.root).ok()?.to_str()?;
        let last = path.file_name()?.to_str()?;
        (!last.starts_with(UNFINISHED)).then(|| name.to_owned())
    }
}

/// What is in a folder, which may go or lose something meanwhile.
fn entries(folder: &Path) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
    let mut all = Vec::new();
    for entry in found(fs::read_dir(folder))?.into_iter().flatten() {
        let entry = entry?;
        if let Some(metadata) = found(entry.metadata())? {
            all.push((entry.path(), metadata));
        }
    }
    Ok(all)
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn d4_a_file_appears_whole_or_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("a/b");
        let directory = Directory::open(root.to_str().unwrap()).unwrap();
        assert!(directory.put("x/1.json", b"one", true).unwrap());
        assert!(!directory.put("x/1.json", b"two", false).unwrap());
        assert!(directory.put("x/2.json", b"two", false).unwrap());
        assert_eq!(directory.get("x/1.json").unwrap().unwrap(), b"one");
        assert_eq!(directory.get("x/3.json").unwrap(), None);
        assert_eq!(directory.size("x/2.json").unwrap(), Some(3));
        fs::write(root.join("x").join(format!("{UNFINISHED}1")), "half").unwrap();
        let mut names: Vec<String> = directory
            .list("")
            .unwrap()
            .into_iter()
            .map(|it| it.name)
            .collect();
        names.sort();
        assert_eq!(names, ["x/1.json", "x/2.json"]);
        assert_eq!(directory.folders("").unwrap(), ["x"]);
        assert!(directory.list("y").unwrap().is_empty());
        fs::remove_file(root.join("x").join(format!("{UNFINISHED}1"))).unwrap();
        for name in ["x/1.json", "x/2.json", "x/3.json"] {
            directory.delete(name).unwrap();
        }
        assert!(directory.folders("").unwrap().is_empty());
    }
}
