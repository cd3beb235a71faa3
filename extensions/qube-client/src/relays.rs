//! The relays of one client: made from their addresses, connected for as long as this value lives.
//!
//! Nothing here waits for a relay: a relay that cannot be reached now is tried again in the background.

use nostr_sdk::{Client, Keys, Relay, RelayOptions};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use url::Url;

/// The first wait before a relay that is away is tried again; it grows to a minute while the relay stays away.
const RETRY: Duration = Duration::from_secs(2);

/// Several relays; cheap to clone, and all clones share the connections.
///
/// The connections end with [`Relays::shut_down`], or when the last clone and the last subscription are dropped.
#[derive(Clone)]
pub struct Relays {
    client: Client,
    pub(crate) relays: Vec<Line>,
}

/// One relay, by the address under which its user knows it.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) url: Url,
    pub(crate) relay: Relay,
    /// Whether it is told who asks, where it wants to know.
    pub(crate) logs_in: bool,
    /// Whether the last question was given up for want of a connection.
    pub(crate) given_up: Arc<AtomicBool>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing to connect to.
    #[error("no relay is named; at least one address (wss://...) is needed")]
    NoRelays,
    /// An address that is not a relay's.
    #[error("{url} is not the address of a relay; allowed are wss:// and ws://: {problem}")]
    Address {
        /// What was found.
        url: Url,
        /// Why it does not do.
        problem: String,
    },
    /// The same relay twice.
    #[error("{0} is named twice")]
    Twice(Url),
    /// Keys that are none.
    #[error("the secret key is not one")]
    Key,
}

impl Relays {
    /// Begins to connect to all of them and returns at once. With keys, AUTH (NIP-42) is answered as their owner.
    pub async fn connect(
        urls: &[Url],
        keys: Option<&nostr::key::Keys>,
    ) -> Result<Relays, ConnectError> {
        if urls.is_empty() {
            return Err(ConnectError::NoRelays);
        }
        let mut builder = Client::builder();
        if let Some(keys) = keys {
            let secret = keys.secret_key().to_secret_hex();
            builder = builder.signer(Keys::parse(&secret).map_err(|_| ConnectError::Key)?);
        }
        let client = builder.build();
        let mut relays: Vec<Line> = Vec::with_capacity(urls.len());
        for url in urls {
            let wrong = |problem: &dyn std::fmt::Display| ConnectError::Address {
                url: url.clone(),
                problem: problem.to_string(),
            };
            if !matches!(url.scheme(), "ws" | "wss") {
                return Err(wrong(&format_args!("its scheme is {}", url.scheme())));
            }
            let options = RelayOptions::new().retry_interval(RETRY);
            let pool = client.pool();
            let added = pool.add_relay(url.as_str(), options).await;
            if !added.map_err(|error| wrong(&error))? {
                return Err(ConnectError::Twice(url.clone()));
            }
            let relay = pool.relay(url.as_str()).await;
            relays.push(Line {
                url: url.clone(),
                relay: relay.map_err(|error| wrong(&error))?,
                logs_in: keys.is_some(),
                given_up: Arc::default(),
            });
        }
        for line in &relays {
            line.relay.connect();
        }
        Ok(Relays { client, relays })
    }

    /// The same connections without those to these addresses.
    pub fn without(&self, urls: &[Url]) -> Relays {
        let left = self.relays.iter().filter(|line| !urls.contains(&line.url));
        Relays {
            client: self.client.clone(),
            relays: left.cloned().collect(),
        }
    }

    /// The addresses, in the order in which they were given.
    pub fn urls(&self) -> impl Iterator<Item = &Url> {
        self.relays.iter().map(|line| &line.url)
    }

    /// Each address and whether its relay is connected now.
    pub fn connected(&self) -> Vec<(Url, bool)> {
        let of = |line: &Line| (line.url.clone(), line.relay.is_connected());
        self.relays.iter().map(of).collect()
    }

    /// Returns when at least one relay is connected, or after `patience`; whether one is.
    pub async fn wait_for_any(&self, patience: Duration) -> bool {
        let one = |line: &Line| {
            let relay = line.relay.clone();
            Box::pin(async move { relay.wait_for_connection(patience).await })
        };
        let mut left: Vec<_> = self.relays.iter().map(one).collect();
        while !self.relays.iter().any(|line| line.relay.is_connected()) {
            if left.is_empty() {
                return false;
            }
            let (_, _, rest) = futures_util::future::select_all(left).await;
            left = rest;
        }
        true
    }

    /// Closes all connections; subscriptions end.
    pub async fn shut_down(&self) {
        self.client.shutdown().await;
    }
}
