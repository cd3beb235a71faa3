//! `GET /health` at a Host name of these routes' own; elsewhere it is the relay's, which knows of this server by the
//! extension's health.

use crate::BlossomPolicy;
use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::json;
use trellis_relay::extension::prelude::*;

pub(super) fn declare(api: &mut Api) {
    api.route(Method::GET, "/health", health)
        .summary("Whether blobs can be read and stored")
        .answers_with(200, "application/json")
        .answers_with(503, "application/json");
}

async fn health(me: Current<BlossomPolicy>) -> HttpResponse {
    match me.standing.health() {
        Health::Ok => HttpResponse::Ok().json(json!({"status": "healthy"})),
        Health::Degraded(why) => {
            HttpResponse::Ok().json(json!({"status": "degraded", "reason": why}))
        }
        Health::Down(why) => HttpResponse::ServiceUnavailable()
            .insert_header(("x-reason", why.as_str()))
            .json(json!({"status": "unhealthy", "reason": why})),
    }
}
