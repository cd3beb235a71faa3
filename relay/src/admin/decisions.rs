//! Prints the log of decisions, oldest first, one a line, and verifies on the way that nothing in it was changed.

use super::console::{Console, Note};
use super::job::JobError;
use super::target::Target;
use crate::decisions;
use serde::{Deserialize, Serialize};

/// What to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionsJob {
    /// Only decisions with higher numbers; those up to it are verified all the same.
    pub after: u64,
}

/// Prints, and says how many decisions there are in all. A log that was changed ends with an error, behind what stands before
/// the change.
pub fn print(
    target: &dyn Target,
    job: DecisionsJob,
    console: &mut dyn Console,
) -> Result<u64, JobError> {
    decisions::follow(&**target.store(), |row| {
        if console.is_cancelled() {
            return Err(JobError::Cancelled);
        }
        if row.number > job.after {
            let line = row.told().to_string();
            console.print(line.as_bytes()).map_err(JobError::Write)?;
        }
        console.tell(Note::Headway {
            done: row.number,
            total: None,
        });
        Ok(())
    })
}
