//! Plain HTTP/1.1 requests, one a connection, as small as tests need.

use super::{Author, wait};
use crate::clock::{Clock, FakeClock};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::{BoxFuture, FutureExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request to be made of the relay: add to it, then `.await` it.
///
/// [`TestRelay::get`](super::TestRelay::get) and its neighbours begin one.
#[derive(Clone, Debug)]
pub struct HttpCall {
    authority: String,
    /// `http://host:port`, as who signs a request names it.
    base_url: String,
    clock: Arc<FakeClock>,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    signer: Option<Author>,
    signed_url: Option<String>,
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// Without transfer coding.
    pub body: Vec<u8>,
}

impl HttpCall {
    pub(super) fn new(
        authority: String,
        base_url: String,
        clock: Arc<FakeClock>,
        method: &str,
        path: &str,
    ) -> Self {
        assert!(path.starts_with('/'), "a path begins with /, not {path:?}");
        HttpCall {
            authority,
            base_url,
            clock,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            signer: None,
            signed_url: None,
        }
    }

    /// With one more header. `Host` takes the place of the relay's own, for routes that an extension has there.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this as JSON.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap();
        self.header("Content-Type", "application/json").body(body)
    }

    /// Signed by this author (NIP-98), the body included, by the relay's clock when it is sent. What is signed for is the
    /// path below the `Host` header where one is given, and else below the relay's address.
    #[must_use]
    pub fn nip98(mut self, author: &Author) -> Self {
        self.signer = Some(author.clone());
        self
    }

    /// With a signature for this URL instead, as behind a proxy that has an address of its own, or as a forger has it.
    #[must_use]
    pub fn signed_url(mut self, url: &str) -> Self {
        self.signed_url = Some(url.to_owned());
        self
    }

    /// Makes the request; `.await` does so too.
    pub async fn send(self) -> Response {
        let request = self.request();
        let answer = wait::within("an HTTP answer", self.exchange(&request)).await;
        match answer {
            Ok(bytes) => Response::parse(&bytes),
            Err(error) => panic!("{} {}: {error}", self.method, self.path),
        }
    }

    fn request(&self) -> Vec<u8> {
        let host = self.headers.iter().find(|(name, _)| is(name, "host"));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if host.is_none() {
            head.push_str(&format!("Host: {}\r\n", self.authority));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(author) = &self.signer {
            let url = match (&self.signed_url, host) {
                (Some(url), _) => url.clone(),
                (None, Some((_, host))) => format!("http://{host}{}", self.path),
                (None, None) => format!("{}{}", self.base_url, self.path),
            };
            let event = author.nip98_at(self.clock.now_s(), &self.method, &url, &self.body);
            let token = STANDARD.encode(event.json());
            head.push_str(&format!("Authorization: Nostr {token}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        head.push_str("Connection: close\r\n\r\n");
        [head.as_bytes(), &self.body].concat()
    }

    async fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut socket = TcpStream::connect(&self.authority).await?;
        socket.write_all(request).await?;
        let mut answer = Vec::new();
        while !is_whole(&answer, &self.method) {
            if socket.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        Ok(answer)
    }
}

impl IntoFuture for HttpCall {
    type Output = Response;
    type IntoFuture = BoxFuture<'static, Response>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed()
    }
}

impl Response {
    /// The value of the first header of this name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(found, _)| is(found, name))?;
        Some(&found.1)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, of any type that can be read from it; `Value` reads all.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(read) => read,
            Err(error) => panic!("{error} in {} {:?}", self.status, self.text()),
        }
    }

    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let end = head_end(bytes).unwrap_or_else(|| panic!("no HTTP answer: {text:?}"));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.filter_map(|line| line.split_once(':'));
        let mut response = Response {
            status: status.and_then(|code| code.parse().ok()).unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect(),
            body: Vec::new(),
        };
        let rest = &bytes[end + 4..];
        response.body = match response.header("transfer-encoding") {
            Some("chunked") => unchunk(rest),
            _ => rest.to_vec(),
        };
        response
    }
}

/// Whether nothing more is to come. The connection's end is not waited for: a relay that did not read the whole request
/// keeps it for a while, so that the answer arrives.
fn is_whole(bytes: &[u8], method: &str) -> bool {
    let Some(end) = head_end(bytes) else {
        return false;
    };
    let (response, body) = (Response::parse(bytes), &bytes[end + 4..]);
    if is(method, "head") || matches!(response.status, 204 | 304) {
        return true;
    }
    if let Some(length) = response.header("content-length") {
        return body.len() >= length.parse().unwrap_or(usize::MAX);
    }
    response.header("transfer-encoding") == Some("chunked") && body.ends_with(b"0\r\n\r\n")
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n")
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = String::from_utf8_lossy(&bytes[..end]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size @ 1..) = usize::from_str_radix(size, 16) else {
            break;
        };
        let data = &bytes[end + 2..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        bytes = data.get(size + 2..).unwrap_or_default();
    }
    body
}
