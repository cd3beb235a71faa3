//! `/health` and `/ready` at a Host name of these routes' own; elsewhere they are the relay's, which knows of LiveKit by this
//! extension's health.

use crate::LivekitToken;
use crate::reach;
use actix_web::HttpResponse;
use serde_json::json;
use trellis_relay::extension::prelude::*;

pub(super) fn declare(api: &mut Api) {
    api.get("/health", health)
        .summary("Whether LiveKit answers")
        .answers_with(200, "application/json")
        .answers_with(503, "application/json");
    api.get("/ready", ready)
        .summary("Whether tokens can be issued")
        .answers_with(200, "application/json")
        .answers_with(503, "application/json");
}

async fn health(me: Current<LivekitToken>) -> HttpResponse {
    match reach::look(&me).await {
        true => HttpResponse::Ok().json(json!({"status": "healthy"})),
        false => HttpResponse::ServiceUnavailable()
            .json(json!({"status": "unhealthy", "livekit": "unreachable"})),
    }
}

async fn ready(me: Current<LivekitToken>) -> HttpResponse {
    let missing = match reach::look(&me).await {
        false => Some("livekit"),
        true if me.settings().communities && !me.communities.is_any_known() => Some("communities"),
        true => None,
    };
    match missing {
        None => HttpResponse::Ok().json(json!({"status": "ready"})),
        Some(missing) => HttpResponse::ServiceUnavailable()
            .json(json!({"status": "not ready", "missing": missing})),
    }
}
