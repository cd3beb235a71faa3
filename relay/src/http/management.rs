//! The relay management API (NIP-86): JSON-RPC at `/` for the operator, whose key is `information.pubkey`.
//!
//! Invariant: nothing is looked at before the request is signed by the operator's key (NIP-98), body included. Here are
//! the methods that extensions bring; an error of a method is an answer with status 200, as NIP-86 has it.

use super::error;
use crate::config::Config;
use crate::nips::nip98::{self, Nip98Error, Signed};
use crate::relay::Relay;
use actix_web::guard::{Guard, GuardContext};
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
        let kind = context.head().headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(CONTENT_TYPE)
    }
}

pub(super) async fn call(
    request: HttpRequest,
    body: web::Bytes,
    relay: web::Data<Arc<Relay>>,
) -> HttpResponse {
    let config = relay.config();
    let signed = match authorize(&request, &body, &config, &relay) {
        Ok(signed) => signed,
        Err(why) => return error(StatusCode::UNAUTHORIZED, &why.to_string()),
    };
    let operator = config.information.pubkey.as_ref();
    if operator.is_none_or(|operator| *operator.key() != signed.pubkey) {
        let text = "only the operator may do this: the key in information.pubkey";
        return error(StatusCode::FORBIDDEN, text);
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

async fn answer(relay: &Relay, method: &str, params: Vec<Value>) -> Result<Value, String> {
    let hooks = relay.hooks.load();
    if method == "supportedmethods" {
        let mut methods = vec![method];
        methods.extend(hooks.rpc_methods());
        return Ok(json!(methods));
    }
    match hooks.call_rpc(method, params) {
        Some(answer) => answer.await,
        None => Err(format!(
            "there is no method {method:?}; supportedmethods lists those there are"
        )),
    }
}

/// NIP-98, with the payload tag required. The `u` tag is the URL of the relay, which clients know as `wss://` or
/// `https://`, with and without a slash at its end.
fn authorize(
    request: &HttpRequest,
    body: &[u8],
    config: &Config,
    relay: &Relay,
) -> Result<Signed, Nip98Error> {
    let header = request.headers().get(header::AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok());
    let header = header.ok_or(Nip98Error::Header)?;
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let known_as = config.network.relay_url.as_deref().unwrap_or(host);
    let body_sha256 = nip98::sha256(body);
    let now_s = relay.clock.now_s();
    let mut checked = Err(Nip98Error::Url);
    for url in urls(known_as) {
        checked = nip98::check(header, "POST", &url, Some(&body_sha256), now_s);
        if !matches!(checked, Err(Nip98Error::Url)) {
            break;
        }
    }
    let signed = checked?;
    relay.nip98_seen.first_time(&signed, now_s)?;
    Ok(signed)
}

/// Every way to write the address of the relay, given as URL or as host alone.
fn urls(known_as: &str) -> Vec<String> {
    let host = known_as
        .split_once("://")
        .map_or(known_as, |(_, rest)| rest);
    let host = host.trim_end_matches('/');
    let mut urls = Vec::new();
    for scheme in ["https", "http", "wss", "ws"] {
        urls.extend([format!("{scheme}://{host}"), format!("{scheme}://{host}/")]);
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_the_relay_is_known_by_every_scheme() {
        let urls = urls("wss://relay.example/");
        assert!(urls.contains(&"https://relay.example".to_owned()));
        assert!(urls.contains(&"wss://relay.example/".to_owned()));
        assert!(super::urls("127.0.0.1:80").contains(&"http://127.0.0.1:80/".to_owned()));
    }
}
