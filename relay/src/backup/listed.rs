//! What lists of files and blobs name.

use super::manifest::{self, BlobList, FileList};
use super::{BackupError, names};

/// A file or blob that a list names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    /// Of the object.
    pub(super) name: String,
    /// Of what is in it.
    pub(super) sha256: String,
    /// Whether that is packed.
    pub(super) is_packed: bool,
}

/// All that a list of either kind names, which one its own name says.
pub(super) fn named_by(list: &str, json: &[u8]) -> Result<Vec<Named>, BackupError> {
    if names::is_of_blobs(list) {
        let BlobList { blobs, .. } = manifest::from_json(list, json)?;
        let named = blobs.into_iter().map(|(_, blob)| Named {
            name: names::blob(&blob.sha256),
            sha256: blob.sha256,
            is_packed: false,
        });
        return Ok(named.collect());
    }
    let FileList { files, .. } = manifest::from_json(list, json)?;
    let named = files.into_iter().map(|file| Named {
        name: names::file(&file.sha256),
        sha256: file.sha256,
        is_packed: true,
    });
    Ok(named.collect())
}
