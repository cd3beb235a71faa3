//! Copies, and disks without room for them. That they are of one moment while others write is shown where there are tables.

#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

async fn database(folder: &TempDir) -> SqliteConnectOptions {
    let file = folder.path().join("own");
    create(&file).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePool::connect_with(options.clone()).await.unwrap();
    pool.execute("CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('kept')")
        .await
        .unwrap();
    assert!(!is_copy(&pool).await.unwrap());
    pool.close().await;
    options
}

#[tokio::test]
async fn d4_a_copy_says_that_it_is_one_until_it_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let own = database(&folder).await;
    let to = folder.path().join("copy");
    copy(&own, &to).await.unwrap();
    let mode = fs::metadata(&to).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = SqlitePool::connect_with(own.filename(&to)).await.unwrap();
    let word: String = sqlx::query_scalar("SELECT word FROM words")
        .fetch_one(&read)
        .await
        .unwrap();
    assert_eq!(word, "kept");
    assert!(is_copy(&read).await.unwrap());
    end_copy(&read).await.unwrap();
    assert!(!is_copy(&read).await.unwrap());
}

#[tokio::test]
async fn d4_a_copy_for_which_there_is_no_room_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let own = database(&folder).await;
    let to = folder.path().join("copy");
    let refused = copy_beside(&own, &to, u64::MAX).await.unwrap_err();
    assert!(matches!(refused, CopyError::NoRoom { free_bytes, .. } if free_bytes > 0));
    assert!(!to.exists());
}
