//! Changes that were cut off at each point where a process can be killed, and a comparison of everything.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::ground::{Ground, NOW_MS, WIDE, hash_of, key, noise};
use crate::index::{NewBlob, Released};
use std::fs;

#[tokio::test]
async fn b6_what_was_cut_off_anywhere_is_gone_or_whole_after_the_start() {
    let ground = Ground::new(WIDE).await;
    let (index, storage) = (ground.holdings.index(), ground.holdings.storage());
    let files: Vec<Vec<u8>> = (0..6).map(|seed| noise(seed, 1_000)).collect();
    let hashes: Vec<BlobHash> = files.iter().map(|file| hash_of(file)).collect();
    let new = |hash: BlobHash| NewBlob {
        sha256: hash,
        size_bytes: 1_000,
        mime_type: "image/png".to_owned(),
        is_encrypted: false,
        md5: None,
        sha1: None,
    };
    // An upload: announced; moved into the storage; claimed.
    index.begin_change(&hashes[0]).await.unwrap();
    index.begin_change(&hashes[1]).await.unwrap();
    storage
        .put(&ground.spooled(&files[1]).await, "image/png")
        .await
        .unwrap();
    index.begin_change(&hashes[2]).await.unwrap();
    storage
        .put(&ground.spooled(&files[2]).await, "image/png")
        .await
        .unwrap();
    index.claim(&new(hashes[2]), &key(1), NOW_MS).await.unwrap();
    // A removal: the row is gone; the bytes are, too; all is told.
    for at in 3..6 {
        ground.upload(&files[at], &key(1)).await.unwrap();
        let released = index.release(&hashes[at], &key(1)).await.unwrap();
        assert!(matches!(released, Released::Removed(_)));
    }
    storage.delete(&hashes[4]).await.unwrap();
    storage.delete(&hashes[5]).await.unwrap();
    index.end_change(&hashes[5]).await.unwrap();
    // And a file that was on its way in.
    fs::write(ground.folder.path().join("incoming/abc"), "half").unwrap();

    let ground = Ground::at(ground.close(), WIDE).await;
    assert_eq!(ground.incoming(), 0);
    recover(&ground.holdings).await.unwrap();
    assert_eq!(ground.holdings.index().changes().await.unwrap(), []);
    for (at, hash) in hashes.iter().enumerate() {
        let row = ground.holdings.index().blob(hash).await.unwrap();
        assert_eq!(row.is_some(), at == 2, "row {at}");
        assert_eq!(ground.has(hash).await, at == 2, "bytes {at}");
    }
    assert_eq!(ground.holdings.quota().used_bytes(), (1_000, 0));
}

#[tokio::test]
async fn b14_a_check_finds_what_has_come_apart_and_removes_it_only_if_told_to() {
    let ground = Ground::new(WIDE).await;
    for seed in 0..5 {
        ground.upload(&noise(seed, 1_000), &key(1)).await.unwrap();
    }
    let storage = ground.holdings.storage();
    let stray = ground.spooled(&noise(50, 10)).await;
    storage.put(&stray, "image/png").await.unwrap();
    let lost = hash_of(&noise(0, 1_000));
    storage.delete(&lost).await.unwrap();
    let short = hash_of(&noise(1, 1_000)).to_string();
    let file = format!("files/{}/{}/{short}", &short[..2], &short[2..4]);
    fs::write(ground.folder.path().join(file), "short").unwrap();

    let named = |hash: BlobHash| Named {
        count: 1,
        first: vec![hash],
    };
    let wanted = Findings {
        right: 3,
        unknown: named(stray.sha256()),
        missing: named(lost),
        odd: named(short.parse().unwrap()),
        is_removed: false,
    };
    for _ in 0..2 {
        assert_eq!(check(&ground.holdings, false).await.unwrap(), wanted);
    }
    let removed = check(&ground.holdings, true).await.unwrap();
    assert!(removed.to_string().contains(": removed\n"), "{removed}");
    let after = check(&ground.holdings, false).await.unwrap();
    assert_eq!((after.unknown.count, after.missing.count), (0, 0));
    assert_eq!(ground.holdings.quota().used_bytes(), (4_000, 0));
}

#[tokio::test]
async fn b6_an_index_that_is_lost_takes_nothing_with_it() {
    let ground = Ground::new(WIDE).await;
    ground.upload(&noise(1, 1_000), &key(1)).await.unwrap();
    let folder = ground.close();
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    let ground = Ground::at(folder, WIDE).await;
    recover(&ground.holdings).await.unwrap();
    assert!(ground.has(&hash_of(&noise(1, 1_000))).await);
}
