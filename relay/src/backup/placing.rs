//! Puts files and blobs of extensions back where they belong, before the extensions are built.
//!
//! Invariant: nothing is put over a file that is there, and no file has its name before it is whole. Where an extension had
//! files, its `stored` hooks go back to where they were when these were copied, even if others are in their places: hooks
//! may be called once more, and must not miss anything.

use super::BackupError;
use super::catalogue::Link;
use super::files::hash;
use super::manifest::{self, BlobList, FileList, ListedFile};
use super::names;
use super::plan::Point;
use super::target::Target;
use crate::store::Write;
use flate2::read::GzDecoder;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path};

/// What a file is called until it is whole, with a random part.
const UNFINISHED: &str = ".trellis-restoring-";

/// What was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Placed {
    /// Files of extensions.
    pub files: u64,
    /// Blobs.
    pub blobs: u64,
    /// Files and blobs whose place was taken by something else.
    pub left_out: u64,
}

/// Puts back what belongs to a point of a history, below a data directory or where it says. Gives the rows that set hooks
/// back, for a store whose last row this is.
pub(super) fn place(
    target: &Target,
    history: &[Link],
    point: &Point,
    data_dir: &Path,
) -> Result<(Placed, Vec<Write>), BackupError> {
    let mut placed = Placed::default();
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    let mut has_blobs = false;
    for link in since(history, point) {
        let limit = match link.lineage == point.lineage {
            true => Some(point.sequence),
            false => link.up_to,
        };
        let counts = |sequence: u64| limit.is_none_or(|limit| sequence <= limit);
        let lists = target.list(&names::file_lists(&link.lineage), None)?;
        for object in lists.iter().rev() {
            let Some((sequence, extension)) = names::of_file_list(&object.name) else {
                continue;
            };
            if !counts(sequence) || !seen.insert(extension.to_owned()) {
                continue;
            }
            let list: FileList = read(target, &object.name)?;
            for file in &list.files {
                place_file(target, file, data_dir, &mut placed)?;
            }
            if !list.files.is_empty() {
                let set_back = list.cursors.rows(&list.extension, point.row);
                rows.extend(
                    set_back
                        .into_iter()
                        .map(|(extension, key, value)| Write::Kv {
                            extension,
                            key,
                            value: Some(value),
                        }),
                );
            }
        }
        let lists = target.list(&names::blob_lists(&link.lineage), None)?;
        let newest = lists
            .iter()
            .rev()
            .find(|object| names::sequence_of_manifest(&object.name).is_some_and(counts));
        if let Some(object) = newest.filter(|_| !has_blobs) {
            has_blobs = true;
            let list: BlobList = read(target, &object.name)?;
            for (_, blob) in &list.blobs {
                place_blob(target, blob, data_dir, &mut placed)?;
            }
        }
    }
    Ok((placed, rows))
}

/// The lineage of a point and those before it.
fn since<'h>(history: &'h [Link], point: &Point) -> &'h [Link] {
    let from = history
        .iter()
        .position(|link| link.lineage == point.lineage);
    &history[from.unwrap_or(0)..]
}

fn read<T: serde::de::DeserializeOwned>(target: &Target, name: &str) -> Result<T, BackupError> {
    let json = target.get(name)?;
    let json = json.ok_or_else(|| BackupError::damaged(name, "it is missing".to_owned()))?;
    manifest::from_json(name, &json)
}

fn place_file(
    target: &Target,
    file: &ListedFile,
    data_dir: &Path,
    placed: &mut Placed,
) -> Result<(), BackupError> {
    let object = names::file(&file.sha256);
    let is_there = put(target, &object, file, data_dir, true, placed)?;
    placed.files += u64::from(is_there);
    Ok(())
}

fn place_blob(
    target: &Target,
    blob: &ListedFile,
    data_dir: &Path,
    placed: &mut Placed,
) -> Result<(), BackupError> {
    let object = names::blob(&blob.sha256);
    let is_there = put(target, &object, blob, data_dir, false, placed)?;
    placed.blobs += u64::from(is_there);
    Ok(())
}

/// Whether it is there now as it was.
fn put(
    target: &Target,
    object: &str,
    file: &ListedFile,
    data_dir: &Path,
    is_packed: bool,
    placed: &mut Placed,
) -> Result<bool, BackupError> {
    let to = Path::new(&file.restore_to);
    let leads_down = to
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::RootDir));
    if !leads_down || to.file_name().is_none() {
        let problem = format!("{:?} is no place to restore to", file.restore_to);
        return Err(BackupError::damaged(object, problem));
    }
    let path = data_dir.join(to);
    let at = |source: io::Error| BackupError::File {
        path: path.clone(),
        source,
    };
    match hash(&path) {
        Ok((found, _)) if found == file.sha256 => return Ok(true),
        Ok(_) => {
            tracing::warn!(
                path = %path.display(),
                "a file of an extension is there already and is not restored over"
            );
            placed.left_out += 1;
            return Ok(false);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(error)),
    }
    let folder = path.parent().unwrap_or(data_dir).to_owned();
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(at)?;
    let aside = folder.join(format!("{UNFINISHED}{:016x}", rand::random::<u64>()));
    let whole = fetch(target, object, &aside, is_packed)
        .and_then(|()| check(object, file, &aside))
        .and_then(|()| fs::rename(&aside, &path).map_err(at));
    if whole.is_err() {
        // What is half there is of no use.
        let _ = fs::remove_file(&aside);
    }
    whole?;
    File::open(&folder)
        .and_then(|it| it.sync_all())
        .map_err(at)?;
    Ok(true)
}

fn fetch(target: &Target, object: &str, to: &Path, is_packed: bool) -> Result<(), BackupError> {
    let missing = || BackupError::damaged(object, "it is missing".to_owned());
    if !is_packed {
        return match target.get_file(object, to)? {
            true => Ok(()),
            false => Err(missing()),
        };
    }
    let packed = to.with_extension("gz");
    if !target.get_file(object, &packed)? {
        return Err(missing());
    }
    let unpacked = unpack(&packed, to);
    let removed = fs::remove_file(&packed);
    let at = |source: io::Error| BackupError::File {
        path: to.to_owned(),
        source,
    };
    unpacked.and(removed).map_err(at)
}

fn unpack(from: &Path, to: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(to)?;
    io::copy(&mut GzDecoder::new(File::open(from)?), &mut file)?;
    file.sync_all()
}

fn check(object: &str, file: &ListedFile, path: &Path) -> Result<(), BackupError> {
    match hash(path)?.0 == file.sha256 {
        true => Ok(()),
        false => {
            let problem = "it does not have the hash by which it is named".to_owned();
            Err(BackupError::damaged(object, problem))
        }
    }
}
