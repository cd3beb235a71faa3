//! Has the backup of a running relay written now, and not at its next interval.

use super::job::JobError;
use super::target::Target;
use serde::{Deserialize, Serialize};

/// What to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupJob {
    /// Everything anew, and not only what was committed since.
    pub snapshot: bool,
}

/// What the backup has when it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The history that the relay writes.
    pub lineage: String,
    /// Its last segment.
    pub sequence: u64,
    /// Everything up to this row is there.
    pub row: u64,
    /// Whether everything was copied anew.
    pub snapshot: bool,
}

pub(super) fn write_backup(target: &dyn Target, job: BackupJob) -> Result<Written, JobError> {
    let backup = target.relay().and_then(|relay| relay.backup.get());
    match backup {
        Some(backup) => backup.write_now(job.snapshot).map_err(JobError::Backup),
        None => Err(JobError::Backup(
            "the relay runs without one: backup.url was \"\" when it was started".to_owned(),
        )),
    }
}
