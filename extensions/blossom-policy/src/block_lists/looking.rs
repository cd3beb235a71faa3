//! Looks whether the files have changed, and has them read anew.

use super::{BlockLists, ListError};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// What a file looks like from outside: its number, length and time. `None` where there is none.
pub(super) type Looks = Vec<Option<(u64, u64, i64, i64)>>;

/// Reads the files anew whenever they have changed, for as long as it is polled, and tells what came of it: whether the
/// hashes are others now, or why everything stays as it was. A file that is being written is left alone until two looks at
/// it are alike.
pub(crate) async fn keep_looking(
    lists: Arc<BlockLists>,
    every: Duration,
    mut tell: impl FnMut(Result<bool, ListError>),
) {
    let mut last = look(&lists).await;
    // Neither what has changed since the first reading is passed over, nor what has not is read twice.
    let mut done_with = lists.first_looks.clone();
    loop {
        tokio::time::sleep(every).await;
        let now = look(&lists).await;
        let is_settled = now == last;
        last.clone_from(&now);
        if !is_settled || done_with == now {
            continue;
        }
        let reloading = Arc::clone(&lists);
        match spawn_blocking(move || reloading.reload()).await {
            Ok(reloaded) => {
                // What cannot be read may be readable by the next look, without looking different.
                if !matches!(reloaded, Err(ListError::Unreadable { .. })) {
                    done_with = now;
                }
                tell(reloaded);
            }
            Err(error) => tracing::error!("the block lists could not be read anew: {error}"),
        }
    }
}

async fn look(lists: &BlockLists) -> Looks {
    let files = lists.files.clone();
    let looked = spawn_blocking(move || looks_of(&files));
    looked.await.unwrap_or_default()
}

/// Blocks.
pub(super) fn looks_of(files: &[PathBuf]) -> Looks {
    let looks = |file: &PathBuf| {
        let found = fs::metadata(file).ok()?;
        Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
    };
    files.iter().map(looks).collect()
}
