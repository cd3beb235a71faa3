//! A WebSocket to another server.
//!
//! Invariant: the connection goes to an address that was checked, whatever the name server says later; the server's
//! certificate is checked against the name.

use super::destination;
use super::error::OutboundError;
use super::line::Line;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Url;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::Host;

/// A WebSocket that is open; got from [`super::HttpClient::websocket`]. Dropping it closes the connection.
pub struct OutboundSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    patience: Duration,
}

impl OutboundSocket {
    /// Sends text. Fails where the other side takes nothing for as long as `outbound.timeout`.
    pub async fn send(&mut self, text: &str) -> Result<(), OutboundError> {
        let sending = self.stream.send(Message::text(text));
        let sent = timeout(self.patience, sending).await;
        let sent = sent.map_err(|_| OutboundError::Timeout(self.patience))?;
        sent.map_err(broken)
    }

    /// The next text, however long that takes; nothing once the other side has closed. Pings are answered meanwhile, so this
    /// should be waited for most of the time.
    pub async fn next(&mut self) -> Result<Option<String>, OutboundError> {
        while let Some(message) = self.stream.next().await {
            match message {
                Ok(Message::Text(text)) => return Ok(Some(text.as_str().to_owned())),
                Ok(Message::Close(_)) => return Ok(None),
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(None),
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(None)
    }
}

pub(super) async fn open(line: &Line, url: &str) -> Result<OutboundSocket, OutboundError> {
    let url = destination::parse(url)?;
    if !matches!(url.scheme(), "ws" | "wss") {
        return Err(OutboundError::Url("a WebSocket has a URL of ws or wss"));
    }
    destination::check_host(&url, &line.settings.allow_private)?;
    let patience = line.settings.timeout.duration();
    let opened = timeout(patience, connect(line, &url)).await;
    let stream = opened.map_err(|_| OutboundError::Timeout(patience))??;
    Ok(OutboundSocket { stream, patience })
}

async fn connect(
    line: &Line,
    url: &Url,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, OutboundError> {
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = match url.host() {
        Some(Host::Ipv4(address)) => vec![SocketAddr::new(IpAddr::V4(address), port)],
        Some(Host::Ipv6(address)) => vec![SocketAddr::new(IpAddr::V6(address), port)],
        Some(Host::Domain(name)) => line.names.look_up(name, port).await.map_err(unnamed)?,
        None => return Err(OutboundError::Url("a URL without a host")),
    };
    let connecting = TcpStream::connect(&*addresses);
    let tcp = timeout(line.settings.connect_timeout.duration(), connecting).await;
    let tcp = tcp.map_err(|_| failed("no connection", io::Error::from(io::ErrorKind::TimedOut)))?;
    let tcp = tcp.map_err(|error| failed("no connection", error))?;
    let max_bytes = line.settings.max_body_bytes.as_usize();
    let bounds = WebSocketConfig::default()
        .max_message_size(Some(max_bytes))
        .max_frame_size(Some(max_bytes));
    let connector = Connector::Rustls(line.tls.clone());
    let upgraded =
        client_async_tls_with_config(url.as_str(), tcp, Some(bounds), Some(connector)).await;
    let (stream, _) = upgraded.map_err(broken)?;
    Ok(stream)
}

/// A name that leads nowhere, or where extensions may not go.
fn unnamed(error: Box<dyn std::error::Error + Send + Sync>) -> OutboundError {
    match error.downcast::<OutboundError>() {
        Ok(refused) => *refused,
        Err(error) => OutboundError::Failed {
            what: "no connection",
            cause: error.to_string(),
            source: error,
        },
    }
}

fn broken(error: Error) -> OutboundError {
    failed("the WebSocket broke", error)
}

fn failed(
    what: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> OutboundError {
    OutboundError::Failed {
        what,
        cause: error.to_string(),
        source: error.into(),
    }
}

impl std::fmt::Debug for OutboundSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OutboundSocket")
    }
}
