//! Looks whether the files have changed, and has them read anew.

use super::{BlockLists, ListError};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// What a file looks like from outside: its number, length and time. `None` where there is none.
type Looks = Vec<Option<(u64, u64, i64, i64)>>;

/// Reads the files anew whenever they have changed, for as long as it is polled, and tells what came of it: whether the
/// hashes are others now, or why everything stays as it was. A file that is being written is left alone until two looks at
/// it are alike.
pub(crate) async fn keep_looking(
    lists: Arc<BlockLists>,
    every: Duration,
    mut tell: impl FnMut(Result<bool, ListError>),
) {
    let mut last = look(&lists).await;
    // What has changed between the start and now is read by the first look.
    let mut in_force = None;
    loop {
        tokio::time::sleep(every).await;
        let now = look(&lists).await;
        let is_settled = now == last;
        last.clone_from(&now);
        if !is_settled || in_force.as_ref() == Some(&now) {
            continue;
        }
        in_force = Some(now);
        let reloading = Arc::clone(&lists);
        match spawn_blocking(move || reloading.reload()).await {
            Ok(reloaded) => tell(reloaded),
            Err(error) => tracing::error!("the block lists could not be read anew: {error}"),
        }
    }
}

async fn look(lists: &BlockLists) -> Looks {
    let files = lists.files.clone();
    let looked = spawn_blocking(move || files.iter().map(|file| looks_of(file)).collect());
    looked.await.unwrap_or_default()
}

fn looks_of(file: &Path) -> Option<(u64, u64, i64, i64)> {
    let found = fs::metadata(file).ok()?;
    Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
