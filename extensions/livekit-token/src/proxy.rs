//! `POST /proxy`: files to and from the Blossom server, and from hosts that the operator lists, for clients that shall not
//! show those servers their own address.
//!
//! Invariant: nobody is asked whom the operator does not allow, whatever the URL, a redirect or a name server says; who asked
//! is told to nobody.

mod fetching;
mod form;
mod places;
mod target;
#[cfg(test)]
mod tests;

use crate::LivekitToken;
use crate::config::Settings;
use crate::failure::{Code, Failure, Whose};
use crate::watch;
use actix_web::http::{Method, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use fetching::Found;
use form::{FRAME_BYTES_MAX, File, Wish};
use futures_util::{Stream, stream};
use places::{Place, Places};
use std::convert::Infallible;
use std::time::Duration;
use target::Allowed;
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

/// A file goes to a client in parts of so many bytes.
const PART_BYTES: usize = 64 << 10;

/// What the route needs.
pub(crate) struct Proxy {
    allowed: Allowed,
    places: Places,
    /// By public key.
    requests: RateLimiter,
    uploads: RateLimiter,
}

/// A file that was stored.
#[derive(Serialize, JsonSchema)]
struct Uploaded {
    /// Where it is.
    url: String,
    /// Of its bytes, in hex.
    sha256: String,
    /// Bytes.
    size: usize,
    mime_type: String,
}

impl Proxy {
    pub(crate) fn new(host: &Host, settings: &Settings) -> Self {
        let window = Duration::from_secs(settings.rate_window_s);
        Proxy {
            allowed: Allowed::new(settings.blossom_url.as_ref(), &settings.proxy_allowed_hosts),
            places: Places::new(settings.proxied_at_a_time),
            requests: host.rate_limiter(settings.proxied_per_pubkey, window),
            uploads: host.rate_limiter(settings.uploads_per_pubkey, window),
        }
    }
}

/// Declares the route.
pub(crate) fn declare(settings: &Settings, api: &mut Api) {
    api.route(Method::POST, "/proxy", answer)
        .summary("A file to Blossom, or from there or a host that the operator lists")
        .takes(|inputs| {
            inputs.nip98();
            inputs.body_of("multipart/form-data");
        })
        .max_body_bytes(settings.proxy_bytes_max.saturating_add(FRAME_BYTES_MAX))
        .answers::<Uploaded>(200)
        .fails(400, "INVALID_REQUEST.")
        .fails(403, "TARGET_NOT_ALLOWED or USER_BANNED.")
        .fails(404, "FILE_NOT_FOUND.")
        .fails(413, "TOO_LARGE.")
        .fails(429, "RATE_LIMITED.")
        .fails(502, "UPSTREAM_FAILED.");
}

async fn answer(
    request: HttpRequest,
    me: Current<LivekitToken>,
    ip: ClientIp,
    signed: Result<Nip98Bytes, ApiError>,
) -> Result<HttpResponse, Failure> {
    let (action, result) = serve(&request, &me, &ip, signed).await;
    watch::proxied(action, &result);
    result
}

/// What was asked for, as far as that was read, and the answer.
async fn serve(
    request: &HttpRequest,
    me: &LivekitToken,
    ip: &ClientIp,
    signed: Result<Nip98Bytes, ApiError>,
) -> (&'static str, Result<HttpResponse, Failure>) {
    let read = read(request, me, ip, signed).await;
    match read {
        Err(failure) => ("unknown", Err(failure)),
        Ok((signer, place, Wish::Upload(file))) => {
            ("upload", upload(me, ip, &signer, place, file).await)
        }
        Ok((signer, place, Wish::Download(url))) => {
            ("download", download(me, ip, &signer, place, &url).await)
        }
    }
}

/// Who asks, a place, and what for.
async fn read(
    request: &HttpRequest,
    me: &LivekitToken,
    ip: &ClientIp,
    signed: Result<Nip98Bytes, ApiError>,
) -> Result<(PublicKey, Place, Wish), Failure> {
    let signed = signed.map_err(unsigned)?;
    let proxy = &me.proxy;
    take(&proxy.requests, &signed.pubkey)?;
    let place = proxy.places.take(&ip.rate_key()).ok_or_else(|| {
        let message = "too many files are under way; try again in a moment";
        Failure::new(Code::RateLimited, message).retry_after_s(5)
    })?;
    let max_bytes = me.settings().proxy_bytes_max;
    let wish = form::read(request, signed.body, max_bytes).await?;
    Ok((signed.pubkey, place, wish))
}

async fn upload(
    me: &LivekitToken,
    ip: &ClientIp,
    signer: &PublicKey,
    _place: Place,
    file: File,
) -> Result<HttpResponse, Failure> {
    allow(me.host.may_publish(ip.0, signer))?;
    take(&me.proxy.uploads, signer)?;
    let client = me.host.http_client();
    let stored = fetching::upload(client, &me.proxy.allowed, file).await?;
    Ok(HttpResponse::Ok().json(Uploaded {
        url: stored.url,
        sha256: stored.sha256,
        size: stored.size,
        mime_type: stored.mime_type,
    }))
}

async fn download(
    me: &LivekitToken,
    ip: &ClientIp,
    signer: &PublicKey,
    place: Place,
    url: &str,
) -> Result<HttpResponse, Failure> {
    allow(me.host.may_read(ip.0, signer))?;
    let (client, max_bytes) = (me.host.http_client(), me.settings().proxy_bytes_max);
    let found = fetching::download(client, &me.proxy.allowed, url, max_bytes).await?;
    Ok(send(found, place))
}

/// A browser that is shown the answer shall take it for nothing but a file: it comes from strangers.
fn send(found: Found, place: Place) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    let unknown = || "application/octet-stream".to_owned();
    let mime_type = found.mime_type.unwrap_or_else(unknown);
    response
        .insert_header((header::CONTENT_TYPE, mime_type))
        .insert_header((header::CONTENT_DISPOSITION, "attachment"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    let length = found.bytes.len() as u64;
    response
        .no_chunking(length)
        .streaming(parts(found.bytes, place))
}

/// The bytes in parts. The place is held until the last of them was taken, since until then they are in memory.
fn parts(bytes: Bytes, place: Place) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((bytes, place), |(mut bytes, place)| async move {
        if bytes.is_empty() {
            return None;
        }
        let part = bytes.split_to(bytes.len().min(PART_BYTES));
        Some((Ok(part), (bytes, place)))
    })
}

fn take(limiter: &RateLimiter, key: &PublicKey) -> Result<(), Failure> {
    limiter.try_take(&key.to_hex()).map_err(|wait| {
        let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
        let message = format!("too many requests; try again in {seconds} s");
        Failure::new(Code::RateLimited, message).retry_after_s(seconds)
    })
}

fn allow(allowed: Result<(), Reason>) -> Result<(), Failure> {
    allowed.map_err(|reason| Failure::new(Code::UserBanned, reason.to_string()))
}

/// Why a request or its body was not read.
fn unsigned(error: ApiError) -> Failure {
    let (status, text) = (error.status().as_u16(), error.to_string());
    match (error.into_nip98(), status) {
        (Some(error), _) => error.into(),
        (None, 413) => Failure::new(Code::TooLarge, text),
        (None, 503) => Failure::new(Code::RateLimited, text).retry_after_s(5),
        (None, 401) => Failure::new(Code::InvalidSignature(Whose::Header), text),
        (None, _) => Failure::new(Code::InvalidRequest, text),
    }
}
