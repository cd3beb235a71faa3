//! Copies that are made while others write.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::storage::conformance::samples::{archived, roster};
use crate::storage::sqlite::SqliteStorage;
use crate::storage::{ArchiveQuery, PutRoster, Storage};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tempfile::TempDir;
use trellis_relay::config::Secret;
use trellis_relay::testing::until;

/// Events of one transaction.
const BATCH: u64 = 7;

fn url(path: &Path) -> Secret {
    format!("sqlite://{}", path.display()).as_str().into()
}

async fn open(folder: &TempDir) -> Arc<SqliteStorage> {
    let url = url(&folder.path().join("mls.db"));
    Arc::new(SqliteStorage::open(&url, 1).await.unwrap())
}

async fn all(storage: &SqliteStorage) -> Vec<crate::storage::Archived> {
    let query = ArchiveQuery {
        max: 1_000_000,
        ..ArchiveQuery::default()
    };
    storage.archived(&query).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_a_copy_that_is_made_while_others_write_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(&folder).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (storage, is_over) = (storage.clone(), is_over.clone());
        async move {
            let mut turn = 0;
            while !is_over.load(Relaxed) {
                let first = turn * BATCH;
                let batch: Vec<_> = (first..first + BATCH)
                    .map(|number| archived(number, Some("g"), None))
                    .collect();
                assert_eq!(storage.archive(&batch).await.unwrap(), BATCH as usize);
                turn += 1;
                let roster = roster(&[(1, crate::roster::Role::Owner)], turn);
                let put = storage.put_roster("g", &roster, (turn > 1).then_some(turn - 1), 1);
                assert!(matches!(put.await.unwrap(), PutRoster::Written(at) if at == turn));
            }
            turn
        }
    });
    until("something is written", async || {
        !all(&storage).await.is_empty()
    })
    .await;
    let mut copies: Vec<PathBuf> = Vec::new();
    for number in 0..8 {
        let to = folder.path().join(format!("copy {number}"));
        let from = storage.back_up(&to).await.unwrap().unwrap();
        assert_eq!(from, folder.path().join("mls.db"));
        copies.push(to);
    }
    is_over.store(true, Relaxed);
    let turns = writing.await.unwrap();
    let written = all(&storage).await;
    assert_eq!(written.len() as u64, turns * BATCH);

    let mut before = 0;
    for copy in &copies {
        assert_eq!(
            fs::metadata(copy).unwrap().permissions().mode() & 0o777,
            0o600
        );
        for beside in ["-wal", "-shm", "-journal"] {
            let beside = PathBuf::from(format!("{}{beside}", copy.display()));
            assert!(!beside.exists(), "{}", beside.display());
        }
        let copy = SqliteStorage::open(&url(copy), 1).await.unwrap();
        let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&copy.readers)
            .await
            .unwrap();
        assert_eq!(sound, "ok");
        let found = all(&copy).await;
        assert_eq!(found, written[..found.len()]);
        let whole_turns = found.len() as u64 / BATCH;
        assert_eq!(found.len() as u64 % BATCH, 0, "half a transaction");
        assert!(found.len() >= before, "an older state than before");
        before = found.len();
        // Each turn archives, then writes the roster.
        let seq = copy.rosters(&["g".to_owned()]).await.unwrap();
        let seq = seq.first().map_or(0, |(_, it)| it.roster.seq);
        assert!([seq, seq + 1].contains(&whole_turns), "{seq} {whole_turns}");
    }
    assert!(before > 0, "nothing was written meanwhile");
}

#[tokio::test]
async fn d4_a_copy_says_that_it_is_one_until_it_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(&folder).await;
    assert!(!storage.is_copy().await.unwrap());
    let to = folder.path().join("copy");
    storage.back_up(&to).await.unwrap();
    assert!(!storage.is_copy().await.unwrap());
    let copy = SqliteStorage::open(&url(&to), 1).await.unwrap();
    assert!(copy.is_copy().await.unwrap());
    copy.end_copy().await.unwrap();
    drop(copy);
    let again = SqliteStorage::open(&url(&to), 1).await.unwrap();
    assert!(!again.is_copy().await.unwrap());
}
