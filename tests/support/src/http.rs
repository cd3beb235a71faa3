//! Plain HTTP/1.1 requests, one a connection, as small as tests need.

use crate::raw::RawSocket;
use crate::relay::Relay;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Without transfer coding.
    pub body: String,
}

impl Response {
    /// The value of the first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, self.body))
    }
}

/// GET of a path with further headers.
pub async fn get(relay: &Relay, path: &str, headers: &[(&str, &str)]) -> Response {
    send(relay, "GET", path, headers).await
}

/// A request without a body. A header `Host` takes the place of the relay's address.
pub async fn send(relay: &Relay, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    send_body(relay, method, path, headers, "").await
}

/// POST of a body.
pub async fn post(relay: &Relay, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    send_body(relay, "POST", path, headers, body).await
}

/// Any request.
pub async fn send_body(
    relay: &Relay,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {}\r\n", relay.address()));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    let mut socket = RawSocket::open(relay).await;
    assert!(socket.send(request.as_bytes()).await, "send a request");
    let head = socket.read_head().await.expect("an HTTP answer");
    let rest = socket.rest().await;
    let mut response = parse_head(&head);
    let chunked = response.header("transfer-encoding") == Some("chunked");
    let body = if chunked { unchunk(&rest) } else { rest };
    response.body = String::from_utf8_lossy(&body).into_owned();
    response
}

/// The relay information document (NIP-11).
pub async fn relay_information(relay: &Relay) -> Value {
    let response = get(relay, "/", &[("Accept", "application/nostr+json")]).await;
    assert_eq!(response.status, 200, "{}", response.body);
    response.json()
}

/// The hash of a text as a Content-Security-Policy has it.
pub fn csp_hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn parse_head(head: &str) -> Response {
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    Response {
        status: status.unwrap_or_else(|| panic!("no status in {head:?}")),
        headers,
        body: String::new(),
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end])
            .ok()
            .and_then(|hex| usize::from_str_radix(hex.split(';').next()?.trim(), 16).ok());
        let (Some(size @ 1..), data) = (size, &bytes[end + 2..]) else {
            break;
        };
        body.extend_from_slice(&data[..size.min(data.len())]);
        bytes = data.get(size + 2..).unwrap_or_default();
    }
    body
}
