//! Whether a relay with an empty database would be restored: what the head names leads to a snapshot, and segments follow
//! it without a gap. Not here: what objects hold, which whoever verifies reads anyway.

use super::fallback;
use super::manifest::SnapshotManifest;
use super::plan::Found;
use super::restoring::{AT_ONCE, Chain, segments};
use super::target::Target;
use super::{BackupError, names};

/// Looks whether the newest state could be restored. Where there is no head there is nothing to restore.
pub(super) fn check(target: &Target) -> Result<(), BackupError> {
    let Some(head) = target.head()? else {
        return Ok(());
    };
    let looked = fallback::look(target, &head.lineage, None)?;
    if let Some(lineage) = &looked.instead_of {
        let problem = "it has no whole copy yet: what it took the place of would be restored";
        return Err(BackupError::damaged(
            &names::lineage(lineage),
            problem.to_owned(),
        ));
    }
    let may_be_taken = looked.may_be_taken();
    match looked.found {
        Found::Plan(plan) => follows(target, &plan.snapshot, &plan.segments),
        Found::Nothing | Found::NothingWhole if may_be_taken => Ok(()),
        Found::Nothing | Found::NothingWhole => Err(BackupError::NothingWhole {
            url: target.url().to_owned(),
        }),
    }
}

fn follows(
    target: &Target,
    snapshot: &SnapshotManifest,
    after_it: &[(String, u64)],
) -> Result<(), BackupError> {
    let mut chain = Chain::after(snapshot);
    for some in after_it.chunks(AT_ONCE) {
        let manifests: Vec<String> = some
            .iter()
            .map(|(lineage, sequence)| names::segment_manifest(lineage, *sequence))
            .collect();
        for (name, segment) in manifests.iter().zip(segments(target, &manifests)?) {
            chain.follow(name, &segment)?;
        }
    }
    Ok(())
}
