//! A subscription at several relays, for as long as somebody listens.
//!
//! One task a relay asks it as soon as it is connected, and again in full after each reconnection, after the relay
//! closed the subscription, after the task could not keep up, after authentication, and every few minutes in any case.
//! So events come more than once; nothing that a relay has is missed for good.

use crate::crossing;
use crate::relays::{Line, Relays};
use nostr_sdk::pool::{RelayNotification, RelayStatus};
use nostr_sdk::{ClientMessage, Filter, RelayMessage, SubscriptionId};
use std::borrow::Cow;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

/// Events that wait for a listener that is busy. More stay with the relays' connections.
const WAITING_EVENTS: usize = 1024;
/// How often all is asked for anew although nothing was seen to be wrong.
const RENEWAL: Duration = Duration::from_secs(300);
/// How long to leave a relay alone that closed the subscription.
pub(crate) const AFTER_CLOSED: Duration = Duration::from_secs(15);
/// How often a connection that is awaited is looked at.
const AWAITING: Duration = Duration::from_secs(30);

/// What a subscription hears.
#[derive(Debug, Clone)]
pub enum Received {
    /// An event whose id and signature are right; perhaps not for the first time.
    Event {
        /// The relay that sent it.
        relay: Url,
        /// As its author signed it.
        event: Box<nostr::event::Event>,
    },
    /// This relay has sent all that it had stored; what follows is new.
    CaughtUp {
        /// The relay.
        relay: Url,
    },
    /// This relay does not tell what it has, for now; it is asked again.
    Refused {
        /// The relay.
        relay: Url,
        /// What it said.
        message: String,
    },
    /// The connection to this relay ended; it is made again.
    Lost {
        /// The relay.
        relay: Url,
    },
}

/// A running subscription; ends when it is dropped.
pub struct Subscription {
    receiver: mpsc::Receiver<Received>,
    _tasks: JoinSet<()>,
}

impl Relays {
    /// Asks all relays for what matches a filter of NIP-01 (as JSON), stored and live.
    pub fn subscribe(&self, filter: &serde_json::Value) -> Result<Subscription, String> {
        let filter = crossing::filter(filter)?;
        let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
        let mut tasks = JoinSet::new();
        for line in &self.relays {
            let one = Follower {
                line: line.clone(),
                filter: filter.clone(),
                id: SubscriptionId::generate(),
                sender: sender.clone(),
            };
            tasks.spawn(one.run());
        }
        Ok(Subscription {
            receiver,
            _tasks: tasks,
        })
    }
}

impl Subscription {
    /// The next that comes from any relay; none when the connections were shut down.
    pub async fn next(&mut self) -> Option<Received> {
        self.receiver.recv().await
    }
}

/// One relay's part of a subscription.
struct Follower {
    line: Line,
    filter: Filter,
    id: SubscriptionId,
    sender: mpsc::Sender<Received>,
}

/// Why one round of listening is over.
enum Over {
    /// Ask again at once.
    Again,
    /// The relay refused: ask again later.
    Refused,
    /// The connection is gone.
    Lost,
    /// Nobody listens any more.
    Done,
}

impl Follower {
    async fn run(self) {
        loop {
            self.line.relay.wait_for_connection(AWAITING).await;
            if self.sender.is_closed() {
                return;
            }
            if !self.line.relay.is_connected() {
                if self.line.relay.status() == RelayStatus::Terminated {
                    return;
                }
                continue;
            }
            match self.listen().await {
                Over::Again => {}
                Over::Refused => sleep(AFTER_CLOSED).await,
                Over::Lost => {
                    let relay = self.line.url.clone();
                    if self.sender.send(Received::Lost { relay }).await.is_err() {
                        return;
                    }
                }
                Over::Done => return,
            }
        }
    }

    /// Asks once and passes on what comes, until it is time to ask again.
    async fn listen(&self) -> Over {
        let mut notifications = self.line.relay.notifications();
        let request = ClientMessage::req(self.id.clone(), vec![self.filter.clone()]);
        if self.line.relay.send_msg(request).is_err() {
            // The connection ended between the look at it and this.
            sleep(Duration::from_secs(1)).await;
            return Over::Again;
        }
        let mut again = Instant::now() + RENEWAL;
        loop {
            let notification = match timeout_at(again, notifications.recv()).await {
                Err(_) | Ok(Err(RecvError::Lagged(_))) => return Over::Again,
                Ok(Err(RecvError::Closed)) => return Over::Done,
                Ok(Ok(notification)) => notification,
            };
            let relay = self.line.url.clone();
            let mut is_over = false;
            let heard = match notification {
                RelayNotification::Message { message } => match message {
                    RelayMessage::Event {
                        subscription_id,
                        event,
                    } if *subscription_id == self.id => match crossing::inwards(&event) {
                        Some(event) => Received::Event {
                            relay,
                            event: Box::new(event),
                        },
                        None => {
                            tracing::warn!(%relay, "a relay sent what nobody signed");
                            continue;
                        }
                    },
                    RelayMessage::EndOfStoredEvents(id) if *id == self.id => {
                        Received::CaughtUp { relay }
                    }
                    RelayMessage::Closed {
                        subscription_id,
                        message,
                    } if *subscription_id == self.id => {
                        is_over = !message.starts_with("auth-required:");
                        // Who is known soon is told what is refused to a stranger; the answer to the challenge is on its way.
                        again = again.min(Instant::now() + AFTER_CLOSED);
                        Received::Refused {
                            relay,
                            message: message.into_owned(),
                        }
                    }
                    _ => continue,
                },
                RelayNotification::Authenticated => return Over::Again,
                RelayNotification::RelayStatus { status } if status != RelayStatus::Connected => {
                    return Over::Lost;
                }
                RelayNotification::Shutdown => return Over::Done,
                _ => continue,
            };
            if self.sender.send(heard).await.is_err() {
                return Over::Done;
            }
            if is_over {
                return Over::Refused;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.line.relay.is_connected() {
            let close = ClientMessage::Close(Cow::Borrowed(&self.id));
            let _gone_anyway = self.line.relay.send_msg(close);
        }
    }
}
