//! Middleware that serves nothing to addresses the operator has blocked (NIP-86 `blockip`).
//!
//! Two things are served all the same: `/livez`, or a blocked prober would have the relay restarted, and management calls,
//! or an operator could block their own way back. Such a call is a POST to `/`; what else bears its content type is none.

use super::management;
use crate::client_ip::client_ip;
use crate::relay::Relay;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use std::sync::Arc;

/// What a blocked client is told.
pub(crate) const BLOCKED: &str = "your address is blocked";

/// Middleware: answers 403 to blocked addresses.
pub async fn keep_out<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if is_blocked(&request) && request.path() != "/livez" && !is_call(&request) {
        let refusal = super::error(StatusCode::FORBIDDEN, BLOCKED);
        return Ok(request.into_response(refusal).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

fn is_call(request: &ServiceRequest) -> bool {
    *request.method() == Method::POST
        && request.path() == "/"
        && management::is_call(request.headers())
}

fn is_blocked(request: &ServiceRequest) -> bool {
    let Some(relay) = request.app_data::<web::Data<Arc<Relay>>>() else {
        return false;
    };
    let moderation = relay.moderation();
    let Some(peer) = request.peer_addr() else {
        return false;
    };
    if moderation.blocked_addresses.is_empty() {
        return false;
    }
    let ip = client_ip(peer.ip(), request.headers(), &relay.config().network);
    moderation.blocked_addresses.contains(ip)
}
