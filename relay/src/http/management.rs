//! The relay management API (NIP-86): JSON-RPC at `/` for the operator, whose key is `information.pubkey`.
//!
//! Invariant: nothing is looked at, and nothing remembered, before the request is signed by the operator's key (NIP-98),
//! body included; and no list that a call can change keeps the operator from calling. An error of a method is an answer
//! with status 200, as NIP-86 has it. Not here: what the methods do.

mod decisions;
mod lists;
mod methods;
mod params;
mod settings;

pub use methods::method_names;

use super::error;
use crate::nips::nip98::address::{self, Target};
use crate::nips::nip98::{self, Asked, Nip98Error};
use crate::own_host::{local_address, named_host};
use crate::relay::Relay;
use actix_web::guard::{Guard, GuardContext};
use actix_web::http::header::HeaderMap;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

const CONTENT_TYPE: &str = "application/nostr+json+rpc";

/// A call. Some clients leave empty `params` out.
#[derive(Debug, Deserialize)]
struct Call {
    method: String,
    #[serde(default)]
    params: Vec<Value>,
}

/// Takes requests with the content type of NIP-86.
pub(super) struct IsCall;

impl Guard for IsCall {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        is_call(&context.head().headers)
    }
}

/// Whether a POST to `/` says that it is a management call.
pub(super) fn is_call(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(CONTENT_TYPE)
}

pub(super) async fn call(
    request: HttpRequest,
    body: web::Bytes,
    relay: web::Data<Arc<Relay>>,
) -> HttpResponse {
    if let Err(why) = authorize(&request, &body, &relay) {
        let status = match why {
            Refusal::NotTheOperator => StatusCode::FORBIDDEN,
            Refusal::Signature(_) => StatusCode::UNAUTHORIZED,
        };
        return error(status, &why.to_string());
    }
    let Ok(Call { method, params }) = serde_json::from_slice(&body) else {
        let text = "the body must be {\"method\": \"...\", \"params\": [...]}";
        return error(StatusCode::BAD_REQUEST, text);
    };
    match answer(&relay, &method, params).await {
        Ok(result) => reply(&json!({ "result": result })),
        Err(error) => reply(&json!({ "error": error })),
    }
}

fn reply(answer: &Value) -> HttpResponse {
    HttpResponse::Ok().content_type(CONTENT_TYPE).json(answer)
}

async fn answer(relay: &Arc<Relay>, method: &str, params: Vec<Value>) -> Result<Value, String> {
    if let Some(answer) = methods::call(relay, method, &params).await {
        return answer;
    }
    match relay.hooks.load().call_rpc(method, params) {
        Some(answer) => {
            tracing::info!(method, "the operator called a method of an extension");
            answer.await
        }
        None => Err(format!(
            "there is no method {method:?}; supportedmethods lists those there are"
        )),
    }
}

/// Why a call is not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Signature(#[from] Nip98Error),
    #[error("only the operator may do this: the key in information.pubkey")]
    NotTheOperator,
}

/// NIP-98, with the payload tag required. The `u` tag is the URL of the relay, which clients know as `wss://` or
/// `https://`, with and without a slash at its end.
fn authorize(request: &HttpRequest, body: &[u8], relay: &Relay) -> Result<(), Refusal> {
    let config = relay.config();
    let text = |name| request.headers().get(name).and_then(|v| v.to_str().ok());
    let header = text(header::AUTHORIZATION).ok_or(Nip98Error::Header)?;
    let host = named_host(request.head());
    let local = local_address(request);
    let relay_url = config.network.relay_url.as_deref();
    let known_as = address::known_as(relay_url, host, Some(local)).ok_or(Nip98Error::NoAddress)?;
    let now_s = relay.clock.now_s();
    let asked = Asked {
        method: "POST",
        target: Target::Below {
            address: known_as,
            path: "/",
        },
        body_sha256: Some(&nip98::sha256(body)),
        window_s: nip98::WINDOW_S,
    };
    let signed = asked.check(header, now_s)?;
    let operator = config.information.pubkey.as_ref();
    if operator.is_none_or(|operator| *operator.key() != signed.pubkey) {
        return Err(Refusal::NotTheOperator);
    }
    // Only what the operator signs is remembered, or strangers could fill the memory and lock the operator out.
    relay.nip98_seen.first_time(&signed, None, now_s)?;
    Ok(())
}
