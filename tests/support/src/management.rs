//! Calls of the relay management API (NIP-86), signed as NIP-98 has it.

use crate::author::Author;
use crate::http::{self, Response};
use crate::relay::Relay;
use serde_json::{Value, json};

/// The content type of a call.
pub const RPC: &str = "application/nostr+json+rpc";

/// Sends a call that this author signs.
pub async fn send(relay: &Relay, author: &Author, method: &str, params: Value) -> Response {
    let body = json!({"method": method, "params": params}).to_string();
    let authorization = author.authorization("POST", &relay.ws_url(), &body);
    let headers = [("Content-Type", RPC), ("Authorization", &*authorization)];
    http::post(relay, "/", &headers, &body).await
}

/// The result of a call that has to work.
pub async fn call(relay: &Relay, operator: &Author, method: &str, params: Value) -> Value {
    let answer = send(relay, operator, method, params).await;
    assert_eq!(answer.status, 200, "{method}: {}", answer.body);
    let json = answer.json();
    assert!(json["error"].is_null(), "{method}: {json}");
    json["result"].clone()
}

/// The error of a call that has to fail.
pub async fn problem(relay: &Relay, operator: &Author, method: &str, params: Value) -> String {
    let answer = send(relay, operator, method, params).await;
    assert_eq!(answer.status, 200, "{method}: {}", answer.body);
    let json = answer.json();
    assert!(json["result"].is_null(), "{method}: {json}");
    json["error"].as_str().expect("an error").to_owned()
}
