//! A backup of a relay under test, and what is left of that relay after a restore.
//!
//! Invariant: what a restore brings back is what a backup takes: the rows that no extension has excluded, and the files and
//! blobs that the extensions gave. Rows are those of the moment of the restore, files those of the backup, as when a disk
//! dies between two of them.

use super::TestRelay;
use crate::extension::{BackedUp, Compiled, is_backed_up};
use crate::store::{KvRow, NoPolicy, Store, Write};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How long an extension may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Blobs and rows that are asked for at once: few, so that a test sees more than one page.
const PAGE: usize = 2;

/// What [`TestRelay::back_up`] took. Removed from the disk when it is dropped.
#[derive(Debug)]
pub struct Backup {
    /// What each extension gave.
    pub extensions: Vec<BackedUp>,
    /// Where it lies, and where it goes back to.
    kept: Vec<(PathBuf, PathBuf)>,
    _directory: TempDir,
}

impl Backup {
    /// The copies that an extension gave; panics where it gave none, with what it said.
    pub fn files(&self, extension: &str) -> Vec<PathBuf> {
        let found = self.extensions.iter().find(|it| it.extension == extension);
        match found.map(|found| &found.outcome) {
            Some(Ok(files)) => files
                .files
                .iter()
                .map(|file| file.written.clone())
                .collect(),
            Some(Err(error)) => panic!("{extension} was not backed up: {error}"),
            None => panic!("{extension} is not on"),
        }
    }

    /// Where everything goes back to, relative to the data directory or absolute: files, then blobs.
    pub fn places(&self) -> Vec<&Path> {
        self.kept.iter().map(|(_, place)| place.as_path()).collect()
    }

    pub(super) async fn of(relay: &TestRelay) -> Self {
        let directory = TempDir::with_prefix("trellis-backup-").unwrap();
        let host = relay.extensions();
        let extensions = host.back_up(directory.path(), PATIENCE).await;
        let files = extensions.iter().flat_map(|it| it.outcome.iter());
        let files = files.flat_map(|it| &it.files);
        let mut kept: Vec<_> = files
            .map(|file| (file.written.clone(), file.restore_to.clone()))
            .collect();
        for name in host.names() {
            let mut after = None;
            loop {
                let page = host.back_up_blobs(name, after, PAGE, PATIENCE).await;
                let page = page.unwrap_or_else(|error| panic!("{name} has no blobs: {error}"));
                let page = page.unwrap_or_default();
                let Some(last) = page.last() else {
                    break;
                };
                after = Some(last.sha256);
                for blob in page {
                    // As one that was removed meanwhile.
                    let Ok(bytes) = fs::read(&blob.path) else {
                        continue;
                    };
                    let sha256: [u8; 32] = Sha256::digest(&bytes).into();
                    assert_eq!(sha256, blob.sha256, "{}", blob.path.display());
                    let own = directory.path().join(const_hex::encode(sha256));
                    fs::write(&own, bytes).unwrap();
                    kept.push((own, blob.restore_to));
                }
            }
        }
        Backup {
            extensions,
            kept,
            _directory: directory,
        }
    }

    /// Puts everything where it belongs: into a data directory that is new, and the hooks back in the store.
    pub(super) fn put_back(&self, data_dir: &Path, compiled: &[Compiled], store: &dyn Store) {
        for (own, place) in &self.kept {
            // Absolute places replace it.
            let place = data_dir.join(place);
            if !place.exists() {
                fs::create_dir_all(place.parent().unwrap()).unwrap();
                fs::copy(own, place).unwrap();
            }
        }
        let mut writes = Vec::new();
        for extension in compiled {
            let name = extension.name();
            let rows = all_rows(store, name).into_iter().map(|(key, _)| key);
            let excluded = rows.filter(|key| !is_backed_up(compiled, name, key));
            writes.extend(excluded.map(|key| write(name, key, None)));
        }
        let last_row = store.last_row().unwrap();
        for extension in &self.extensions {
            let files = extension.outcome.iter().filter(|it| !it.files.is_empty());
            let cursors = files.flat_map(|it| it.cursors.rows(extension.extension, last_row));
            writes.extend(cursors.map(|(space, key, value)| write(&space, key, Some(value))));
        }
        let now_s = super::START_S;
        if !writes.is_empty() {
            store.commit(&writes, &NoPolicy, now_s).unwrap();
        }
    }
}

/// Every row of an extension, by key.
pub(super) fn all_rows(store: &dyn Store, extension: &str) -> Vec<KvRow> {
    let mut rows: Vec<KvRow> = Vec::new();
    loop {
        let after = rows.last().map(|(key, _)| key.as_slice());
        let page = store.kv_scan(extension, b"", after, PAGE).unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

fn write(extension: &str, key: Vec<u8>, value: Option<Vec<u8>>) -> Write {
    let extension = extension.to_owned();
    Write::Kv {
        extension,
        key,
        value,
    }
}
