//! The requests to other servers, made by [`HttpClient`]'s strict ones.
//!
//! Invariant: every URL is checked before it is asked, those of redirects too; nothing of the client's request goes along but
//! the file and its type, and nothing of the other server's answer comes back but the body and its type. What an address is
//! allowed to be, and that the connection goes to the one that was checked, is the relay's part (`[outbound]`).

use super::form::File;
use super::target::{Allowed, sha256_of};
use crate::failure::{Code, Failure};
use actix_web::web::{self, Bytes};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::time::{Duration, Instant};
use trellis_relay::extension::{HttpClient, HttpResponse, OutboundError};
use url::Url;

/// All of it may take so long, redirects included.
const PATIENCE: Duration = Duration::from_secs(15);
const REDIRECTS_MAX: usize = 3;
/// Blossom's word on an upload is a few lines.
const DESCRIPTOR_BYTES_MAX: usize = 64 << 10;
const TYPE_BYTES_MAX: usize = 100;

/// A file that came.
pub(super) struct Found {
    pub(super) bytes: Bytes,
    pub(super) mime_type: Option<String>,
}

/// A file that Blossom has stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) url: String,
    pub(super) sha256: String,
    pub(super) size: usize,
    pub(super) mime_type: String,
}

/// What Blossom says of a file (BUD-02).
#[derive(Deserialize)]
struct Descriptor {
    url: String,
    sha256: String,
    #[serde(rename = "type")]
    mime_type: Option<String>,
}

/// Fetches a file.
pub(super) async fn download(
    client: &HttpClient,
    allowed: &Allowed,
    url: &str,
    max_bytes: usize,
) -> Result<Found, Failure> {
    let begun = Instant::now();
    let mut url = allowed.check(url).ok_or_else(not_allowed)?;
    for _ in 0..=REDIRECTS_MAX {
        let request = client.get(url.as_str()).strict().header("accept", "*/*");
        let request = request.timeout(left(begun)?).max_body_bytes(max_bytes);
        let answer = request.send().await.map_err(failed)?;
        if let Some(location) = location(&answer) {
            let next = url.join(&location).ok();
            url = next
                .and_then(|next| allowed.check(next.as_str()))
                .ok_or_else(not_allowed)?;
            continue;
        }
        if matches!(answer.status(), 404 | 410) {
            return Err(Failure::new(Code::FileNotFound, "there is no such file"));
        }
        let answer = answer.error_for_status().map_err(failed)?;
        let mime_type = answer.header("content-type").map(str::to_owned);
        let bytes = answer.bytes().await.map_err(failed)?;
        if let Some(wanted) = sha256_of(&url).filter(|_| allowed.is_blossom(&url))
            && wanted != sha256(&bytes).await?
        {
            let message = "the Blossom server has another file at this address than its hash says";
            return Err(Failure::new(Code::UpstreamFailed, message));
        }
        return Ok(Found {
            bytes,
            mime_type: mime_type.filter(|it| it.len() <= TYPE_BYTES_MAX),
        });
    }
    let message = format!("the other server sends on more than {REDIRECTS_MAX} times");
    Err(Failure::new(Code::UpstreamFailed, message))
}

/// Stores a file on the Blossom server.
pub(super) async fn upload(
    client: &HttpClient,
    allowed: &Allowed,
    file: File,
) -> Result<Stored, Failure> {
    let begun = Instant::now();
    let target = allowed.upload().ok_or_else(|| {
        let message = "this operator has no Blossom server";
        Failure::new(Code::TargetNotAllowed, message)
    })?;
    let (sha256, size) = (sha256(&file.bytes).await?, file.bytes.len());
    let request = client.put(target.as_str()).strict();
    let request = request.header("content-type", &file.mime_type);
    let request = request.body(file.bytes).timeout(left(begun)?);
    let answer = request.max_body_bytes(DESCRIPTOR_BYTES_MAX).send().await;
    let answer = answer.map_err(failed)?;
    match answer.status() {
        413 => {
            return Err(Failure::new(
                Code::TooLarge,
                "the file is too large for the Blossom server",
            ));
        }
        status @ (400 | 401 | 403 | 415 | 422) => {
            let message = format!("the Blossom server does not take the file (status {status})");
            return Err(Failure::new(Code::UpstreamFailed, message));
        }
        _ => {}
    }
    let answer = answer.error_for_status().map_err(failed)?;
    let descriptor: Descriptor = answer.json().await.map_err(failed)?;
    if !descriptor.sha256.eq_ignore_ascii_case(&sha256) || Url::parse(&descriptor.url).is_err() {
        let message = "the Blossom server speaks of another file than it was sent";
        return Err(Failure::new(Code::UpstreamFailed, message));
    }
    Ok(Stored {
        url: descriptor.url,
        sha256,
        size,
        mime_type: descriptor.mime_type.unwrap_or(file.mime_type),
    })
}

/// Where an answer sends on to, if it does.
fn location(answer: &HttpResponse) -> Option<String> {
    match answer.status() {
        301 | 302 | 303 | 307 | 308 => answer.header("location").map(str::to_owned),
        _ => None,
    }
}

fn left(begun: Instant) -> Result<Duration, Failure> {
    let left = PATIENCE.saturating_sub(begun.elapsed());
    match left.is_zero() {
        false => Ok(left),
        true => Err(failed(OutboundError::Timeout(PATIENCE))),
    }
}

/// Aside, since a large file would hold up everybody else on this thread.
async fn sha256(bytes: &Bytes) -> Result<String, Failure> {
    let bytes = bytes.clone();
    let hash = web::block(move || const_hex::encode(Sha256::digest(&bytes))).await;
    hash.map_err(|_| Failure::new(Code::UpstreamFailed, "the file could not be looked at"))
}

fn not_allowed() -> Failure {
    let message = "this URL may not be asked for: https alone, and Blossom's host or one that the operator lists";
    Failure::new(Code::TargetNotAllowed, message)
}

/// What went wrong goes to the log, since it may name addresses of the operator's own network.
fn failed(error: OutboundError) -> Failure {
    tracing::info!("a file could not be fetched or stored: {error}");
    match error {
        OutboundError::Private { .. } | OutboundError::Url(_) => not_allowed(),
        OutboundError::TooLarge(max_bytes) => {
            let message = format!("the file is longer than {max_bytes} bytes");
            Failure::new(Code::TooLarge, message)
        }
        OutboundError::Busy(_) => {
            let message = "too many files are under way; try again in a moment";
            Failure::new(Code::RateLimited, message).retry_after_s(5)
        }
        OutboundError::Status(status) => {
            let message = format!("the other server answers with status {status}");
            Failure::new(Code::UpstreamFailed, message)
        }
        OutboundError::Timeout(_) => {
            let message = "the other server did not answer in time";
            Failure::new(Code::UpstreamFailed, message)
        }
        _ => Failure::new(Code::UpstreamFailed, "the other server could not be asked"),
    }
}
