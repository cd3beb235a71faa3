//! What tests of the parts that hold blobs stand on: a directory of its own, a spool and a storage on disk.

#![allow(clippy::unwrap_used)]

use crate::blob::BlobHash;
use crate::holdings::{Holdings, HoldingsError, Verdict};
use crate::index::Claimed;
use crate::place::Place;
use crate::quota::{Kind, Limits};
use crate::spool::{Receive, Spool, SpoolError, Spooled};
use crate::storage::Filesystem;
use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use trellis_relay::event::PublicKey;

/// When tests happen.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

/// Limits that no test meets by accident.
pub(crate) const WIDE: Limits = Limits {
    bytes_per_pubkey: 1 << 30,
    encrypted_bytes_per_pubkey: 1 << 30,
    blobs_per_pubkey: 10_000,
    total_bytes: None,
    free_bytes: 0,
};

/// A directory with all that holds blobs.
pub(crate) struct Ground {
    pub(crate) folder: TempDir,
    pub(crate) holdings: Holdings,
    pub(crate) spool: Spool,
}

impl Ground {
    pub(crate) async fn new(limits: Limits) -> Self {
        Self::at(tempfile::tempdir().unwrap(), limits).await
    }

    pub(crate) async fn at(folder: TempDir, limits: Limits) -> Self {
        let place = Place::open(folder.path()).await.unwrap();
        let storage = Filesystem::open(&place.files()).unwrap();
        Ground {
            folder,
            spool: Spool::new(&place.incoming(), 128),
            holdings: Holdings::new(place, Arc::new(storage), limits),
        }
    }

    /// Lets go of the directory.
    pub(crate) fn close(self) -> TempDir {
        self.folder
    }

    pub(crate) async fn spooled(&self, bytes: &[u8]) -> Spooled {
        spooled(&self.spool, bytes).await.unwrap()
    }

    /// Takes a file in for somebody, as an upload does.
    pub(crate) async fn upload(
        &self,
        bytes: &[u8],
        owner: &PublicKey,
    ) -> Result<Claimed, HoldingsError> {
        let length = bytes.len() as u64;
        let reservation = self.holdings.reserve(owner, length, Kind::Plain).await?;
        let spooled = self.spooled(bytes).await;
        let verdict = Verdict {
            mime_type: "image/png".to_owned(),
            is_encrypted: false,
        };
        self.holdings
            .add(spooled, verdict, reservation, NOW_MS)
            .await
    }

    /// Whether the storage has a blob.
    pub(crate) async fn has(&self, hash: &BlobHash) -> bool {
        self.holdings.storage().size(hash).await.unwrap().is_some()
    }

    /// How many blobs the storage has.
    pub(crate) async fn stored(&self) -> usize {
        let found = self.holdings.storage().list(None, 100_000).await;
        found.unwrap().len()
    }

    /// Files on their way in.
    pub(crate) fn incoming(&self) -> usize {
        let folder = self.folder.path().join("incoming");
        fs::read_dir(folder).unwrap().count()
    }
}

/// What is expected of a file where nothing is.
pub(crate) fn anything() -> Receive {
    Receive {
        declared_bytes: None,
        max_bytes: u64::MAX,
        idle_timeout: Duration::from_secs(60),
        total_timeout: Duration::from_secs(60),
        min_bytes_per_s: 0,
        also_md5: true,
        also_sha1: true,
    }
}

/// Takes a file in, in pieces of an odd length.
pub(crate) async fn spooled(spool: &Spool, bytes: &[u8]) -> Result<Spooled, SpoolError> {
    let pieces = bytes.chunks(40_961).map(Bytes::copy_from_slice);
    let pieces = pieces.map(Ok::<_, Infallible>);
    spool.receive(stream::iter(pieces), &anything()).await
}

/// A key for each number.
pub(crate) fn key(number: u16) -> PublicKey {
    let mut bytes = [7; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    PublicKey::from_byte_array(bytes)
}

/// Bytes that no other seed gives.
pub(crate) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

/// What a file is called.
pub(crate) fn hash_of(bytes: &[u8]) -> BlobHash {
    BlobHash::from_bytes(Sha256::digest(bytes).into())
}
