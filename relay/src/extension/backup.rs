//! What an extension gives to a backup beside its rows in the store: copies of its files, and blobs.
//!
//! Invariant: how far its `stored` hooks had come is read before its files are copied, so that a restore can set them back
//! to where the copies stand, and nothing is missed. An author's code is contained as elsewhere, and what it answers is
//! checked before anybody opens a file for it. Deliberately not here: when a backup is made, where it goes, and how it is
//! put back.

mod asking;
mod checking;
mod cursors;

pub(super) use asking::Backups;
pub use cursors::StoredCursors;

use super::compiled::Compiled;
use super::failure::BackupError;
use std::path::PathBuf;

/// An extension may give so many files to a backup.
pub const BACKUP_FILES_MAX: usize = 1_000;

/// A copy of a file, made for one backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFile {
    /// Where the copy is: below the directory that [`super::Extension::back_up`] was given. It is taken from there, and does
    /// not change any more.
    pub written: PathBuf,
    /// Where a restore puts it: where the extension opens it. Absolute, or relative to the relay's data directory; what lies
    /// in the data directory is put into that of the relay which is restored, wherever that is.
    pub restore_to: PathBuf,
}

/// A file whose content never changes, taken from where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupBlob {
    /// What it is known by: a backup takes it once.
    pub sha256: [u8; 32],
    /// Where it is. It may be gone when a backup comes to it.
    pub path: PathBuf,
    /// As in [`BackupFile`].
    pub restore_to: PathBuf,
}

/// What one extension gave to a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// The name of its table.
    pub extension: &'static str,
    /// Its files, or why there are none of this time; those of an earlier backup are still good then.
    pub outcome: Result<BackupFiles, BackupError>,
}

/// Copies of an extension's files that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupFiles {
    /// The copies; `restore_to` is relative where it lies in the data directory.
    pub files: Vec<BackupFile>,
    /// How far its `stored` hooks had come before the copies were made. They go back to that with the files.
    pub cursors: StoredCursors,
}

/// Whether a row goes into backups: whether the extension that it belongs to, running or not, has not excluded it with
/// [`super::Extension::NOT_BACKED_UP`]. Rows of extensions that are not compiled in do, since nobody can tell.
///
/// ```
/// use trellis_relay::extension::{Compiled, is_backed_up, prelude::*};
/// # struct Doors;
/// # #[derive(Deserialize, JsonSchema)]
/// # #[serde(deny_unknown_fields)]
/// # struct Nothing {}
/// impl Extension for Doors {
///     const NAME: &'static str = "doors";
///     const NOT_BACKED_UP: &'static [&'static [u8]] = &[b"open/"];
///     // ...
/// #   type Config = Nothing;
/// #   async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> { Ok(Doors) }
/// #   fn register(&self, _: &mut Registrar<Self>) {}
/// }
/// const EXTENSIONS: &[Compiled] = &[Compiled::of::<Doors>()];
/// assert!(!is_backed_up(EXTENSIONS, "doors", b"open/7"));
/// assert!(is_backed_up(EXTENSIONS, "doors", b"key/7"));
/// assert!(is_backed_up(EXTENSIONS, "windows", b"open/7"));
/// ```
pub fn is_backed_up(compiled: &[Compiled], key_space: &str, key: &[u8]) -> bool {
    let owner = compiled.iter().find(|it| it.name() == key_space);
    owner.is_none_or(|owner| owner.backs_up(key))
}
