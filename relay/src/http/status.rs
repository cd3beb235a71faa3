//! `/status`: what the relay takes at the moment, and what users are told about it.

use crate::relay::Relay;
use actix_web::{HttpResponse, web};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn status(relay: web::Data<Arc<Relay>>) -> HttpResponse {
    let config = relay.config();
    let (operation, now_s) = (&config.operation, relay.clock.now_s());
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-cache"))
        .json(json!({
            "mode": operation.mode_at(now_s),
            "notice": operation.notice_at(now_s),
            "maintenance_from": operation.maintenance_from,
            "maintenance_until": operation.maintenance_until,
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": relay.started.elapsed().as_secs(),
        }))
}
