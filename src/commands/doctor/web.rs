//! Asks web servers as a browser would: over TLS with authorities that are trusted, and never through a proxy.

use super::trust::Roots;
use reqwest::header::{ACCEPT, CONNECTION, HeaderMap, UPGRADE};
use reqwest::{Client, redirect};
use std::error::Error as _;
use std::time::{Duration, Instant};
use trellis_relay::clock::{Clock as _, SystemClock};
use url::Url;

/// The longest answer that is looked at.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Any 16 bytes, and what RFC 6455 (4.2.2) makes of them.
const KEY: &str = "dHJlbGxpcy1kb2N0b3IuLg==";
const KEY_ACCEPTED: &str = "X9fZD/tNkFGWOHP0X6Q/j7ug7fs=";

/// A client for all that is asked.
pub(super) struct Web {
    /// Stays where it was sent: a WebSocket client follows no redirect.
    client: Client,
    /// Goes where a browser would.
    browser: Client,
}

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    /// When its head came. Seconds since 1970.
    pub(super) arrived_s: u64,
    /// How long that took.
    pub(super) took: Duration,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The value of a header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Web {
    pub(super) fn new(roots: &Roots, patience: Duration) -> anyhow::Result<Self> {
        let client = |redirects| -> anyhow::Result<Client> {
            Ok(Client::builder()
                .use_preconfigured_tls(roots.client()?)
                .user_agent(concat!("trellis-doctor/", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                .redirect(redirects)
                .timeout(patience)
                .build()?)
        };
        Ok(Web {
            client: client(redirect::Policy::none())?,
            browser: client(redirect::Policy::limited(3))?,
        })
    }

    /// A GET that follows no redirect; an error says why there is no answer.
    pub(super) async fn get(&self, url: &Url, accept: &str) -> Result<Answer, String> {
        Self::get_with(&self.client, url, accept).await
    }

    /// A GET of a page for people, wherever it is by now.
    pub(super) async fn get_page(&self, url: &Url, accept: &str) -> Result<Answer, String> {
        Self::get_with(&self.browser, url, accept).await
    }

    async fn get_with(client: &Client, url: &Url, accept: &str) -> Result<Answer, String> {
        let request = client.get(http(url)).header(ACCEPT, accept);
        let asked = Instant::now();
        let mut answer = request.send().await.map_err(why)?;
        let (arrived_s, took) = (SystemClock.now_s(), asked.elapsed());
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        while body.len() < MAX_BODY_BYTES
            && let Some(part) = answer.chunk().await.map_err(why)?
        {
            body.extend_from_slice(&part);
        }
        Ok(Answer {
            status,
            headers,
            arrived_s,
            took,
            body,
        })
    }

    /// The status with which a WebSocket handshake is answered: 101 where it is taken, by one who has read it.
    pub(super) async fn upgrade(&self, url: &Url) -> Result<u16, String> {
        let request = self
            .client
            .get(http(url))
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", KEY);
        let answer = request.send().await.map_err(why)?;
        let status = answer.status().as_u16();
        let accept = answer.headers().get("Sec-WebSocket-Accept");
        if status == 101 && accept.is_none_or(|accept| accept != KEY_ACCEPTED) {
            return Err(
                "a handshake is answered 101 without the right Sec-WebSocket-Accept".to_owned(),
            );
        }
        Ok(status)
    }
}

/// A WebSocket's address as that of a page.
fn http(url: &Url) -> String {
    url.as_str()
        .replacen("ws", "http", usize::from(url.scheme().starts_with("ws")))
}

/// The innermost cause, which says most.
fn why(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    let mut cause = error.source();
    let mut told = error.to_string();
    while let Some(inner) = cause {
        told = inner.to_string();
        cause = inner.source();
    }
    told
}
