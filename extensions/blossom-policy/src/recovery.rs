//! What is done about changes that were interrupted, and about a storage and an index that have come apart.
//!
//! At the start only what the index names as interrupted is looked at: so the start costs nothing with many blobs, and an
//! index that is lost or was put back from an old copy never makes the relay remove what is stored. To compare everything is
//! up to the operator (`trellis blossom check`), and so is removing.

use crate::blob::BlobHash;
use crate::holdings::{Holdings, HoldingsError};
use std::fmt;

/// So many blobs are compared at a time.
const PAGE: usize = 1_000;
/// So many are named to the operator.
const NAMED_MAX: usize = 20;

/// Ends the changes that were interrupted. How many blobs it removed, which had not become anybody's.
pub(crate) async fn recover(holdings: &Holdings) -> Result<u64, HoldingsError> {
    let mut removed = 0;
    for sha256 in holdings.index().changes().await? {
        removed += u64::from(holdings.set_right(sha256).await?);
    }
    if removed > 0 {
        tracing::info!(
            removed,
            "blobs of interrupted uploads and removals are removed"
        );
    }
    Ok(removed)
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
    recover(holdings).await?;
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
                // It may have been removed in between, and is not missed then.
                None if holdings.index().blob(&blob.sha256).await?.is_none() => {}
                None => {
                    findings.missing.add(blob.sha256);
                    if remove {
                        holdings.remove(blob.sha256).await?;
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
