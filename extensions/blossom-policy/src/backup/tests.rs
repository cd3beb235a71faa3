//! What comes back with a restore of an index that is newer than the blobs, or older.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::ground::{Ground, NOW_MS, WIDE, hash_of, key, noise};
use crate::index::{Banned, Change, NewDecision};
use std::fs;
use tempfile::TempDir;

fn decision(action: &str, hash: &BlobHash) -> NewDecision {
    NewDecision {
        decided_ms: NOW_MS,
        decided_by: "operator".to_owned(),
        action: action.to_owned(),
        subject: hash.to_string(),
        reason: "an order".to_owned(),
    }
}

async fn ban(holdings: &Holdings, hash: &BlobHash) {
    let banned = Banned::Hash(*hash);
    let index = holdings.index();
    let changed = index
        .decide(Change::Ban(&banned), &decision("ban", hash))
        .await;
    assert!(changed.unwrap());
}

/// Puts a copy of an index into a folder, and these blobs, as a restore does.
fn put_back(index: &Path, blobs: &[&[u8]]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(index, folder.path().join("index.sqlite")).unwrap();
    for bytes in blobs {
        let name = hash_of(bytes).to_string();
        let below = folder
            .path()
            .join("files")
            .join(&name[..2])
            .join(&name[2..4]);
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join(name), bytes).unwrap();
    }
    folder
}

#[tokio::test]
async fn d4_what_was_banned_or_removed_by_order_does_not_come_back_with_older_blobs() {
    let files: Vec<Vec<u8>> = (0..5).map(|seed| noise(seed, 1_000)).collect();
    let blobs: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let [kept, banned, removed, given_up, again] = [0, 1, 2, 3, 4].map(|at| hash_of(blobs[at]));
    let ground = Ground::new(WIDE).await;
    for bytes in &blobs {
        ground.upload(bytes, &key(1)).await.unwrap();
    }
    // After the blobs went into the backup, and before the index did.
    let holdings = &ground.holdings;
    for hash in [banned, removed, again] {
        holdings.remove(hash).await.unwrap().unwrap();
        let decision = decision("remove", &hash);
        holdings.index().add_decision(&decision).await.unwrap();
    }
    ban(holdings, &banned).await;
    holdings.release(given_up, key(1)).await.unwrap();
    ground.upload(blobs[4], &key(2)).await.unwrap();
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("index");
    holdings.index().back_up(&copy).await.unwrap();

    let restored = Ground::at(put_back(&copy, &blobs), WIDE).await;
    after_restore(&restored.holdings).await.unwrap();
    let known = async |hash| {
        restored
            .holdings
            .index()
            .blob(&hash)
            .await
            .unwrap()
            .is_some()
    };
    for (hash, has_row, has_bytes) in [
        (kept, true, true),
        (banned, false, false),
        (removed, false, false),
        // Shown to nobody; the operator's check removes it.
        (given_up, false, true),
        (again, true, true),
    ] {
        assert_eq!(known(hash).await, has_row, "{hash}");
        assert_eq!(restored.has(&hash).await, has_bytes, "{hash}");
    }
    assert!(!restored.holdings.index().is_copy().await.unwrap());
}

#[tokio::test]
async fn d4_an_index_that_is_no_copy_is_left_alone() {
    let ground = Ground::new(WIDE).await;
    let bytes = noise(1, 1_000);
    let stray = ground.spooled(&bytes).await;
    let storage = ground.holdings.storage();
    storage.put(&stray, "image/png").await.unwrap();
    ban(&ground.holdings, &hash_of(&bytes)).await;
    after_restore(&ground.holdings).await.unwrap();
    assert!(ground.has(&hash_of(&bytes)).await);
}

#[tokio::test]
async fn d4_a_blob_that_is_younger_than_the_backup_comes_back_with_its_owner() {
    let (old, young) = (noise(1, 1_000), noise(2, 1_000));
    let ground = Ground::new(WIDE).await;
    for bytes in [&old, &young] {
        ground.upload(bytes, &key(1)).await.unwrap();
    }
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("index");
    ground.holdings.index().back_up(&copy).await.unwrap();
    let restored = Ground::at(put_back(&copy, &[&old]), WIDE).await;
    after_restore(&restored.holdings).await.unwrap();
    let index = restored.holdings.index();
    assert!(index.blob(&hash_of(&young)).await.unwrap().is_some());
    assert!(!restored.has(&hash_of(&young)).await);
    restored.upload(&young, &key(1)).await.unwrap();
    assert!(restored.has(&hash_of(&young)).await);
}
