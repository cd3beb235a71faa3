//! What every storage keeps. A backend's tests call [`run`] with a storage that is empty.

#![allow(clippy::unwrap_used)]

use super::{BlobStore, CHUNK_BYTES, StorageError};
use crate::blob::BlobHash;
use crate::ground::{hash_of, noise, spooled};
use crate::spool::Spool;
use futures_util::{StreamExt, TryStreamExt};
use std::fs;
use std::ops::Range;
use trellis_relay::testing::until;

/// A length that object stores take in parts.
const LONG_BYTES: usize = (17 << 20) + 4_321;

/// Runs all of it. Files come in to `incoming`, on the disk that the storage is on if it is one.
pub(crate) async fn run(storage: &dyn BlobStore, incoming: &std::path::Path) {
    let spool = Spool::new(incoming, 8);
    storage.check().await.unwrap();
    gives_back_what_it_was_given(storage, &spool).await;
    is_missing_what_is_not_there(storage).await;
    lists_in_order(storage, &spool).await;
    until("nothing is left on its way", async || {
        fs::read_dir(incoming).unwrap().count() == 0
    })
    .await;
    storage.check().await.unwrap();
}

async fn put(storage: &dyn BlobStore, spool: &Spool, bytes: &[u8]) -> BlobHash {
    let spooled = spooled(spool, bytes).await.unwrap();
    storage.put(&spooled, "image/png").await.unwrap();
    spooled.sha256()
}

async fn get(storage: &dyn BlobStore, hash: &BlobHash, range: Range<u64>) -> Vec<u8> {
    let size_bytes = storage.size(hash).await.unwrap().unwrap();
    let mut stream = storage.get(hash, range, size_bytes).await.unwrap();
    let mut read = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        assert!(!chunk.is_empty() && chunk.len() <= CHUNK_BYTES);
        read.extend_from_slice(&chunk);
    }
    read
}

async fn gives_back_what_it_was_given(storage: &dyn BlobStore, spool: &Spool) {
    for length in [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, LONG_BYTES] {
        let bytes = noise(length as u64, length);
        let hash = put(storage, spool, &bytes).await;
        assert_eq!(storage.size(&hash).await.unwrap(), Some(length as u64));
        let (end, half) = (length as u64, length as u64 / 2);
        for range in [
            0..end,
            half..end,
            0..half.max(1),
            end - 1..end,
            half..half + 1,
        ] {
            let wanted = &bytes[range.start as usize..range.end as usize];
            assert!(
                get(storage, &hash, range.clone()).await == wanted,
                "{range:?} of {length}"
            );
        }
        // Once more is the same.
        assert_eq!(put(storage, spool, &bytes).await, hash);
        assert!(get(storage, &hash, 0..end).await == bytes);
        // A reader that goes away early harms nobody.
        let mut left = storage.get(&hash, 0..end, end).await.unwrap();
        assert!(left.next().await.unwrap().is_ok());
        drop(left);
        // More than there is.
        let beyond = match storage.get(&hash, 0..end + 1, end).await {
            Ok(stream) => stream.try_collect::<Vec<_>>().await.err(),
            Err(error) => Some(error),
        };
        assert!(
            matches!(beyond, Some(StorageError::Corrupt(_))),
            "{beyond:?}"
        );
        storage.delete(&hash).await.unwrap();
        assert_eq!(storage.size(&hash).await.unwrap(), None);
    }
}

async fn is_missing_what_is_not_there(storage: &dyn BlobStore) {
    let hash = hash_of(b"nothing");
    let error = storage.get(&hash, 0..1, 1).await.err();
    assert!(matches!(error, Some(StorageError::Missing)), "{error:?}");
    assert_eq!(storage.size(&hash).await.unwrap(), None);
    storage.delete(&hash).await.unwrap();
}

async fn lists_in_order(storage: &dyn BlobStore, spool: &Spool) {
    assert_eq!(storage.list(None, 10).await.unwrap(), []);
    let mut hashes = Vec::new();
    for seed in 0..40 {
        hashes.push(put(storage, spool, &noise(seed, 100)).await);
    }
    hashes.sort_unstable();
    assert_eq!(storage.list(None, 1_000).await.unwrap(), hashes);
    let mut paged: Vec<BlobHash> = Vec::new();
    loop {
        let page = storage.list(paged.last().copied(), 7).await.unwrap();
        assert!(page.len() <= 7);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, hashes);
    for hash in &hashes {
        storage.delete(hash).await.unwrap();
    }
    assert_eq!(storage.list(None, 10).await.unwrap(), []);
}
