//! Uploads and removals of many at a time, on a real disk and a real index.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::ground::{Ground, NOW_MS, WIDE, hash_of, key, noise};
use crate::index::Banned;
use crate::recovery;
use futures_util::{StreamExt, TryStreamExt, future};
use std::fs;
use std::sync::Arc;
use tokio::task::JoinSet;
use trellis_relay::testing::until;

fn is_quota(error: &HoldingsError) -> bool {
    matches!(error, HoldingsError::Quota(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b6_equal_uploads_at_the_same_time_store_one_blob() {
    let ground = Arc::new(Ground::new(WIDE).await);
    let bytes = noise(1, 300_000);
    let mut uploads = JoinSet::new();
    for number in 0..20 {
        let (ground, bytes) = (ground.clone(), bytes.clone());
        uploads.spawn(async move { ground.upload(&bytes, &key(number % 10)).await.unwrap() });
    }
    let claimed = uploads.join_all().await;
    let new = claimed.iter().filter(|it| matches!(it, Claimed::New(_)));
    assert_eq!(new.count(), 1);
    let charged = claimed.iter().filter(|it| charge(it).is_new_to_owner);
    assert_eq!(charged.count(), 10);
    assert_eq!(ground.stored().await, 1);
    until("nothing is left on its way", async || {
        ground.incoming() == 0
    })
    .await;
    assert_eq!(ground.holdings.quota().used_bytes(), (300_000, 0));
    for number in 0..10 {
        let usage = ground.holdings.index().usage(&key(number)).await;
        assert_eq!(usage.unwrap().plain_bytes, 300_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b9_a_hundred_uploads_at_the_edge_overshoot_by_nothing() {
    let of_one = Limits {
        bytes_per_pubkey: 30 * 1_000 + 999,
        ..WIDE
    };
    let of_all = Limits {
        total_bytes: Some(30 * 1_000 + 999),
        ..WIDE
    };
    for (limits, keys) in [(of_one, 1), (of_all, 100)] {
        let ground = Arc::new(Ground::new(limits).await);
        let mut uploads = JoinSet::new();
        for number in 0..100 {
            let ground = ground.clone();
            let bytes = noise(u64::from(number), 1_000);
            uploads.spawn(async move { ground.upload(&bytes, &key(number % keys)).await });
        }
        let results = uploads.join_all().await;
        let stored = results.iter().filter(|it| it.is_ok()).count() as u64;
        let refused = results.iter().filter_map(|it| it.as_ref().err());
        assert!(
            refused.clone().all(is_quota),
            "{:?}",
            refused.collect::<Vec<_>>()
        );
        let totals = ground.holdings.index().totals().await.unwrap();
        assert_eq!(totals.bytes, stored * 1_000, "what was told is there");
        assert_eq!(stored, 30, "exactly as many as there is room for");
        assert_eq!(ground.stored().await, 30);
        assert_eq!(ground.holdings.quota().used_bytes(), (30_000, 0));
    }
}

#[tokio::test]
async fn b9_room_that_is_given_up_can_be_used_again() {
    let limits = Limits {
        bytes_per_pubkey: 2_500,
        ..WIDE
    };
    let ground = Ground::new(limits).await;
    let owner = key(1);
    for round in 0..5 {
        let files = [noise(2 * round, 1_000), noise(2 * round + 1, 1_000)];
        for file in &files {
            ground.upload(file, &owner).await.unwrap();
        }
        let error = ground.upload(&noise(99, 1_000), &owner).await.unwrap_err();
        assert!(is_quota(&error), "{error}");
        // A blob that is there already costs nothing more, but needs room until that is known.
        let again = ground.upload(&files[0], &owner).await;
        assert!(is_quota(&again.unwrap_err()));
        for file in &files {
            let released = ground.holdings.release(hash_of(file), owner).await;
            assert!(matches!(released.unwrap(), Released::Removed(_)));
        }
        assert_eq!(ground.stored().await, 0);
    }
}

#[tokio::test]
async fn b10_the_bytes_go_with_the_last_claim() {
    let ground = Ground::new(WIDE).await;
    let bytes = noise(1, 10_000);
    let hash = hash_of(&bytes);
    ground.upload(&bytes, &key(1)).await.unwrap();
    let reservation = ground.holdings.reserve(&key(2), 10_000, Kind::Plain).await;
    let owned = ground
        .holdings
        .own(hash, reservation.unwrap(), NOW_MS)
        .await;
    assert!(matches!(
        owned.unwrap(),
        Some(Claimed::Known {
            is_new_owner: true,
            ..
        })
    ));
    let released = ground.holdings.release(hash, key(1)).await.unwrap();
    assert!(matches!(released, Released::StillOwned(_)));
    assert!(ground.has(&hash).await);
    let blob = ground.holdings.index().blob(&hash).await.unwrap().unwrap();
    let read = ground.holdings.read(&blob, 5..9_000).await.unwrap();
    let read: Vec<_> = read.try_collect().await.unwrap();
    assert!(read.concat() == bytes[5..9_000]);
    let released = ground.holdings.release(hash, key(2)).await.unwrap();
    assert!(matches!(released, Released::Removed(_)));
    assert!(!ground.has(&hash).await);
    assert_eq!(ground.holdings.index().changes().await.unwrap(), []);
    assert_eq!(ground.holdings.quota().used_bytes(), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b10_a_blob_that_comes_and_goes_has_a_row_if_it_has_bytes() {
    let ground = Arc::new(Ground::new(WIDE).await);
    let bytes = noise(1, 5_000);
    let hash = hash_of(&bytes);
    let mut tasks = JoinSet::new();
    for number in 0..12 {
        let (ground, bytes) = (ground.clone(), bytes.clone());
        tasks.spawn(async move {
            for _ in 0..15 {
                ground.upload(&bytes, &key(number)).await.unwrap();
                match number {
                    0 => drop(ground.holdings.remove(hash).await.unwrap()),
                    _ => drop(ground.holdings.release(hash, key(number)).await.unwrap()),
                }
            }
        });
    }
    tasks.join_all().await;
    let row = ground.holdings.index().blob(&hash).await.unwrap();
    assert_eq!(row.is_some(), ground.has(&hash).await);
    assert_eq!(ground.holdings.index().changes().await.unwrap(), []);
    let used = row.map_or(0, |row| row.size_bytes);
    assert_eq!(ground.holdings.quota().used_bytes(), (used, 0));
    for number in 0..12 {
        // What is kept in memory is what is stored, or this would be refused or let too much in.
        let usage = ground.holdings.index().usage(&key(number)).await.unwrap();
        assert!(usage.plain_bytes <= 5_000);
    }
}

#[tokio::test]
async fn b6_an_upload_goes_to_its_end_or_leaves_nothing_whenever_it_is_dropped() {
    let ground = Arc::new(Ground::new(WIDE).await);
    let owner = key(1);
    for polls in 0..30 {
        let bytes = noise(polls, 100_000);
        let mut upload = Box::pin(ground.upload(&bytes, &owner));
        for _ in 0..polls {
            if future::poll_immediate(&mut upload).await.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(upload);
    }
    let holdings = &ground.holdings;
    until("nothing is under way", async || {
        let (_, reserved) = holdings.quota().used_bytes();
        let changes = holdings.index().changes().await.unwrap();
        reserved == 0 && changes.is_empty() && ground.incoming() == 0
    })
    .await;
    let totals = holdings.index().totals().await.unwrap();
    assert_eq!(ground.stored().await as u64, totals.blobs);
    assert_eq!(holdings.quota().used_bytes().0, totals.bytes);
}

#[tokio::test]
async fn b6_a_storage_that_fails_leaves_nothing_behind() {
    let ground = Ground::new(WIDE).await;
    let bytes = noise(1, 10_000);
    let hash = hash_of(&bytes).to_string();
    // A file where a folder should be.
    let in_the_way = ground.folder.path().join("files").join(&hash[..2]);
    fs::write(&in_the_way, "").unwrap();
    let error = ground.upload(&bytes, &key(1)).await.unwrap_err();
    assert!(matches!(error, HoldingsError::Storage(_)), "{error}");
    assert_eq!(ground.holdings.quota().used_bytes(), (0, 0));
    assert_eq!(ground.holdings.index().totals().await.unwrap().blobs, 0);
    until("nothing is left on its way", async || {
        ground.incoming() == 0
    })
    .await;
    fs::remove_file(in_the_way).unwrap();
    ground.upload(&bytes, &key(1)).await.unwrap();
    assert!(ground.has(&hash_of(&bytes)).await);
}

#[tokio::test]
async fn b7_a_quarantined_blob_is_not_taken_again() {
    let ground = Ground::new(WIDE).await;
    let bytes = noise(1, 1_000);
    ground.upload(&bytes, &key(1)).await.unwrap();
    let index = ground.holdings.index();
    index.quarantine(&hash_of(&bytes), "a list").await.unwrap();
    let error = ground.upload(&bytes, &key(2)).await.unwrap_err();
    assert!(matches!(error, HoldingsError::Hidden), "{error}");
    assert_eq!(ground.holdings.quota().used_bytes(), (1_000, 0));
}

#[tokio::test]
async fn b14_a_ban_reaches_uploads_that_were_let_in_before_it() {
    let ground = Ground::new(WIDE).await;
    let bytes = noise(1, 1_000);
    let banned = Banned::Hash(hash_of(&bytes));
    let index = ground.holdings.index();
    index.ban(&banned, "malware", NOW_MS).await.unwrap();
    // What asks for bans first is not here: they were asked for before this one.
    let error = ground.upload(&bytes, &key(1)).await.unwrap_err();
    assert!(matches!(error, HoldingsError::Hidden), "{error}");
    assert_eq!(ground.stored().await, 0);
    assert_eq!(index.blob(&hash_of(&bytes)).await.unwrap(), None);
    assert_eq!(index.changes().await.unwrap(), []);
    assert_eq!(ground.holdings.quota().used_bytes(), (0, 0));
}

#[tokio::test]
async fn b14_a_quarantine_is_not_undone_by_giving_up_and_uploading_anew() {
    let ground = Ground::new(WIDE).await;
    let bytes = noise(1, 1_000);
    let hash = hash_of(&bytes);
    ground.upload(&bytes, &key(1)).await.unwrap();
    let (holdings, index) = (&ground.holdings, ground.holdings.index());
    index.quarantine(&hash, "to be looked at").await.unwrap();
    let released = holdings.release(hash, key(1)).await.unwrap();
    assert!(matches!(released, Released::Kept(_)), "{released:?}");
    assert!(ground.has(&hash).await, "for the operator to look at");
    assert_eq!(index.usage(&key(1)).await.unwrap().blobs, 0);
    let error = ground.upload(&bytes, &key(1)).await.unwrap_err();
    assert!(matches!(error, HoldingsError::Hidden), "{error}");
    assert_eq!(holdings.remove_given_up(hash).await.unwrap(), None);

    index.unquarantine(&hash).await.unwrap();
    let removed = holdings.remove_given_up(hash).await.unwrap();
    assert!(removed.is_some(), "nobody wants it any more");
    assert_eq!(ground.stored().await, 0);
    assert_eq!(holdings.quota().used_bytes(), (0, 0));
}

#[tokio::test]
async fn b12_what_was_claimed_anew_since_it_expired_stays() {
    let ground = Ground::new(WIDE).await;
    let bytes = noise(1, 1_000);
    let hash = hash_of(&bytes);
    ground.upload(&bytes, &key(1)).await.unwrap();
    let holdings = &ground.holdings;
    let reservation = holdings.reserve(&key(2), 1_000, Kind::Plain).await.unwrap();
    holdings.own(hash, reservation, NOW_MS + 10).await.unwrap();
    let early = holdings.remove_expired(hash, NOW_MS + 10).await;
    assert_eq!(early.unwrap(), None);
    assert!(ground.has(&hash).await);
    let late = holdings.remove_expired(hash, NOW_MS + 11).await;
    assert!(late.unwrap().is_some());
    assert_eq!(ground.stored().await, 0);
}

#[tokio::test]
async fn b10_what_the_storage_does_not_remove_is_gone_for_its_owner_and_tried_again() {
    let ground = Ground::new(WIDE).await;
    let files = [noise(1, 1_000), noise(2, 1_000)];
    let mut hashes = files.each_ref().map(|file| hash_of(file));
    hashes.sort_unstable_by_key(|hash| *hash.as_bytes());
    let path = |hash: &BlobHash| {
        let name = hash.to_string();
        let folder = ground.folder.path().join("files");
        folder.join(&name[..2]).join(&name[2..4]).join(name)
    };
    for file in &files {
        ground.upload(file, &key(1)).await.unwrap();
    }
    for hash in &hashes {
        // A folder is not removed as a file is.
        fs::remove_file(path(hash)).unwrap();
        fs::create_dir(path(hash)).unwrap();
        let released = ground.holdings.release(*hash, key(1)).await.unwrap();
        assert!(matches!(released, Released::Removed(_)), "{released:?}");
    }
    let index = ground.holdings.index();
    assert_eq!(index.changes().await.unwrap(), hashes);
    // The first is as stubborn as before, the second is not.
    fs::remove_dir(path(&hashes[1])).unwrap();
    let error = recovery::recover(&ground.holdings).await.unwrap_err();
    assert!(matches!(error, HoldingsError::Storage(_)), "{error}");
    assert_eq!(index.changes().await.unwrap(), hashes[..1]);
    fs::remove_dir(path(&hashes[0])).unwrap();
    assert_eq!(recovery::recover(&ground.holdings).await.unwrap(), 1);
    assert_eq!(index.changes().await.unwrap(), []);
}

#[tokio::test]
async fn b10_what_is_under_way_is_not_waited_for() {
    let ground = Ground::new(WIDE).await;
    let hash = hash_of(b"slow");
    ground.holdings.index().begin_change(&hash).await.unwrap();
    let turn = ground.holdings.place.turns.take(&hash).await;
    assert_eq!(recovery::recover(&ground.holdings).await.unwrap(), 0);
    let changes = ground.holdings.index().changes().await;
    assert_eq!(changes.unwrap(), [hash]);
    drop(turn);
    assert_eq!(recovery::recover(&ground.holdings).await.unwrap(), 1);
}

#[tokio::test]
async fn b14_what_came_back_meanwhile_is_not_forgotten() {
    let ground = Ground::new(WIDE).await;
    let bytes = noise(1, 1_000);
    let hash = hash_of(&bytes);
    ground.upload(&bytes, &key(1)).await.unwrap();
    assert!(!ground.holdings.is_missing(hash, true).await.unwrap());
    assert!(ground.has(&hash).await);
    ground.holdings.storage().delete(&hash).await.unwrap();
    assert!(ground.holdings.is_missing(hash, false).await.unwrap());
    assert!(ground.holdings.is_missing(hash, true).await.unwrap());
    let row = ground.holdings.index().blob(&hash).await.unwrap();
    assert_eq!(row, None);
}

#[tokio::test]
async fn b6_a_blob_that_the_storage_has_lost_comes_back_with_an_upload() {
    let ground = Ground::new(WIDE).await;
    let bytes = noise(1, 1_000);
    let hash = hash_of(&bytes);
    ground.upload(&bytes, &key(1)).await.unwrap();
    ground.holdings.storage().delete(&hash).await.unwrap();
    let blob = ground.holdings.index().blob(&hash).await.unwrap().unwrap();
    let lost = ground.holdings.read(&blob, 0..10).await;
    assert!(matches!(
        lost.err(),
        Some(HoldingsError::Storage(StorageError::Missing))
    ));
    ground.upload(&bytes, &key(1)).await.unwrap();
    let mut read = ground.holdings.read(&blob, 0..10).await.unwrap();
    assert_eq!(read.next().await.unwrap().unwrap(), bytes[..10]);
}
