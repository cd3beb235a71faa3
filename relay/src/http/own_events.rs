//! `/own/events`: whoever signs the request (NIP-98) gets all events that this key has signed, as JSON lines.
//!
//! Open in every mode, and whoever may read: addresses and bans alone are asked. Invariant: nothing is read before the
//! request is known to be signed, and an authorization serves once. Not here: the stream (`flow/own_events`), and how many
//! there are (`own_events`).

use super::{error, nothing};
use crate::access::Denied;
use crate::client_ip::client_ip;
use crate::config::Config;
use crate::event::PublicKey;
use crate::extension::Viewer;
use crate::flow::own_events::{BrokenOff, OwnEvents, Part};
use crate::nips::nip98::address::{self, Target};
use crate::nips::nip98::{self, Asked, Nip98Error};
use crate::own_events::{NotNow, Place};
use crate::own_host::{local_address, named_host};
use crate::relay::Relay;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// Where it is.
pub(super) const PATH: &str = "/own/events";
/// How long authorizations are remembered, of which there were too many.
const BUSY_RETRY: Duration = Duration::from_secs(60);

pub(super) async fn own_events(request: HttpRequest, relay: web::Data<Arc<Relay>>) -> HttpResponse {
    let config = relay.config();
    if !config.own_events.enabled {
        return nothing();
    }
    let Some(peer) = request.peer_addr() else {
        return error(
            StatusCode::BAD_REQUEST,
            "the address of the client is unknown",
        );
    };
    let ip = client_ip(peer.ip(), request.headers(), &config.network);
    match answer(&request, &relay, &config, ip) {
        Ok(response) => response,
        Err(refusal) => refusal.answer(),
    }
}

fn answer(
    request: &HttpRequest,
    relay: &Arc<Relay>,
    config: &Config,
    ip: IpAddr,
) -> Result<HttpResponse, Refusal> {
    if has_body(request) {
        return Err(Refusal::Request("this route takes no body"));
    }
    let since = since(request.query_string())?;
    if relay.is_stopping() {
        return Err(Refusal::Stopping);
    }
    let gate = &relay.own_events;
    gate.knock(&config.own_events, ip)?;
    let author = signer(request, relay, config, ip)?;
    let mut head = HttpResponse::Ok();
    head.content_type("application/x-ndjson")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"events.jsonl\"",
        ));
    if *request.method() == Method::HEAD {
        return Ok(head.finish());
    }
    let place = gate.enter(&config.own_events, ip, author)?;
    let events = OwnEvents {
        relay: relay.clone(),
        author,
        viewer: Viewer::new(0, ip).with_pubkey(author),
        since,
        patience: config.network.write_timeout.duration(),
        max_time: config.own_events.max_time.duration(),
    };
    Ok(head.streaming(begin(events, place)))
}

/// Who signed, if that is somebody who may.
fn signer(
    request: &HttpRequest,
    relay: &Relay,
    config: &Config,
    ip: IpAddr,
) -> Result<PublicKey, Refusal> {
    let header = request.headers().get(header::AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok());
    let host = named_host(request.head());
    let relay_url = config.network.relay_url.as_deref();
    let known_as = address::known_as(relay_url, host, Some(local_address(request)));
    let path = request.uri().path_and_query();
    let asked = Asked {
        method: request.method().as_str(),
        target: Target::Below {
            address: known_as.ok_or(Nip98Error::NoAddress)?,
            path: path.map_or(PATH, |path| path.as_str()),
        },
        body_sha256: None,
        window_s: nip98::WINDOW_S,
    };
    let now_s = relay.clock.now_s();
    let signed = asked.check(header.ok_or(Nip98Error::Header)?, now_s)?;
    relay.access().may_take_along(ip, &signed.pubkey)?;
    relay.own_events.seen.first_time(&signed, Some(ip), now_s)?;
    Ok(signed.pubkey)
}

/// Lets the stream begin.
fn begin(events: OwnEvents, mut place: Place) -> impl Stream<Item = Result<Bytes, BrokenOff>> {
    let (writer, reader) = OwnEvents::channel();
    actix_rt::spawn(async move {
        // The place is the writer's: an answer that nobody reads is not dropped at once.
        tokio::select! {
            () = events.write(writer) => {}
            () = place.given_away() => tracing::debug!("a stream of own events gave way"),
        }
    });
    parts(reader)
}

/// The lines as an answer has them, which is an error where they do not come to their end.
fn parts(reader: Receiver<Part>) -> impl Stream<Item = Result<Bytes, BrokenOff>> {
    stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.recv().await {
            Some(Ok(Some(lines))) => Some((Ok(lines), Some(reader))),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(BrokenOff::Ended), None)),
        }
    })
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length.as_bytes() != b"0")
        || headers.contains_key(header::TRANSFER_ENCODING)
}

/// `since=SECONDS`, the one thing that can be asked for.
fn since(query: &str) -> Result<Option<u64>, Refusal> {
    const WRONG: Refusal =
        Refusal::Request("the query may be since=SECONDS, with seconds since 1970, and no more");
    let mut since = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != "since" || since.is_some() {
            return Err(WRONG);
        }
        since = Some(value.parse().map_err(|_| WRONG)?);
    }
    Ok(since)
}

/// Why somebody gets nothing.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Request(&'static str),
    #[error(transparent)]
    Signature(#[from] Nip98Error),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    NotNow(#[from] NotNow),
    #[error("the relay is stopping")]
    Stopping,
}

impl Refusal {
    fn answer(&self) -> HttpResponse {
        let (status, retry_after) = match self {
            Refusal::Request(_) => (StatusCode::BAD_REQUEST, None),
            Refusal::Signature(Nip98Error::Busy) => {
                (StatusCode::SERVICE_UNAVAILABLE, Some(BUSY_RETRY))
            }
            Refusal::Signature(_) => (StatusCode::UNAUTHORIZED, None),
            Refusal::Denied(_) => (StatusCode::FORBIDDEN, None),
            Refusal::NotNow(NotNow::TooOften { retry_after }) => {
                (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after))
            }
            Refusal::NotNow(NotNow::Running) => (StatusCode::CONFLICT, None),
            Refusal::NotNow(NotNow::Full { retry_after }) => {
                (StatusCode::SERVICE_UNAVAILABLE, Some(*retry_after))
            }
            Refusal::Stopping => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let mut response = error(status, &self.to_string());
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Nostr");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(after) = retry_after {
            let seconds = after.as_millis().div_ceil(1_000) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c29_own_events_can_be_asked_for_from_a_time_on_and_by_nothing_else() {
        assert!(matches!(since(""), Ok(None)));
        assert!(matches!(since("since=17"), Ok(Some(17))));
        for wrong in ["since=", "since=-1", "since=1&since=2", "until=5", "since"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
