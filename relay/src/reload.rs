//! What a new configuration changes, and noticing that the file did.
//!
//! Invariant: nothing is applied here; the caller swaps the whole configuration or keeps the old one. The file is looked
//! at by polling, since editors and Kubernetes replace files, links and directories in ways that notifications miss.

use crate::config::Loaded;
use futures_util::stream::{self, Stream};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often [`watch`] looks at the file, unless told otherwise.
pub const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// Keys, or tables with all their keys, that are read once at the start.
pub const RESTART_KEYS: [&str; 10] = [
    "backup",
    "network.host",
    "network.port",
    "network.handshake_timeout",
    "data.path",
    "data.map_size",
    "data.in_flight_bytes",
    "data.admin_socket",
    "thread",
    "log",
];

/// A key whose value differs between two configurations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The key, with its tables; a list is one key.
    pub key: String,
    /// Whether the new value waits for a restart.
    pub needs_restart: bool,
}

/// Every key whose value differs, in alphabetical order.
pub fn changes(old: &Loaded, new: &Loaded) -> Vec<Change> {
    let (old, new) = (old.leaves(), new.leaves());
    let differ = |key: &&String| old.get(*key) != new.get(*key);
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).filter(differ).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .map(|key| Change {
            key: key.clone(),
            needs_restart: needs_restart(key),
        })
        .collect()
}

/// Names of extensions whose tables differ, appeared or went away.
pub fn changed_extensions(old: &Loaded, new: &Loaded) -> Vec<String> {
    let (old, new) = (&old.config.extensions, &new.config.extensions);
    let mut names: Vec<String> = old
        .keys()
        .chain(new.keys())
        .filter(|name| old.get(*name) != new.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Yields each time the file changed and has come to rest: two looks in a row saw the same. The file is looked at once
/// before this returns, so call it before loading, and no change is missed. A file that is gone for a while, as while it
/// is being replaced, is waited for. The stream never ends.
pub fn watch(path: impl Into<PathBuf>, interval: Duration) -> impl Stream<Item = ()> + Send {
    let path = path.into();
    let seen = Fingerprint::of(&path);
    stream::unfold((path, seen), move |(path, seen)| async move {
        let mut last = seen.clone();
        loop {
            tokio::time::sleep(interval).await;
            let looked_at = path.clone();
            // A disk that hangs must not stall whoever polls the stream.
            let now = tokio::task::spawn_blocking(move || Fingerprint::of(&looked_at))
                .await
                .ok()
                .flatten();
            let rests = now.is_some() && now == last;
            if rests && now != seen {
                return Some(((), (path, now)));
            }
            last = now;
        }
    })
}

/// What tells one state of a file from another. Following links tells the target apart when a link is swapped, even for
/// a file of the same length and time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint {
    target: PathBuf,
    device: u64,
    inode: u64,
    length_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    fn of(path: &Path) -> Option<Self> {
        let target = fs::canonicalize(path).ok()?;
        let metadata = fs::metadata(&target).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            target,
        })
    }
}

fn needs_restart(key: &str) -> bool {
    RESTART_KEYS.iter().any(|restart| {
        key.strip_prefix(restart)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests;
