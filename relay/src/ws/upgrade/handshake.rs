//! How the server answers who asks for a WebSocket: the head that accepts, or a refusal in words.

use crate::ws::entrance::Refused;
use actix_http::ws::hash_key;
use actix_http::{HttpMessage as _, Request};
use actix_web::http::StatusCode;

/// The head of the response: 101, or an error for who asked wrongly.
pub(super) fn handshake(request: &Request) -> Result<String, String> {
    if request.path() != "/" {
        let text = "WebSocket connections are taken at /".to_owned();
        return Err(refusal(&Refused::new(StatusCode::NOT_FOUND, text)));
    }
    actix_http::ws::verify_handshake(request.head())
        .map_err(|error| refusal(&Refused::new(StatusCode::BAD_REQUEST, error.to_string())))?;
    let key = request
        .headers()
        .get("sec-websocket-key")
        .map(|key| hash_key(key.as_bytes()))
        .unwrap_or_default();
    let accept = String::from_utf8_lossy(&key);
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    ))
}

pub(super) fn refusal(refused: &Refused) -> String {
    let (status, text) = (refused.status, &refused.text);
    let body = serde_json::json!({"error": text, "code": status.as_u16()});
    let body = body.to_string();
    let retry_after = refused
        .retry_after_s
        .map(|seconds| format!("retry-after: {seconds}\r\n"))
        .unwrap_or_default();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{retry_after}connection: close\r\n\r\n{body}",
        body.len()
    )
}
