//! Where to look while a lineage has no whole copy yet: in the one that it took the place of.
//!
//! Invariant: what a lineage holds itself, or those that it goes on from, comes before what it replaced.

use super::BackupError;
use super::catalogue::Link;
use super::plan::{self, Found};
use super::target::Target;

/// What was found for a lineage, and in which history.
pub(super) struct Looked {
    /// The lineage in which it was found and those that it goes on from, the newest first; of the one that was asked for
    /// where nothing was found.
    pub(super) history: Vec<Link>,
    /// What was found.
    pub(super) found: Found,
    /// The lineage that has no whole copy itself, so that what it replaced has to serve.
    pub(super) instead_of: Option<String>,
    /// Whether the one that was asked for is known to have begun with nothing at all.
    began_empty: bool,
}

impl Looked {
    /// Whether there is something to go on from, or never was anything.
    pub(super) fn may_be_taken(&self) -> bool {
        match self.found {
            Found::Plan(_) => true,
            Found::Nothing => self.began_empty,
            Found::NothingWhole => false,
        }
    }
}

/// Looks for the newest point of a lineage, or the last one at or before a time.
pub(super) fn look(
    target: &Target,
    lineage: &str,
    until_ms: Option<u64>,
) -> Result<Looked, BackupError> {
    let history = target.history(lineage)?;
    let found = plan::find(target, &history, until_ms)?;
    let began_empty = history.first().is_some_and(|link| link.note.began_empty);
    let mut seen = vec![lineage.to_owned()];
    let mut oldest = replaced_by(&history);
    while !matches!(found, Found::Plan(_))
        && let Some(replaced) = oldest.filter(|it| !seen.contains(it))
        // It may be too old to be kept.
        && target.lineage(&replaced)?.is_some()
    {
        let history = target.history(&replaced)?;
        let found = plan::find(target, &history, until_ms)?;
        if matches!(found, Found::Plan(_)) {
            return Ok(Looked {
                history,
                found,
                instead_of: Some(lineage.to_owned()),
                began_empty,
            });
        }
        oldest = replaced_by(&history);
        seen.push(replaced);
    }
    Ok(Looked {
        history,
        found,
        instead_of: None,
        began_empty,
    })
}

/// What the oldest of a history took the place of.
fn replaced_by(history: &[Link]) -> Option<String> {
    history.last().and_then(|link| link.note.replaces.clone())
}
