//! `/metrics` for Prometheus, behind a key; without a key for this machine alone.

use super::error;
use crate::client_ip::client_ip;
use crate::relay::Relay;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::{Arc, OnceLock};

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts to record. Once a process; later calls and a recorder set by somebody else leave things as they are.
pub fn install_recorder() {
    if RECORDER.get().is_some() {
        return;
    }
    let seconds = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
    let recorder = PrometheusBuilder::new()
        .set_buckets(&seconds)
        .and_then(PrometheusBuilder::install_recorder);
    match recorder {
        Ok(handle) => {
            let _ = RECORDER.set(handle);
        }
        Err(error) => tracing::warn!(%error, "metrics are not recorded"),
    }
}

pub(super) async fn metrics(request: HttpRequest, relay: web::Data<Arc<Relay>>) -> HttpResponse {
    let config = relay.config();
    if !config.metrics.enabled {
        return error(StatusCode::NOT_FOUND, "there is nothing here");
    }
    let allowed = match &config.metrics.auth {
        Some(key) => presented_key(&request).is_some_and(|given| same(&given, key.reveal())),
        None => is_local(&request, &relay),
    };
    if !allowed {
        return error(
            StatusCode::UNAUTHORIZED,
            "metrics need the key of [metrics] auth: ?auth=KEY or Authorization: Bearer KEY",
        );
    }
    match RECORDER.get() {
        Some(handle) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(handle.render()),
        None => error(StatusCode::NOT_FOUND, "metrics are not recorded"),
    }
}

fn presented_key(request: &HttpRequest) -> Option<String> {
    let bearer = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .map(str::to_owned);
    bearer.or_else(|| {
        url::form_urlencoded::parse(request.query_string().as_bytes())
            .find(|(name, _)| name == "auth")
            .map(|(_, value)| value.into_owned())
    })
}

/// Takes the same time wherever two keys of one length differ.
fn same(given: &str, key: &str) -> bool {
    given.len() == key.len()
        && given
            .bytes()
            .zip(key.bytes())
            .fold(0, |differences, (a, b)| differences | (a ^ b))
            == 0
}

/// A loopback peer that speaks for nobody else: a proxy on this machine names its client in a header.
fn is_local(request: &HttpRequest, relay: &Relay) -> bool {
    const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let headers = request.headers();
    request.peer_addr().is_some_and(|peer| {
        let ip = client_ip(peer.ip(), headers, &relay.config().network);
        ip.is_loopback() && !FORWARDED.iter().any(|name| headers.contains_key(*name))
    })
}
