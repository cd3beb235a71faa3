//! What the peer's information document (NIP-11) says of its limits.
//!
//! Invariant: bounded in bytes and time, and no reason to fail: without a document nothing is known. Not here: documents
//! over TLS, which are not asked for; where a limit is not known, the upload finds out (`upload`).

use serde::Deserialize;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::{Position, Url};

/// Limits of a peer; what it does not say is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct PeerLimits {
    /// `max_message_length`: bytes of a message of ours.
    #[serde(rename = "max_message_length", deserialize_with = "positive")]
    pub(super) message_bytes: Option<usize>,
    /// `max_limit`: events that it sends for a filter.
    #[serde(rename = "max_limit", deserialize_with = "positive")]
    pub(super) events: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    limitation: PeerLimits,
}

/// Documents are of some thousand bytes.
const MOST_BYTES: u64 = 256 * 1024;
const MOST_TIME: Duration = Duration::from_secs(5);

/// Asks for the document and reads the limits; none of them where there is no document to be had.
pub(super) async fn ask(url: &str) -> PeerLimits {
    match tokio::time::timeout(MOST_TIME, get(url)).await {
        Ok(Ok(response)) => read(&response).unwrap_or_default(),
        _ => PeerLimits::default(),
    }
}

/// By HTTP 1.0, which knows no chunks and ends where the connection ends, or where the length is reached.
async fn get(url: &str) -> std::io::Result<Vec<u8>> {
    let unknown = || std::io::Error::from(std::io::ErrorKind::Unsupported);
    let url = Url::parse(url).map_err(|_| unknown())?;
    let host = url.host_str().filter(|_| url.scheme() == "ws");
    let host = host.ok_or_else(unknown)?;
    let port = url.port().unwrap_or(80);
    let bare_host = host.trim_matches(['[', ']']);
    let mut tcp = TcpStream::connect((bare_host, port)).await?;
    let request = format!(
        "GET {} HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: application/nostr+json\r\nConnection: close\r\n\r\n",
        &url[Position::BeforePath..Position::AfterQuery]
    );
    tcp.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    let mut tcp = tcp.take(MOST_BYTES);
    // However the connection ends, what came may be enough.
    while let Ok(1..) = tcp.read_buf(&mut response).await {
        if is_whole(&response) {
            break;
        }
    }
    Ok(response)
}

/// Where the head ends and the body begins.
fn split(response: &[u8]) -> Option<(&str, &[u8])> {
    let end = response.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = response.split_at_checked(end)?;
    Some((std::str::from_utf8(head).ok()?, body.get(4..)?))
}

fn is_whole(response: &[u8]) -> bool {
    let Some((head, body)) = split(response) else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}

fn read(response: &[u8]) -> Option<PeerLimits> {
    let (head, body) = split(response)?;
    if head.split(' ').nth(1) != Some("200") {
        return None;
    }
    let document: Document = serde_json::from_slice(body).ok()?;
    Some(document.limitation)
}

/// What is no number above 0 says nothing; the rest of the document may be right.
fn positive<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<usize>, D::Error> {
    let value = serde_json::Value::deserialize(source)?;
    let number = value
        .as_u64()
        .and_then(|number| usize::try_from(number).ok());
    Ok(number.filter(|number| *number > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c21_limits_are_read_where_a_document_has_them() {
        let response = |body: &str| format!("HTTP/1.1 200 OK\r\nX: y\r\n\r\n{body}").into_bytes();
        let limits = |message_bytes, events| PeerLimits {
            message_bytes,
            events,
        };
        for (body, expected) in [
            (
                r#"{"name":"x","limitation":{"max_message_length":9,"max_limit":5,"x":1}}"#,
                Some(limits(Some(9), Some(5))),
            ),
            (
                r#"{"limitation":{"max_limit":"5","max_message_length":70000}}"#,
                Some(limits(Some(70_000), None)),
            ),
            (
                r#"{"limitation":{"max_message_length":0,"max_limit":-1}}"#,
                Some(PeerLimits::default()),
            ),
            ("{}", Some(PeerLimits::default())),
            ("[1]", None),
            ("<html>", None),
        ] {
            assert_eq!(read(&response(body)), expected, "{body}");
        }
        for response in [
            "",
            "HTTP/1.1 200",
            "HTTP/1.1 404 Not\r\n\r\n{}",
            "\r\n\r\n{}",
        ] {
            assert_eq!(read(response.as_bytes()), None, "{response}");
        }
        assert!(is_whole(b"HTTP/1.1 200 OK\r\ncontent-Length: 2\r\n\r\n{}"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"));
    }
}
