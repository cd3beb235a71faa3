//! How long each HTTP request takes, by route and code.
//!
//! Invariant: a route is the pattern that was mounted, never the path that was asked for, which strangers choose.

use crate::extension::http::MountedAt;
use actix_web::Error;
use actix_web::HttpMessage as _;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use std::time::Instant;

/// Middleware: records `trellis_http_request_seconds`.
pub async fn record_times<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let response = next.call(request).await?;
    let mount = response.request().extensions_mut().remove::<MountedAt>();
    let route = mount
        .map(|MountedAt(mount)| mount)
        .or_else(|| response.request().match_pattern())
        .filter(|route| !route.is_empty())
        .unwrap_or_else(|| "none".to_owned());
    let code = response.status().as_u16().to_string();
    let took_ms = started.elapsed().as_millis() as u64;
    tracing::debug!(route, code, took_ms, "a request was answered");
    metrics::histogram!("trellis_http_request_seconds", "route" => route, "code" => code)
        .record(started.elapsed().as_secs_f64());
    Ok(response)
}
