//! Reading the body of a request whole.
//!
//! Invariant: a body comes within `network.body_timeout` or not at all, and what lies half-read in memory is bounded for the
//! whole process, with a share for each address. No step of reading or hashing is long, however long the body is, so that
//! others on the same thread have their turns. Not here: bodies that handlers read by themselves.

use super::error::ApiError;
use super::limits;
use super::surroundings::Surroundings;
use crate::shares::Shares;
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, PoisonError};

/// So much is hashed and kept at a time.
const STEP_BYTES: usize = 128 << 10;
/// So much may lie half-read.
const HALF_READ_BYTES_MAX: usize = 64 << 20;

static HALF_READ: LazyLock<Mutex<Shares>> =
    LazyLock::new(|| Mutex::new(Shares::of(HALF_READ_BYTES_MAX)));

/// The whole body, at most as long as the scope allows.
pub(super) async fn read_whole(request: &HttpRequest, payload: Payload) -> Result<Bytes, ApiError> {
    read_with(request, payload, |_| ()).await
}

/// The same with its SHA-256, which is made as the body comes.
pub(super) async fn read_and_hash(
    request: &HttpRequest,
    payload: Payload,
) -> Result<(Bytes, [u8; 32]), ApiError> {
    let mut hash = Sha256::new();
    let body = read_with(request, payload, |step| hash.update(step)).await?;
    Ok((body, hash.finalize().into()))
}

/// The whole body, each step of which is looked at as it comes.
async fn read_with(
    request: &HttpRequest,
    payload: Payload,
    look: impl FnMut(&[u8]),
) -> Result<Bytes, ApiError> {
    let max_bytes = limits::max_body_bytes(request);
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > max_bytes as u64) {
        return Err(ApiError::too_large(max_bytes));
    }
    let surroundings = Surroundings::of(request)?;
    let mut held = Held {
        ip: surroundings.client_ip(request),
        bytes: 0,
    };
    let read = gather(payload, max_bytes, |bytes| held.take(bytes), look);
    in_time(surroundings, read).await
}

/// What comes, step by step. `take` is asked for every chunk; `look` sees each step once.
async fn gather<E>(
    mut payload: impl Stream<Item = Result<Bytes, E>> + Unpin,
    max_bytes: usize,
    mut take: impl FnMut(usize) -> Result<(), ApiError>,
    mut look: impl FnMut(&[u8]),
) -> Result<Bytes, ApiError> {
    let (mut body, mut since_turn_bytes) = (BytesMut::new(), 0);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the body cannot be read"))?;
        if body.len() + chunk.len() > max_bytes {
            return Err(ApiError::too_large(max_bytes));
        }
        take(chunk.len())?;
        for step in chunk.chunks(STEP_BYTES) {
            if since_turn_bytes >= STEP_BYTES {
                since_turn_bytes = 0;
                tokio::task::yield_now().await;
            }
            since_turn_bytes += step.len();
            look(step);
            body.extend_from_slice(step);
        }
    }
    Ok(body.freeze())
}

/// Whether nothing comes, whatever the head says: HTTP/2 needs no length.
pub(super) async fn is_empty(
    request: &HttpRequest,
    mut payload: Payload,
) -> Result<bool, ApiError> {
    let look = async {
        while let Some(chunk) = payload.next().await {
            if !chunk.is_ok_and(|chunk| chunk.is_empty()) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    in_time(Surroundings::of(request)?, look).await
}

async fn in_time<T>(
    surroundings: &Surroundings,
    read: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let patience = surroundings.host.network().body_timeout.duration();
    let late = |_| {
        let text = "the body did not come in time";
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, text))
    };
    tokio::time::timeout(patience, read)
        .await
        .unwrap_or_else(late)
}

/// What one body holds, until it is whole or given up.
struct Held {
    ip: Option<IpAddr>,
    bytes: usize,
}

impl Held {
    fn take(&mut self, bytes: usize) -> Result<(), ApiError> {
        let mut shares = HALF_READ.lock().unwrap_or_else(PoisonError::into_inner);
        if !shares.take(self.ip, bytes) {
            let text = "too many bodies are on their way; try again later";
            return Err(ApiError::unavailable(text));
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut shares = HALF_READ.lock().unwrap_or_else(PoisonError::into_inner);
        shares.give_back(self.ip, self.bytes);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[tokio::test]
    async fn e11_others_have_their_turns_while_a_large_body_is_read_and_hashed() {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = turns.clone();
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Relaxed);
                tokio::task::yield_now().await;
            }
        });
        let whole: Vec<u8> = (0..8 << 20).map(|at: usize| (at % 251) as u8).collect();
        // All of it is there at once: as one chunk, and as many small ones.
        for chunk_bytes in [8 << 20, 10_000] {
            let chunks = whole.chunks(chunk_bytes).map(Bytes::copy_from_slice);
            let chunks: Vec<_> = chunks.map(Ok::<_, ()>).collect();
            let (mut hash, before) = (Sha256::new(), turns.load(Relaxed));
            let payload = futures_util::stream::iter(chunks);
            let look = |step: &[u8]| hash.update(step);
            let body = gather(payload, 8 << 20, |_| Ok(()), look).await.unwrap();
            let had = turns.load(Relaxed) - before;
            assert!(had >= 50, "{had} turns for chunks of {chunk_bytes} bytes");
            assert!(body == whole);
            assert_eq!(hash.finalize(), Sha256::digest(&whole));
        }
        other.abort();
        let two = || {
            futures_util::stream::iter([b"ab", b"cd"].map(|it| Ok::<_, ()>(Bytes::from_static(it))))
        };
        assert!(gather(two(), 3, |_| Ok(()), |_| ()).await.is_err());
        let full = |_| Err(ApiError::unavailable("full"));
        assert!(gather(two(), 4, full, |_| ()).await.is_err());
    }

    #[test]
    fn e11_half_read_bodies_of_one_address_are_bounded_and_let_go() {
        let held = |last| Held {
            ip: Some([192, 0, 2, last].into()),
            bytes: 0,
        };
        let mut greedy = held(1);
        while greedy.take(1 << 20).is_ok() {}
        assert!(greedy.bytes < HALF_READ_BYTES_MAX / 2);
        held(2).take(1 << 20).unwrap();
        drop(greedy);
        held(1).take(1 << 20).unwrap();
    }
}
