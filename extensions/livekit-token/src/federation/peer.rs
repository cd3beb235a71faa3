//! Another relay, as a client sees it.
//!
//! Invariant: what it says is bounded and read strictly; who cannot be understood has said nothing. Whether events are what
//! they claim is looked at when they are stored.

use serde_json::{Value, json};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{OutboundError, OutboundSocket};

/// A connection to another relay.
pub(super) struct Peer {
    socket: OutboundSocket,
}

/// What it says.
#[derive(Debug)]
pub(super) enum Said {
    /// For a subscription.
    Event(String, Arc<Event>),
    /// All that it has for a subscription was sent.
    End(String),
    /// It has closed a subscription.
    Closed,
}

impl Peer {
    pub(super) async fn connect(host: &Host, url: &str) -> Result<Self, OutboundError> {
        let socket = host.http_client().websocket(url).await?;
        Ok(Peer { socket })
    }

    /// Asks for what matches one of these filters, under a name that takes the place of an older one.
    pub(super) async fn subscribe(
        &mut self,
        name: &str,
        filters: &[Value],
    ) -> Result<(), OutboundError> {
        let mut words = vec![json!("REQ"), json!(name)];
        words.extend_from_slice(filters);
        self.socket.send(&Value::Array(words).to_string()).await
    }

    /// The next thing it says that matters; nothing once it has gone.
    pub(super) async fn next(&mut self) -> Result<Option<Said>, OutboundError> {
        while let Some(text) = self.socket.next().await? {
            if let Some(said) = read(&text) {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }
}

fn read(text: &str) -> Option<Said> {
    let words: Vec<Value> = serde_json::from_str(text).ok()?;
    let name = || words.get(1).and_then(Value::as_str).map(str::to_owned);
    match words.first()?.as_str()? {
        "EVENT" => {
            let event = Event::parse(words.get(2)?.to_string().as_bytes()).ok()?;
            Some(Said::Event(name()?, Arc::new(event)))
        }
        "EOSE" => Some(Said::End(name()?)),
        "CLOSED" => Some(Said::Closed),
        _ => None,
    }
}
