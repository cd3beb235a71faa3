//! The file that an export writes: whole or not there.
//!
//! Invariant: until the new one is complete and on the disk, a file that stood there stays as it is; what was begun and
//! not completed is removed. What is no regular file, such as a pipe or a device, is written directly.

use rustix::fs::{FlockOperation, flock};
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A file that is made with the first bytes, or when it is completed, so that an export that cannot begin makes none.
#[derive(Debug)]
pub(super) struct OutputFile {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    NotBegun,
    /// It takes the place of the old one in the end.
    Part {
        file: File,
        part: PathBuf,
        path: PathBuf,
    },
    /// No regular file.
    Direct(File),
    Complete,
}

impl OutputFile {
    pub(super) fn new(path: PathBuf) -> Self {
        OutputFile {
            path,
            state: State::NotBegun,
        }
    }

    /// Puts what was written in its place, durably.
    fn complete(&mut self) -> io::Result<()> {
        self.file()?;
        if let State::Part { file, part, path } = &self.state {
            file.sync_all()?;
            fs::rename(part, path)?;
            File::open(directory_of(path))?.sync_all()?;
        }
        self.state = State::Complete;
        Ok(())
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if let State::NotBegun = self.state {
            self.state = begin(&self.path)?;
        }
        match &mut self.state {
            State::Part { file, .. } | State::Direct(file) => Ok(file),
            State::NotBegun | State::Complete => Err(io::Error::other("the file is complete")),
        }
    }
}

fn begin(path: &Path) -> io::Result<State> {
    // Through links, so that what they lead to is replaced, not they.
    let path = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        let file = OpenOptions::new().write(true).open(&path)?;
        return Ok(State::Direct(file));
    }
    let mut part = OsString::from(&path);
    part.push(".part");
    let part = PathBuf::from(part);
    let file = open_part(&part)?;
    Ok(State::Part { file, part, path })
}

/// Takes the file over that a killed export may have left behind, unless another is still writing it.
fn open_part(part: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(part)?;
    let taken = || io::Error::other(format!("another export is writing {}", part.display()));
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| taken())?;
    // It may have been put in its place before it was locked here.
    let inode = |metadata: Metadata| (metadata.dev(), metadata.ino());
    if part.metadata().map(inode).ok() != Some(inode(file.metadata()?)) {
        return Err(taken());
    }
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.set_len(0)?;
    Ok(file)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    /// Completes the file: to be called once, at the end.
    fn flush(&mut self) -> io::Result<()> {
        self.complete()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let State::Part { part, .. } = &self.state {
            // Somebody may have removed it.
            let _ = fs::remove_file(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn names(directory: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(directory).expect("a directory");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn c21_an_older_file_stays_until_the_new_one_is_complete() {
        let home = tempfile::tempdir().expect("a directory");
        let (path, link) = (home.path().join("backup"), home.path().join("link"));
        fs::write(&path, "old").expect("write");
        symlink(&path, &link).expect("a link");
        let mut broken = OutputFile::new(path.clone());
        broken.write_all(b"new").expect("write");
        assert_eq!(fs::read(&path).expect("read"), b"old");
        drop(broken);
        assert_eq!(names(home.path()), ["backup", "link"]);
        fs::write(home.path().join("backup.part"), "left behind").expect("write");
        let mut whole = OutputFile::new(link.clone());
        whole.write_all(b"new").expect("write");
        whole.flush().expect("completed");
        drop(whole);
        assert_eq!(names(home.path()), ["backup", "link"]);
        assert_eq!(fs::read(&path).expect("read"), b"new");
        let mode = path.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(link.is_symlink());
    }

    #[test]
    fn c21_two_exports_do_not_write_one_file() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("backup");
        let mut first = OutputFile::new(path.clone());
        first.write_all(b"first").expect("write");
        let mut second = OutputFile::new(path.clone());
        let refused = second.write_all(b"second").expect_err("refused");
        assert!(refused.to_string().contains("backup.part"), "{refused}");
        drop(second);
        first.flush().expect("completed");
        assert_eq!(fs::read(&path).expect("read"), b"first");
    }

    #[test]
    fn c21_an_output_that_was_not_begun_leaves_all_as_it_was() {
        let home = tempfile::tempdir().expect("a directory");
        drop(OutputFile::new(home.path().join("backup")));
        assert_eq!(names(home.path()), Vec::<OsString>::new());
        let mut empty = OutputFile::new(home.path().join("backup"));
        empty.flush().expect("completed");
        assert_eq!(names(home.path()), ["backup"]);
    }
}
