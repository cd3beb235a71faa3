//! The file that an action replaces: a program, or a genesis.
//!
//! Invariants: at every moment the path has the whole old file or the whole new one; the new one becomes executable only
//! after its hash was found to be the signed one; what was there before stays beside it until the next action. Every
//! function may be called again after a crash and finds out what is left to do.

use crate::download::hash_of;
use crate::durable;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use trellis_qube_protocol::{ActionKey, Digest};

/// What a program may be by default: everybody runs it, its owner changes it.
const PROGRAM_MODE: u32 = 0o755;
/// What a genesis may be by default.
const PLAIN_MODE: u32 = 0o644;

/// Where a file is to be put.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    path: PathBuf,
    key: ActionKey,
    is_program: bool,
}

impl Placement {
    /// Of the file at this path, for one action.
    pub(crate) fn new(path: &Path, key: ActionKey, is_program: bool) -> Placement {
        Placement {
            path: path.to_owned(),
            key,
            is_program,
        }
    }

    /// Where the new file is until it takes its place: in the same folder, as only then it can by a rename.
    pub(crate) fn staged(&self) -> PathBuf {
        self.beside(&format!("{}.staged", self.key.short()))
    }

    /// Where the old one is kept.
    pub(crate) fn kept(&self) -> PathBuf {
        self.beside("previous")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.{ending}"))
    }

    /// Keeps what is there; gives its hash, none where there is nothing.
    pub(crate) fn keep(&self) -> io::Result<Option<Digest>> {
        if self.path.is_symlink() {
            let message =
                "it is a symbolic link, and would be replaced by a file; name the file itself";
            return Err(io::Error::other(message));
        }
        let Some(hash) = hash_of(&self.path)? else {
            durable::remove(&self.kept())?;
            return Ok(None);
        };
        self.give(&self.path, &self.kept())?;
        Ok(Some(hash))
    }

    /// Puts the staged file in its place; its hash is looked at once more.
    pub(crate) fn swap(&self, expected: &Digest) -> io::Result<()> {
        let staged = self.staged();
        match hash_of(&staged)? {
            Some(found) if found == *expected => {}
            Some(_) => return Err(io::Error::other("the staged file was changed by somebody")),
            // After a crash: it was renamed already.
            None if hash_of(&self.path)? == Some(*expected) => return Ok(()),
            None => return Err(io::Error::other("the staged file is gone")),
        }
        self.dress(&staged)?;
        durable::rename(&staged, &self.path)
    }

    /// Puts back what was kept. The kept file stays.
    pub(crate) fn restore(&self, kept: Option<Digest>) -> io::Result<()> {
        let Some(hash) = kept else {
            return durable::remove(&self.path);
        };
        if hash_of(&self.path)? == Some(hash) {
            return Ok(());
        }
        if hash_of(&self.kept())? != Some(hash) {
            return Err(io::Error::other("the kept file was changed by somebody"));
        }
        self.give(&self.kept(), &self.path)
    }

    /// Removes what an action that failed has left; the kept file stays.
    pub(crate) fn tidy(&self) {
        for file in [self.staged(), self.beside("copy")] {
            if let Err(error) = durable::remove(&file) {
                tracing::warn!(file = %file.display(), %error, "cannot be removed");
            }
        }
    }

    /// Gives a file a second name, durably, in the place of what has it: nothing of the file is lost, be it capabilities or
    /// labels. Where it may have no second name, a copy with mode and owner.
    fn give(&self, from: &Path, to: &Path) -> io::Result<()> {
        if is_same(from, to)? {
            // A rename would do nothing.
            return Ok(());
        }
        let beside = self.beside("copy");
        durable::remove(&beside)?;
        if fs::hard_link(from, &beside).is_err() {
            fs::copy(from, &beside)?;
            let old = fs::metadata(from)?;
            own(&beside, &old)?;
            File::open(&beside)?.sync_all()?;
        }
        durable::rename(&beside, to)
    }

    /// Gives the staged file the mode and owner of the one it replaces.
    fn dress(&self, staged: &Path) -> io::Result<()> {
        let mode = match fs::metadata(&self.path) {
            Ok(old) => {
                own(staged, &old)?;
                old.permissions().mode() & 0o777
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.is_program {
                true => PROGRAM_MODE,
                false => PLAIN_MODE,
            },
            Err(error) => return Err(error),
        };
        fs::set_permissions(staged, Permissions::from_mode(mode))?;
        File::open(staged)?.sync_all()
    }
}

/// Whether two names are of one file.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (fs::metadata(one)?, fs::symlink_metadata(other));
    match other {
        Ok(other) => Ok((one.dev(), one.ino()) == (other.dev(), other.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives a file the owner of another, where that is not so anyway.
fn own(file: &Path, like: &fs::Metadata) -> io::Result<()> {
    let now = fs::metadata(file)?;
    if (now.uid(), now.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    chown(file, Some(like.uid()), Some(like.gid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(old: Option<&str>) -> (tempfile::TempDir, Placement) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node");
        if let Some(old) = old {
            fs::write(&path, old).expect("written");
            fs::set_permissions(&path, Permissions::from_mode(0o750)).expect("a mode");
        }
        let placement = Placement::new(&path, ActionKey::from_bytes([7; 32]), true);
        fs::write(placement.staged(), "new").expect("staged");
        fs::set_permissions(placement.staged(), Permissions::from_mode(0o600)).expect("a mode");
        (folder, placement)
    }

    fn content(path: &Path) -> String {
        fs::read_to_string(path).expect("a file")
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn a4_a_swap_can_be_repeated_and_taken_back() {
        let (_folder, placement) = placed(Some("old"));
        let new = Digest::of(b"new");
        for _again in 0..2 {
            assert_eq!(placement.keep().expect("kept"), Some(Digest::of(b"old")));
        }
        for _again in 0..2 {
            placement.swap(&new).expect("swapped");
            assert_eq!(content(&placement.path), "new");
            assert_eq!(mode(&placement.path), 0o750, "as the old one");
        }
        for _again in 0..2 {
            placement
                .restore(Some(Digest::of(b"old")))
                .expect("restored");
            assert_eq!(content(&placement.path), "old");
            assert_eq!(mode(&placement.path), 0o750);
        }
    }

    #[test]
    fn a4_what_is_put_back_is_the_file_itself() {
        let (folder, placement) = placed(Some("old"));
        let inode = |path: &Path| fs::metadata(path).expect("a file").ino();
        let before = inode(&placement.path);
        for _again in 0..2 {
            placement.keep().expect("kept");
        }
        placement.swap(&Digest::of(b"new")).expect("swapped");
        assert_ne!(inode(&placement.path), before);
        placement
            .restore(Some(Digest::of(b"old")))
            .expect("restored");
        assert_eq!(inode(&placement.path), before, "with all that it has");
        fs::write(placement.staged(), "left").expect("written");
        placement.tidy();
        let names = fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(names, 2, "the file and the one that is kept");
    }

    #[test]
    fn a4_a_link_is_not_replaced() {
        let (folder, placement) = placed(None);
        let file = folder.path().join("node-1.0.0");
        fs::write(&file, "old").expect("written");
        std::os::unix::fs::symlink(&file, &placement.path).expect("a link");
        let error = placement.keep().expect_err("a link").to_string();
        assert!(error.contains("symbolic link"), "{error}");
    }

    #[test]
    fn a4_a_first_file_gets_a_mode_and_leaves_nothing_when_taken_back() {
        let (_folder, placement) = placed(None);
        assert_eq!(placement.keep().expect("kept"), None);
        placement.swap(&Digest::of(b"new")).expect("swapped");
        assert_eq!(mode(&placement.path), PROGRAM_MODE);
        placement.restore(None).expect("restored");
        assert!(!placement.path.exists());
    }

    #[test]
    fn a4_a_staged_file_that_was_changed_is_not_used() {
        let (_folder, placement) = placed(Some("old"));
        fs::write(placement.staged(), "evil").expect("written");
        assert!(placement.swap(&Digest::of(b"new")).is_err());
        assert_eq!(content(&placement.path), "old");
        assert_eq!(mode(&placement.staged()), 0o600, "never executable");
    }
}
