//! What is done about changes that were interrupted, and about a storage and an index that have come apart.
//!
//! At the start, and every so often after it, only what the index names as interrupted is looked at: so that costs nothing
//! with many blobs, and an index that is lost or was put back from an old copy never makes the relay remove what is stored. To
//! compare everything is up to the operator (`trellis blossom check`), and so is removing.

use crate::blob::BlobHash;
use crate::holdings::{Holdings, HoldingsError};
use crate::storage::StorageError;
use std::fmt;
use std::time::Duration;

/// So many blobs are compared at a time.
const PAGE: usize = 1_000;
/// So many are named to the operator.
const NAMED_MAX: usize = 20;

/// After so many failures without a success in between, the storage is not asked about the rest; one where it has not answered
/// at all counts for half of that.
const FAILURES_MAX: usize = 20;
/// Between two looks at what was interrupted.
const PAUSE: Duration = Duration::from_secs(60);

/// Ends changes that have failed, every so often: a storage that was away is back, perhaps. Never ends.
pub(crate) async fn keep_recovering(holdings: &Holdings) {
    loop {
        tokio::time::sleep(PAUSE).await;
        if let Err(error) = recover(holdings).await {
            tracing::warn!("interrupted changes of blobs are tried again later: {error}");
        }
    }
}

/// Ends the changes that were interrupted, and leaves those alone that are under way. How many blobs it removed, which had
/// not become anybody's; or what went wrong last, once all others are ended.
pub(crate) async fn recover(holdings: &Holdings) -> Result<u64, HoldingsError> {
    let (mut removed, mut in_a_row, mut failed) = (0, 0, None);
    for sha256 in holdings.index().changes().await? {
        match holdings.set_right_if_idle(sha256).await {
            Ok(is_removed) => {
                removed += u64::from(is_removed);
                in_a_row = 0;
            }
            Err(error) => {
                let is_silent = matches!(
                    &error,
                    HoldingsError::Storage(StorageError::NoAnswer { .. })
                );
                failed = Some(error);
                // Each of these is a long wait, and one alone may be that blob's.
                in_a_row += if is_silent { FAILURES_MAX / 2 } else { 1 };
            }
        }
        if in_a_row >= FAILURES_MAX {
            break;
        }
    }
    if removed > 0 {
        tracing::info!(
            removed,
            "blobs of interrupted uploads and removals are removed"
        );
    }
    failed.map_or(Ok(removed), Err)
}

/// What a comparison has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Blobs that are right.
    pub(crate) right: u64,
    /// Blobs that the storage has and the index does not know.
    pub(crate) unknown: Named,
    /// Blobs that the index has and the storage does not.
    pub(crate) missing: Named,
    /// Blobs that have another length than the index says.
    pub(crate) odd: Named,
    /// The unknown were removed, and the rows of the missing.
    pub(crate) is_removed: bool,
}

/// Blobs, of which only the first are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) count: u64,
    pub(crate) first: Vec<BlobHash>,
}

impl Named {
    fn add(&mut self, hash: BlobHash) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(hash);
        }
    }
}

/// Compares all that is stored with the index; with `remove`, removes what nobody has, and the rows of what is not there. The
/// relay may go on storing meanwhile.
pub(crate) async fn check(holdings: &Holdings, remove: bool) -> Result<Findings, HoldingsError> {
    let mut findings = Findings {
        is_removed: remove,
        ..Findings::default()
    };
    if let Err(error) = recover(holdings).await {
        tracing::warn!("not all interrupted changes of blobs could be ended: {error}");
    }
    find_unknown(holdings, remove, &mut findings).await?;
    find_missing(holdings, remove, &mut findings).await?;
    Ok(findings)
}

async fn find_unknown(
    holdings: &Holdings,
    remove: bool,
    findings: &mut Findings,
) -> Result<(), HoldingsError> {
    let mut after = None;
    loop {
        let page = holdings.storage().list(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(*last);
        for hash in page {
            if holdings.is_stray(hash).await? {
                findings.unknown.add(hash);
                if remove {
                    holdings.set_right(hash).await?;
                }
            }
        }
    }
}

async fn find_missing(
    holdings: &Holdings,
    remove: bool,
    findings: &mut Findings,
) -> Result<(), HoldingsError> {
    let mut after = None;
    loop {
        let page = holdings.index().blobs(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.sha256);
        for blob in page {
            match holdings.storage().size(&blob.sha256).await? {
                Some(size_bytes) if size_bytes == blob.size_bytes => findings.right += 1,
                Some(_) => findings.odd.add(blob.sha256),
                // It may have been removed in between, or have come back, and is not missed then.
                None => {
                    if holdings.is_missing(blob.sha256, remove).await? {
                        findings.missing.add(blob.sha256);
                    }
                }
            }
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} blobs are as they should be", self.right)?;
        let done = |text| if self.is_removed { text } else { "" };
        let found = [
            (
                &self.unknown,
                "in the storage that nobody has",
                done(": removed"),
            ),
            (
                &self.missing,
                "that the storage does not have",
                done(": forgotten"),
            ),
            (&self.odd, "of another length than they had", ""),
        ];
        for (named, what, done) in found {
            if named.count > 0 {
                writeln!(f, "{} blobs {what}{done}", named.count)?;
            }
            for hash in &named.first {
                writeln!(f, "  {hash}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
