//! `/metrics` for Prometheus, behind a key; without a key for this machine alone.

use super::{error, nothing};
use crate::client_ip::client_ip;
use crate::extension::{ExtensionStatus, Health};
use crate::metrics::{BATCH_BUCKETS, SECONDS_BUCKETS};
use crate::relay::Relay;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use metrics::gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts to record. Once a process; later calls and a recorder set by somebody else leave things as they are.
pub fn install_recorder() {
    if RECORDER.get().is_some() {
        return;
    }
    let batches = Matcher::Full("trellis_commit_events".to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS_BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(batches, &BATCH_BUCKETS))
        .and_then(PrometheusBuilder::install_recorder);
    match recorder {
        Ok(handle) => {
            crate::metrics::describe(crate::metrics::TABLE);
            keep_up(handle.clone());
            let _ = RECORDER.set(handle);
        }
        Err(error) => tracing::warn!(%error, "metrics are not recorded"),
    }
}

/// Values of histograms pile up until somebody sorts them into buckets, and nobody may ever ask for the page.
fn keep_up(handle: PrometheusHandle) {
    const PAUSE: Duration = Duration::from_secs(5);
    let thread = std::thread::Builder::new().name("metrics".into());
    let started = thread.spawn(move || {
        loop {
            std::thread::sleep(PAUSE);
            handle.run_upkeep();
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "metrics take memory until they are read");
    }
}

pub(super) async fn metrics(request: HttpRequest, relay: web::Data<Arc<Relay>>) -> HttpResponse {
    let config = relay.config();
    if !config.metrics.enabled {
        return nothing();
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
        Some(handle) => {
            look(&relay);
            // On a thread where an extension that does not answer holds nobody up.
            if let Ok(extensions) = web::block(move || relay.extensions.status()).await {
                look_at(&extensions);
            }
            HttpResponse::Ok()
                .content_type("text/plain; version=0.0.4; charset=utf-8")
                .body(handle.render())
        }
        None => error(StatusCode::NOT_FOUND, "metrics are not recorded"),
    }
}

/// Sets what nobody counts on the way.
fn look(relay: &Relay) {
    gauge!("trellis_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let started_s = relay
        .clock
        .now_s()
        .saturating_sub(relay.started.elapsed().as_secs());
    gauge!("trellis_start_time_seconds").set(started_s as f64);
    gauge!("trellis_connections_max").set(f64::from(relay.config().network.max_connections));
    gauge!("trellis_in_flight_bytes").set(relay.in_flight_bytes() as f64);
    if let Ok(stats) = relay.store.stats() {
        gauge!("trellis_store_events").set(stats.events as f64);
        gauge!("trellis_store_used_bytes").set(stats.used_bytes as f64);
        gauge!("trellis_store_quota_bytes").set(stats.quota_bytes as f64);
        gauge!("trellis_store_full").set(if stats.full { 1.0 } else { 0.0 });
    }
}

fn look_at(extensions: &[ExtensionStatus]) {
    for extension in extensions {
        let now = match extension.health {
            Some(Health::Ok) => "ok",
            Some(Health::Degraded(_)) => "degraded",
            Some(Health::Down(_)) => "down",
            None => "off",
        };
        for state in ["ok", "degraded", "down", "off"] {
            let labels = [("extension", extension.name), ("state", state)];
            gauge!("trellis_extension_health", &labels).set(if state == now { 1.0 } else { 0.0 });
        }
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
