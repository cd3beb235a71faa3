//! A blob as it comes back, in parts that are each a request of their own.

use super::requests::{self, Requests};
use super::{BlobHash, CHUNK_BYTES, StorageError};
use bytes::{Buf as _, Bytes};
use futures_util::{Stream, stream};
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use trellis_relay::extension::HttpResponse;

/// So much is asked for at a time, if the operator's bounds let so much through.
const PART_BYTES: u64 = 8 << 20;

/// Reads a range of a blob.
pub(super) struct Reading {
    requests: Requests,
    hash: BlobHash,
    /// What is yet to be passed on.
    left: Range<u64>,
    /// For a whole blob: what came, as a hash.
    sha256: Option<Sha256>,
    /// What came of the part that is being read, and where that ends.
    part: Option<(HttpResponse, u64)>,
    /// What stands before the wanted range in an answer that is about everything.
    unwanted_bytes: u64,
    /// What has come and was not passed on.
    come: Bytes,
}

impl Reading {
    pub(super) fn begin(
        requests: Requests,
        hash: BlobHash,
        range: Range<u64>,
        size_bytes: u64,
    ) -> Self {
        let is_whole = range == (0..size_bytes);
        Reading {
            requests,
            hash,
            left: range,
            sha256: is_whole.then(Sha256::new),
            part: None,
            unwanted_bytes: 0,
            come: Bytes::new(),
        }
    }

    pub(super) fn chunks(self) -> impl Stream<Item = Result<Bytes, StorageError>> + Send {
        stream::try_unfold(self, |mut reading| async move {
            match reading.next().await? {
                Some(chunk) => Ok(Some((chunk, reading))),
                None => Ok(None),
            }
        })
    }

    /// The next chunk. The last one of a whole blob comes only if all of them are what the hash says.
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        while self.come.is_empty() {
            self.come = self.receive().await?;
        }
        let left_bytes = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX);
        let chunk = self
            .come
            .split_to(self.come.len().min(CHUNK_BYTES).min(left_bytes));
        self.left.start += chunk.len() as u64;
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(&chunk);
        }
        if self.left.is_empty()
            && let Some(sha256) = self.sha256.take()
            && sha256.finalize()[..] != self.hash.as_bytes()[..]
        {
            return Err(StorageError::Corrupt("a blob does not hash to its name"));
        }
        Ok(Some(chunk))
    }

    /// What comes next of the part that is being read, or of a new one. May be empty.
    async fn receive(&mut self) -> Result<Bytes, StorageError> {
        let (mut answer, end) = match self.part.take() {
            Some(part) => part,
            None => self.ask().await?,
        };
        let chunk = answer.chunk().await;
        let chunk = chunk.map_err(|error| requests::failed("get", &error))?;
        let Some(mut chunk) = chunk else {
            return Err(StorageError::Corrupt("a part of a blob ends early"));
        };
        let unwanted = chunk
            .len()
            .min(usize::try_from(self.unwanted_bytes).unwrap_or(usize::MAX));
        chunk.advance(unwanted);
        self.unwanted_bytes -= unwanted as u64;
        chunk.truncate(usize::try_from(end - self.left.start).unwrap_or(usize::MAX));
        if self.left.start + (chunk.len() as u64) < end {
            self.part = Some((answer, end));
        }
        Ok(chunk)
    }

    /// Asks for the next part; gives the answer at its beginning, and where it ends.
    async fn ask(&mut self) -> Result<(HttpResponse, u64), StorageError> {
        let bound = (self.requests.max_body_bytes() as u64).clamp(1, PART_BYTES);
        let range = self.left.start..self.left.end.min(self.left.start + bound);
        let answer = self.requests.part(&self.hash, &range).await?;
        let answer = answer.ok_or(StorageError::Missing)?;
        let wanted = format!("bytes {}-{}/", range.start, range.end - 1);
        match answer.status() {
            206 if answer
                .header("content-range")
                .is_some_and(|it| it.starts_with(&wanted)) =>
            {
                Ok((answer, range.end))
            }
            // It knows no ranges, and gives everything.
            200 => {
                self.unwanted_bytes = range.start;
                Ok((answer, self.left.end))
            }
            _ => Err(StorageError::Corrupt(
                "another part of a blob came than was asked for",
            )),
        }
    }
}
