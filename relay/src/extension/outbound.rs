//! The way out: HTTP requests and WebSockets of extensions to other servers.
//!
//! Invariant: no connection is opened to an address that [`address`] calls private unless `outbound.allow_private` holds
//! it, whatever the URL, the name server or a redirect says. Nothing of a request but its outcome is logged or counted.
//! What is not here: proxies, cookies, compression and HTTP/2, of which extensions have no need.

mod address;
mod destination;
mod error;
mod line;
mod parts;
mod request;
mod resolver;
mod response;
mod socket;
mod tally;

pub use error::OutboundError;
pub use request::HttpRequest;
pub use response::HttpResponse;
pub use socket::OutboundSocket;

use super::relay_side::Core;
use crate::config::{IpRange, Outbound};
use line::Line;
use reqwest::Method;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// Asks other servers by HTTP or HTTPS; got from [`super::Host::http_client`]. Cheap to clone.
///
/// `[outbound]` in the relay's config bounds what it does: addresses, time, bytes, redirects, requests at a time. It is
/// looked at for each request, so that a reload counts at once. No key of an extension's own table widens it.
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    extension: &'static str,
    /// The extension's own threads: no worker does TLS.
    runtime: Handle,
    core: Arc<dyn Core>,
    /// Of what the operator allows beside public addresses, no more than this.
    within: Option<Vec<IpRange>>,
    line: Mutex<Option<Arc<Line>>>,
}

impl HttpClient {
    pub(super) fn new(extension: &'static str, runtime: Handle, core: Arc<dyn Core>) -> Self {
        let line = Mutex::new(None);
        HttpClient {
            inner: Arc::new(Inner {
                extension,
                runtime,
                core,
                within: None,
                line,
            }),
        }
    }

    /// A client for URLs that strangers choose. Of `outbound.allow_private`, which the operator may have had to open for a
    /// service of their own, it reaches only what lies in these ranges as well: public addresses alone where there are none.
    /// Its requests have turns of their own (`outbound.max_concurrent`), so that servers of strangers, however slow, keep
    /// nothing else waiting. Keep it: its turns and connections are its own.
    pub fn narrowed(&self, allow_private: Vec<IpRange>) -> HttpClient {
        HttpClient {
            inner: Arc::new(Inner {
                extension: self.inner.extension,
                runtime: self.inner.runtime.clone(),
                core: self.inner.core.clone(),
                within: Some(allow_private),
                line: Mutex::new(None),
            }),
        }
    }

    /// A GET. A URL that cannot be asked is an error of [`HttpRequest::send`].
    pub fn get(&self, url: &str) -> HttpRequest {
        self.request(Method::GET, url)
    }

    /// A HEAD.
    pub fn head(&self, url: &str) -> HttpRequest {
        self.request(Method::HEAD, url)
    }

    /// A POST.
    pub fn post(&self, url: &str) -> HttpRequest {
        self.request(Method::POST, url)
    }

    /// A PUT.
    pub fn put(&self, url: &str) -> HttpRequest {
        self.request(Method::PUT, url)
    }

    /// A PATCH.
    pub fn patch(&self, url: &str) -> HttpRequest {
        self.request(Method::PATCH, url)
    }

    /// A DELETE.
    pub fn delete(&self, url: &str) -> HttpRequest {
        self.request(Method::DELETE, url)
    }

    /// The longest body of an answer that the operator lets through (`outbound.max_body_bytes`): what is longer has to be
    /// asked for in parts.
    pub fn max_body_bytes(&self) -> usize {
        self.inner.core.outbound().max_body_bytes.as_usize()
    }

    /// How long the operator lets a whole request take (`outbound.timeout`).
    pub fn timeout(&self) -> Duration {
        self.inner.core.outbound().timeout.duration()
    }

    /// Opens a WebSocket: `wss://...`, or `ws://...` to an address that is allowed. Neither redirects nor compression; a
    /// message may have `outbound.max_body_bytes`. Connecting is bounded in time and held to the same addresses as a
    /// request; once it is open it takes no place among the requests.
    ///
    /// ```
    /// use trellis_relay::extension::OutboundError;
    /// use trellis_relay::extension::prelude::*;
    /// async fn first_word(host: &Host) -> Result<Option<String>, OutboundError> {
    ///     let mut socket = host.http_client().websocket("wss://relay.example").await?;
    ///     socket.send("[\"REQ\",\"a\",{\"kinds\":[0],\"limit\":1}]").await?;
    ///     socket.next().await
    /// }
    /// ```
    pub async fn websocket(&self, url: &str) -> Result<OutboundSocket, OutboundError> {
        socket::open(&*self.line()?, url).await
    }

    fn request(&self, method: Method, url: &str) -> HttpRequest {
        HttpRequest::new(self.clone(), method, url)
    }

    fn settings(&self) -> Outbound {
        let mut settings = self.inner.core.outbound();
        if let Some(within) = &self.inner.within {
            settings.allow_private = common(&settings.allow_private, within);
        }
        settings
    }

    /// The line for the settings in force. Connections that others had allowed are not used any more.
    fn line(&self) -> Result<Arc<Line>, OutboundError> {
        let settings = self.settings();
        let mut line = self
            .inner
            .line
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = line.as_ref().filter(|line| line.settings == settings) {
            return Ok(line.clone());
        }
        let fresh = Arc::new(Line::open(settings)?);
        *line = Some(fresh.clone());
        Ok(fresh)
    }
}

/// What lies in one of each. Of two networks one holds the other, or they have nothing in common.
fn common(allowed: &[IpRange], within: &[IpRange]) -> Vec<IpRange> {
    let mut common = Vec::new();
    for one in allowed.iter().map(IpRange::network) {
        for other in within.iter().map(IpRange::network) {
            if one.contains(&other) {
                common.push(other.into());
            } else if other.contains(&one) {
                common.push(one.into());
            }
        }
    }
    common
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpClient({})", self.inner.extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_outbound_a_narrowed_client_reaches_what_both_lists_have() {
        let read = |texts: &[&str]| -> Vec<IpRange> {
            let read = texts.iter().map(|it| it.parse().expect("a range"));
            read.collect()
        };
        let allowed = read(&["10.0.0.0/8", "127.0.0.1", "fd00::/8"]);
        let cases: [(&[&str], &[&str]); 5] = [
            (&[], &[]),
            (&["10.1.0.0/16"], &["10.1.0.0/16"]),
            (&["0.0.0.0/0"], &["10.0.0.0/8", "127.0.0.1"]),
            (&["127.0.0.0/8", "fd00::1"], &["127.0.0.1", "fd00::1"]),
            (&["192.168.0.0/16", "::1"], &[]),
        ];
        for (within, found) in cases {
            assert_eq!(common(&allowed, &read(within)), read(found), "{within:?}");
        }
    }
}
