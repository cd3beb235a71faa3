//! What a backup takes of the server, and what is done once one was put back.
//!
//! A backup takes the index, and the blobs where they are files of this machine; never what is on its way in, nor what is
//! banned. An object store has a backup of its own. Invariant: what the index does not know is shown to nobody, so that a
//! blob that was removed comes back by a restore as bytes at most. Those of hashes that an operator has banned or had removed
//! go at once; of others nobody can tell whether they were removed or came in after the copy was made, so it is the operator
//! who has them removed (`trellis blossom check --remove`).

use crate::BlossomPolicy;
use crate::blob::BlobHash;
use crate::holdings::{Holdings, HoldingsError};
use std::path::Path;
use trellis_relay::extension::prelude::*;

/// Hashes that are looked at together.
const PAGE: usize = 1_000;

impl BlossomPolicy {
    /// A copy of the index.
    pub(crate) async fn back_up_index(&self, into: &Path) -> Result<Vec<BackupFile>, BackupError> {
        let written = into.join("index.sqlite");
        let index = self.holdings.index();
        index.back_up(&written).await?;
        let restore_to = index.file().to_owned();
        Ok(vec![BackupFile {
            written,
            restore_to,
        }])
    }

    /// Blobs that are files, from after one on. A page is empty where there are no more: it does not end before because
    /// blobs are banned.
    pub(crate) async fn back_up_files(
        &self,
        after: Option<[u8; 32]>,
        max: usize,
    ) -> Result<Vec<BackupBlob>, BackupError> {
        let mut after = after.map(BlobHash::from_bytes);
        loop {
            let page = self.holdings.index().blobs(after, max).await?;
            let Some(last) = page.last() else {
                return Ok(Vec::new());
            };
            after = Some(last.sha256);
            let wanted = page.iter().filter(|blob| blob.banned_for.is_none());
            let files = wanted.filter_map(|blob| {
                let path = self.holdings.storage().file_of(&blob.sha256)?;
                Some(BackupBlob {
                    sha256: *blob.sha256.as_bytes(),
                    restore_to: path.clone(),
                    path,
                })
            });
            let files: Vec<_> = files.collect();
            if !files.is_empty() {
                return Ok(files);
            }
        }
    }
}

/// After a restore: removes the bytes that are not to be there, by the book of the index that came back. Does nothing with
/// an index that is no copy.
pub(crate) async fn after_restore(holdings: &Holdings) -> Result<(), HoldingsError> {
    let index = holdings.index();
    if !index.is_copy().await? {
        return Ok(());
    }
    let (mut after, mut removed) = (None, 0_u64);
    loop {
        let page = index.unwanted(after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = Some(*last);
        for hash in page {
            if holdings.storage().size(&hash).await?.is_some() {
                holdings.set_right(hash).await?;
                removed += 1;
            }
        }
    }
    index.end_copy().await?;
    tracing::warn!(
        removed,
        "the index of blobs is a copy from a backup; what it says is banned or removed is gone: compare the rest with \
         `trellis blossom check`"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
