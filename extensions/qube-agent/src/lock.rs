//! One agent for one folder of data.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Who only looks has it for a moment, too: how often, and how long apart, it is tried again.
const TRIES: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(100);

/// Held for as long as the value lives; the system gives it up with the process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why the folder is not ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another process has it.
    #[error(
        "{0} is locked: another agent runs on this data_dir; stop it, or give this one a data_dir of its own"
    )]
    Taken(String),
    /// It cannot be looked at.
    #[error("{0}: {1}")]
    File(String, #[source] io::Error),
}

impl Lock {
    /// Whether an agent has it.
    pub(crate) fn is_taken(data_dir: &Path) -> bool {
        let Ok(file) = File::open(data_dir.join("lock")) else {
            return false;
        };
        // Given back at once, with the file.
        flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
    }

    /// Takes it or says who has it.
    pub(crate) fn take(data_dir: &Path) -> Result<Lock, LockError> {
        let path = data_dir.join("lock");
        let name = path.display().to_string();
        let failed = |error| LockError::File(name.clone(), error);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(failed)?;
        let mut tries = TRIES;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if tries == 0 => {
                    return Err(LockError::Taken(name));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(BETWEEN),
                Err(error) => return Err(failed(error.into())),
            }
            tries -= 1;
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a8_a_second_agent_on_the_same_data_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Lock::take(folder.path()).expect("the lock");
        let second = Lock::take(folder.path()).expect_err("taken");
        assert!(second.to_string().contains("another agent"), "{second}");
        assert!(Lock::is_taken(folder.path()));
        drop(first);
        // A child that another test is starting holds a copy of every file until it has become another program.
        let begun = std::time::Instant::now();
        while Lock::is_taken(folder.path()) {
            assert!(begun.elapsed() < Duration::from_secs(20), "held still");
            std::thread::yield_now();
        }
        Lock::take(folder.path()).expect("the lock is free again");
    }
}
