//! `GET` and `HEAD /<sha256>[.ext]` (BUD-01): blobs, whole or in part.
//!
//! Invariant: what is sent is never run by a browser in this server's name, whatever its bytes are: its type is the row's and
//! not to be guessed at, and its page is in a sandbox. What is in quarantine, banned or on a block list is sent to nobody. Bytes are
//! passed on as they are read, at the reader's pace. HEAD says what GET would: it asks the storage as well.

mod range;

use super::{BLOB, hash_in};
use crate::BlossomPolicy;
use crate::auth::{self, Verb};
use crate::blob::{BlobHash, MimeType};
use crate::config::Config;
use crate::holdings::HoldingsError;
use crate::index::Blob;
use crate::refusal::Refusal;
use crate::storage::StorageError;
use crate::watch;
use actix_web::body::SizedStream;
use actix_web::http::Method;
use actix_web::http::header::{
    self, HeaderMap, HeaderName, HeaderValue, HttpDate, TryIntoHeaderValue,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::{StreamExt, TryStreamExt, stream};
use range::Wanted;
use std::time::{Duration, UNIX_EPOCH};
use trellis_relay::extension::prelude::*;

/// The same with an extension, which says nothing.
const BLOB_WITH_EXTENSION: &str = "/{sha256:[0-9a-fA-F]{64}}.{extension:[0-9A-Za-z.]{0,32}}";
/// Nothing of a blob is run, and nothing is fetched for it.
const POLICY: &str =
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'";
/// A blob never changes under its name, so it is kept for as long as a cache keeps anything.
const YEAR_S: u64 = 31_536_000;

const SUNSET: HeaderName = HeaderName::from_static("sunset");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(super) fn declare(api: &mut Api) {
    for (path, summary) in [
        (BLOB, "A blob"),
        (
            BLOB_WITH_EXTENSION,
            "A blob, with an extension that says nothing",
        ),
    ] {
        for method in [Method::GET, Method::HEAD] {
            api.route(method, path, answer)
                .summary(summary)
                .takes(|inputs| {
                    inputs.header("Range", "A range of bytes.");
                    inputs.header("If-None-Match", "What is known already.");
                })
                .answers_with(200, "application/octet-stream")
                .answers_with(206, "application/octet-stream")
                .answers_nothing(304)
                .fails(404, "There is no such blob.")
                .fails(416, "The range is outside of the blob.")
                .fails(451, "The blob may not be shown.");
        }
    }
}

async fn answer(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    let result = find_and_send(&me, &request).await;
    watch::asked_for(match &result {
        Ok(answer) if answer.status() == 304 => "unchanged",
        Ok(_) => "sent",
        Err(refusal) => refusal.label(),
    });
    result
}

async fn find_and_send(me: &BlossomPolicy, request: &HttpRequest) -> Result<HttpResponse, Refusal> {
    me.rates.take_download(request)?;
    let sha256 = hash_in(request)?;
    let config = me.config();
    if config.require_auth_to_read {
        auth::signer(me, request, Verb::Get)?.require_if_scoped(&sha256)?;
    }
    let blob = find(me, &sha256).await?;
    let tag = format!("\"{sha256}\"");
    if is_known(request.headers(), &tag) {
        let mut answer = HttpResponse::NotModified();
        about(&mut answer, me, &config, &blob, &tag);
        return Ok(answer.finish());
    }
    send(me, request, &config, &blob, &tag).await
}

/// The blob, if it may be shown.
async fn find(me: &BlossomPolicy, sha256: &BlobHash) -> Result<Blob, Refusal> {
    let found = me.holdings.index().blob(sha256).await;
    let blob = found.map_err(Refusal::inside)?.ok_or(Refusal::NoBlob)?;
    let (md5, sha1) = (blob.md5.as_ref(), blob.sha1.as_ref());
    let is_listed = me.block_lists.is_blocked(sha256.as_bytes(), md5, sha1);
    match is_listed || blob.is_hidden() {
        true => Err(Refusal::Unlawful),
        false => Ok(blob),
    }
}

/// Whether who asks has it already. Under one name there are no two versions, so that weak and strong are the same.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH);
    let tags = tags.filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

async fn send(
    me: &BlossomPolicy,
    request: &HttpRequest,
    config: &Config,
    blob: &Blob,
    tag: &str,
) -> Result<HttpResponse, Refusal> {
    let wanted = match request.method() {
        // HEAD tells of the whole (RFC 9110, 14.2).
        &Method::HEAD => Wanted::Whole,
        _ => range::wanted(request.headers(), tag, blob.size_bytes),
    };
    let (mut answer, bytes) = match wanted {
        Wanted::Whole => (HttpResponse::Ok(), 0..blob.size_bytes),
        Wanted::Part(part) => {
            let last = part.end.saturating_sub(1);
            let place = format!("bytes {}-{last}/{}", part.start, blob.size_bytes);
            let mut answer = HttpResponse::PartialContent();
            answer.insert_header((header::CONTENT_RANGE, place));
            (answer, part)
        }
        Wanted::Outside => {
            return Err(Refusal::Range {
                size_bytes: blob.size_bytes,
            });
        }
    };
    about(&mut answer, me, config, blob, tag);
    answer.insert_header((header::CONTENT_TYPE, blob.mime_type.as_str()));
    if blob.mime_type == MimeType::OCTET_STREAM_NAME {
        answer.insert_header((header::CONTENT_DISPOSITION, "attachment"));
    }
    let length = bytes.end - bytes.start;
    if request.method() == Method::HEAD {
        if let Err(error) = me.holdings.look_for(blob).await {
            return Err(unreadable(me, blob, error).await);
        }
        let nothing = stream::empty::<Result<bytes::Bytes, StorageError>>();
        return Ok(answer.body(SizedStream::new(length, nothing)));
    }
    let read = match me.holdings.read(blob, bytes).await {
        Ok(read) => read,
        Err(error) => return Err(unreadable(me, blob, error).await),
    };
    let passed_on = read
        .inspect_ok(|chunk| watch::sent_bytes(chunk.len() as u64))
        .inspect_err(|error| tracing::error!("a blob broke off while it was read: {error}"));
    Ok(answer.body(SizedStream::new(length, passed_on.boxed_local())))
}

/// What is said of a blob whose bytes cannot be had; the operator is told as well, unless it was removed meanwhile.
async fn unreadable(me: &BlossomPolicy, blob: &Blob, error: HoldingsError) -> Refusal {
    if let Ok(None) = me.holdings.index().blob(&blob.sha256).await {
        return Refusal::NoBlob;
    }
    tracing::error!("a blob of the index cannot be read, see `trellis blossom check`: {error}");
    error.into()
}

/// What is said of a blob, sent or not.
fn about(
    answer: &mut HttpResponseBuilder,
    me: &BlossomPolicy,
    config: &Config,
    blob: &Blob,
    tag: &str,
) {
    let now_ms = me.host.clock().now_ms();
    let ends_ms = config.retention.ends_ms(blob.kept_from_ms);
    let left_s = ends_ms.map_or(YEAR_S, |ends_ms| ends_ms.saturating_sub(now_ms) / 1_000);
    let who = match config.require_auth_to_read {
        true => "private",
        false => "public",
    };
    let kept = format!("{who}, max-age={}, immutable", left_s.min(YEAR_S));
    answer
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, kept))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((RESOURCE_POLICY, "cross-origin"));
    if let Some(sunset) = ends_ms.and_then(date) {
        answer.insert_header((SUNSET, sunset));
    }
}

/// A time as headers have it.
fn date(at_ms: u64) -> Option<HeaderValue> {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(at_ms))?;
    HttpDate::from(at).try_into_value().ok()
}
