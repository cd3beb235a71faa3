//! Reading the body of a request whole.
//!
//! Invariant: a body comes within `network.body_timeout` or not at all, and what lies half-read in memory is bounded for the
//! whole process, with a share for each address. Not here: bodies that handlers read by themselves.

use super::error::ApiError;
use super::limits;
use super::surroundings::Surroundings;
use crate::shares::Shares;
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, PoisonError};

/// So much may lie half-read.
const HALF_READ_BYTES_MAX: usize = 64 << 20;

static HALF_READ: LazyLock<Mutex<Shares>> =
    LazyLock::new(|| Mutex::new(Shares::of(HALF_READ_BYTES_MAX)));

/// The whole body, at most as long as the scope allows.
pub(super) async fn read_whole(
    request: &HttpRequest,
    mut payload: Payload,
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
    let read = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| ApiError::bad_request("the body cannot be read"))?;
            if body.len() + chunk.len() > max_bytes {
                return Err(ApiError::too_large(max_bytes));
            }
            held.take(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    in_time(surroundings, read).await
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
