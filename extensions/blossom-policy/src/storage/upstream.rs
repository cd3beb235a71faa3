//! Blobs on another Blossom server, which nobody else reaches (rule B13).
//!
//! Invariant: what is sent there was whole and was looked at before; what comes back has the length that it had, and a whole
//! blob is compared with the hash that it was asked for by, before its last part is passed on (a part cannot be); and a
//! redirect is followed only to a URL with that hash (BUD-01). What is
//! read is asked for in parts, so that the operator's bounds on requests (`[outbound]`) bound no blob.
//!
//! Deliberately not here: a list of what the server has. No route of Blossom's gives one, so `blossom check` finds nothing
//! there that the index does not know.

mod reading;
mod requests;
#[cfg(test)]
mod tests;

use super::{BlobStore, BlobStream, CHUNK_BYTES, Room, StorageError, blocking};
use crate::blob::BlobHash;
use crate::spool::Spooled;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, stream};
use reading::Reading;
use requests::Requests;
use serde::Deserialize;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use trellis_relay::extension::HttpClient;
use url::Url;

/// A server that says more about an upload is none.
const DESCRIPTOR_BYTES_MAX: usize = 64 << 10;

/// Blobs on another server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Upstream {
    requests: Requests,
}

/// What the server says it has stored (BUD-02), as far as it matters.
#[derive(Deserialize)]
struct Stored {
    sha256: BlobHash,
    size: u64,
}

impl Upstream {
    /// The server at a URL without a path.
    pub(crate) fn new(url: Url, client: HttpClient) -> Self {
        let requests = Requests::new(url, client);
        Upstream { requests }
    }
}

#[async_trait]
impl BlobStore for Upstream {
    async fn put(&self, spooled: &Spooled, mime_type: &str) -> Result<(), StorageError> {
        let file = spooled.file().try_clone();
        let file = file.map_err(|error| StorageError::of_disk("put", error))?;
        let (sha256, size_bytes) = (spooled.sha256(), spooled.size_bytes());
        let parts = parts(Arc::new(file), size_bytes);
        let answer = self
            .requests
            .upload()
            .header("content-type", mime_type)
            .header("x-sha-256", &sha256.to_string())
            .stream(size_bytes, parts)
            .max_body_bytes(DESCRIPTOR_BYTES_MAX)
            .unfollowed()
            .send()
            .await
            .map_err(|error| requests::failed("put", &error))?;
        match answer.status() {
            200 | 201 => {}
            507 => return Err(StorageError::Full(io::ErrorKind::StorageFull.into())),
            status => return Err(requests::refused("put", status)),
        }
        let stored = answer.json::<Stored>().await;
        let stored = stored.map_err(|error| requests::failed("put", &error))?;
        match stored.sha256 == sha256 && stored.size == size_bytes {
            true => Ok(()),
            false => Err(StorageError::Corrupt(
                "it speaks of another blob than it was sent",
            )),
        }
    }

    async fn get(
        &self,
        hash: &BlobHash,
        range: Range<u64>,
        size_bytes: u64,
    ) -> Result<BlobStream, StorageError> {
        // Whether it is there at all is said before anything is sent to whoever asks. What is whole is ours to say: with
        // another length than it was put there with nothing would be hashed.
        let found_bytes = self.size(hash).await?.ok_or(StorageError::Missing)?;
        if found_bytes != size_bytes || range.end > size_bytes {
            return Err(StorageError::Corrupt(
                "a blob has another length there than it had",
            ));
        }
        let reading = Reading::begin(self.requests.clone(), *hash, range, size_bytes);
        Ok(Box::pin(reading.chunks()))
    }

    async fn delete(&self, hash: &BlobHash) -> Result<(), StorageError> {
        let answer = self.requests.delete(hash).unfollowed().send().await;
        let answer = answer.map_err(|error| requests::failed("delete", &error))?;
        match answer.status() {
            200 | 202 | 204 | 404 | 410 => Ok(()),
            status => Err(requests::refused("delete", status)),
        }
    }

    async fn size(&self, hash: &BlobHash) -> Result<Option<u64>, StorageError> {
        let Some(answer) = self.requests.head(hash).await? else {
            return Ok(None);
        };
        let length = answer
            .header("content-length")
            .and_then(|it| it.trim().parse().ok());
        match length {
            Some(length) => Ok(Some(length)),
            None => Err(StorageError::Remote {
                operation: "size",
                what: "it does not tell the length of a blob (Content-Length)".to_owned(),
            }),
        }
    }

    async fn list(
        &self,
        _after: Option<BlobHash>,
        _max: usize,
    ) -> Result<Vec<BlobHash>, StorageError> {
        Ok(Vec::new())
    }

    async fn room(&self) -> Option<Room> {
        None
    }

    async fn check(&self) -> Result<(), StorageError> {
        // No blob hashes to this; that it is not there is an answer.
        self.requests
            .head(&BlobHash::from_bytes([0; 32]))
            .await
            .map(drop)
    }
}

/// A file from its beginning to its end.
fn parts(
    file: Arc<File>,
    size_bytes: u64,
) -> impl Stream<Item = Result<Bytes, StorageError>> + Send + 'static {
    stream::try_unfold(0_u64, move |at| {
        let file = Arc::clone(&file);
        async move {
            let bytes = (size_bytes - at).min(CHUNK_BYTES as u64);
            if bytes == 0 {
                return Ok(None);
            }
            let read = blocking("put", move || {
                let mut part = vec![0; bytes as usize];
                file.read_exact_at(&mut part, at)?;
                Ok(Bytes::from(part))
            });
            Ok(Some((read.await?, at + bytes)))
        }
    })
}
