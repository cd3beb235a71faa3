//! The storage before a server over TLS that keeps what it is sent.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::ground::hash_of as hash;
use crate::spool::{Receive, Spool};
use crate::storage::upstream::double::{Double, Manner};
use crate::tests::courier;
use futures_util::{StreamExt as _, TryStreamExt as _};
use std::convert::Infallible;
use std::time::Duration;
use tempfile::TempDir;
use trellis_relay::testing::TestRelay;

struct Ground {
    _relay: TestRelay,
    _folder: TempDir,
    double: Double,
    spool: Spool,
    storage: Upstream,
}

async fn ground(manner: Manner) -> Ground {
    let double = Double::start(manner);
    // Answers are bounded, so that long blobs come in many parts.
    let outbound = format!("{}\nmax_body_bytes = '70000'", double.server.outbound());
    let (relay, host) = courier::host(&outbound).await;
    let folder = TempDir::new().unwrap();
    let url = Url::parse(&double.server.url("")).unwrap();
    Ground {
        _relay: relay,
        spool: Spool::new(folder.path(), 4),
        _folder: folder,
        double,
        storage: Upstream::new(url, host.http_client().clone()),
    }
}

impl Ground {
    async fn spooled(&self, bytes: &[u8]) -> Spooled {
        let wanted = Receive {
            declared_bytes: None,
            max_bytes: u64::MAX,
            idle_timeout: Duration::from_secs(20),
            total_timeout: Duration::from_secs(20),
            min_bytes_per_s: 0,
            also_md5: false,
            also_sha1: false,
        };
        let chunks = bytes
            .chunks(10_000)
            .map(|it| Ok::<_, Infallible>(Bytes::copy_from_slice(it)));
        let chunks: Vec<_> = chunks.collect();
        self.spool
            .receive(stream::iter(chunks), &wanted)
            .await
            .unwrap()
    }

    async fn put(&self, bytes: &[u8]) -> Result<BlobHash, StorageError> {
        let spooled = self.spooled(bytes).await;
        self.storage.put(&spooled, "application/pdf").await?;
        Ok(spooled.sha256())
    }

    /// A part of a blob that has been put there.
    async fn get(&self, hash: &BlobHash, range: Range<u64>) -> Result<Vec<u8>, StorageError> {
        let blob = self.double.blobs().get(&hash.to_string()).cloned();
        let size_bytes = blob.map_or(range.end, |blob| blob.len() as u64);
        let chunks = self.storage.get(hash, range, size_bytes).await?;
        let chunks: Vec<Bytes> = chunks.try_collect().await?;
        assert!(
            chunks
                .iter()
                .all(|it| !it.is_empty() && it.len() <= CHUNK_BYTES)
        );
        Ok(chunks.concat())
    }
}

/// Bytes like no others, of this number.
fn blob(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| (at * 31 / 7 + at / 256) as u8)
        .collect()
}

#[tokio::test]
async fn b13_what_is_put_there_comes_back_whole_and_in_parts() {
    for manner in [Manner::Right, Manner::SendingOn] {
        let ground = ground(manner).await;
        let bytes = blob(300_000);
        let name = ground.put(&bytes).await.unwrap();
        assert_eq!(ground.storage.size(&name).await.unwrap(), Some(300_000));
        assert_eq!(ground.get(&name, 0..300_000).await.unwrap(), bytes);
        for range in [
            0..1,
            5..70_005,
            69_999..70_001,
            299_999..300_000,
            140_000..300_000,
        ] {
            let part = ground.get(&name, range.clone()).await.unwrap();
            assert!(
                part == bytes[range.start as usize..range.end as usize],
                "{range:?}"
            );
        }
        ground.storage.delete(&name).await.unwrap();
        ground.storage.delete(&name).await.unwrap();
        assert_eq!(ground.storage.size(&name).await.unwrap(), None);
        assert!(matches!(
            ground.get(&name, 0..1).await,
            Err(StorageError::Missing)
        ));
        assert!(ground.double.blobs().is_empty());
        ground.storage.check().await.unwrap();
    }
}

#[tokio::test]
async fn b13_a_server_without_ranges_is_read_all_the_same() {
    let ground = ground(Manner::WithoutRanges).await;
    let bytes = blob(60_000);
    let name = ground.put(&bytes).await.unwrap();
    assert_eq!(ground.get(&name, 0..60_000).await.unwrap(), bytes);
    assert_eq!(
        ground.get(&name, 500..50_000).await.unwrap(),
        bytes[500..50_000]
    );
    assert_eq!(
        ground.get(&name, 59_999..60_000).await.unwrap(),
        bytes[59_999..]
    );
}

#[tokio::test]
async fn b13_other_bytes_than_the_hash_says_are_not_passed_on_whole() {
    let ground = ground(Manner::Forging).await;
    let bytes = blob(200_000);
    let name = ground.put(&bytes).await.unwrap();
    let chunks = ground.storage.get(&name, 0..200_000, 200_000).await;
    let mut chunks = chunks.unwrap();
    let mut come = 0;
    let error = loop {
        match chunks.next().await.unwrap() {
            Ok(chunk) => come += chunk.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
    assert!(come < 200_000);
    // A blob that became shorter or longer is noticed before anything is sent.
    for bytes in [10, 199_999, 200_001] {
        ground.double.blobs().insert(name.to_string(), blob(bytes));
        let other = ground.storage.get(&name, 0..200_000, 200_000).await;
        let error = other.err().unwrap();
        assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
    }
}

#[tokio::test]
async fn b13_what_goes_wrong_there_is_told_apart() {
    let mistaken = ground(Manner::Mistaken).await.put(&blob(10)).await;
    assert!(
        matches!(mistaken, Err(StorageError::Corrupt(_))),
        "{mistaken:?}"
    );
    let full = ground(Manner::Full).await.put(&blob(10)).await;
    assert!(matches!(full, Err(StorageError::Full(_))), "{full:?}");

    let failing = ground(Manner::Failing).await;
    let name = hash(&blob(10));
    let put = failing.put(&blob(10)).await;
    for error in [
        put.err().unwrap(),
        failing.storage.size(&name).await.err().unwrap(),
        failing.storage.delete(&name).await.err().unwrap(),
        failing.storage.check().await.err().unwrap(),
    ] {
        let said = error.to_string();
        assert!(
            said.contains("status 500") && !said.contains(&name.to_string()),
            "{said}"
        );
    }

    let elsewhere = ground(Manner::SendingElsewhere).await;
    let size = elsewhere.storage.size(&name).await;
    assert!(size.err().unwrap().to_string().contains("not this blob's"));
    assert_eq!(elsewhere.double.server.asked().len(), 1);
}
