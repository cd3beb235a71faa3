//! `/livez`, `/health` and `/ready`.
//!
//! `/livez` says that the process answers, and nothing else may make it fail: it is what restarts a container. `/health`
//! fails while the store or something that an enabled extension needs is down. `/ready` fails while the relay should get
//! no traffic.

use super::error;
use crate::relay::Relay;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "healthy"}))
}

pub(super) async fn health(relay: web::Data<Arc<Relay>>) -> HttpResponse {
    let asked = relay.clone();
    // On a thread where an extension that does not answer holds nobody up.
    let health = web::block(move || asked.extension_health()).await;
    let (extensions, all_up) = health.unwrap_or((serde_json::Value::Null, false));
    let storing = !relay.writer.is_dead();
    let store = match relay.store.stats() {
        _ if !storing => "stopped",
        Err(_) => "unavailable",
        Ok(stats) if stats.full => "full",
        Ok(_) => "ok",
    };
    let backup = relay.backup.get().map(|backup| backup.health());
    let is_superseded = relay.backup.get().is_some_and(|it| it.is_superseded());
    let healthy = all_up && store == "ok" && !is_superseded;
    let status = if healthy {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    HttpResponse::build(status).json(json!({
        "status": if healthy { "healthy" } else { "unhealthy" },
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": relay.started.elapsed().as_secs(),
        "store": store,
        "backup": backup,
        "extensions": extensions,
    }))
}

pub(super) async fn ready(relay: web::Data<Arc<Relay>>) -> HttpResponse {
    if relay.is_stopping() {
        return error(StatusCode::SERVICE_UNAVAILABLE, "the relay is stopping");
    }
    if relay.writer.is_dead() {
        return error(StatusCode::SERVICE_UNAVAILABLE, "the relay cannot store");
    }
    if relay.backup.get().is_some_and(|it| it.is_superseded()) {
        let words = "another instance has taken over";
        return error(StatusCode::SERVICE_UNAVAILABLE, words);
    }
    if relay.store.stats().is_err() {
        return error(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store is not available",
        );
    }
    HttpResponse::Ok().json(json!({"status": "ready"}))
}
