//! Brings reports to the relays: to all at once, again and again, until each has taken or refused them for good.

use crate::clock::Clock;
use crate::history::History;
use crate::stop::Stop;
use futures_util::future::join_all;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;
use trellis_qube_client::{Delivery, Relays};
use trellis_qube_protocol::NetworkId;
use url::Url;

/// How long after a round with failures the next one begins, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A history that the node writes and its deliveries read and write.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<History>>);

impl Shared {
    /// Shares it.
    pub(crate) fn new(history: History) -> Shared {
        Shared(Arc::new(Mutex::new(history)))
    }

    /// The history, for a moment.
    pub(crate) fn lock(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The deliveries of one network.
pub(crate) struct Courier {
    pub(crate) network: NetworkId,
    pub(crate) relays: Relays,
    pub(crate) history: Shared,
    /// Told when there is a new report.
    pub(crate) news: Arc<Notify>,
    pub(crate) clock: Clock,
    pub(crate) stop: Stop,
}

impl Courier {
    /// Delivers until the agent is asked to stop.
    pub(crate) async fn run(self) {
        let urls: Vec<Url> = self.relays.urls().cloned().collect();
        let (first, longest) = AGAIN;
        let mut wait = first;
        loop {
            let waiting = self.history.lock().undelivered(&urls);
            let all_idle = waiting.is_empty();
            let mut all_done = true;
            for (key, report, missing) in waiting {
                let offers = missing.iter().map(async |url| {
                    let delivery = self.relays.publish_to(url, &report).await;
                    (url.clone(), delivery)
                });
                let answers = tokio::select! {
                    () = self.stop.asked() => return,
                    answers = join_all(offers) => answers,
                };
                let mut done = Vec::new();
                for (url, delivery) in answers {
                    match delivery {
                        Delivery::Accepted => done.push((url, "accepted".to_owned())),
                        Delivery::Refused(reason) => {
                            let network = &self.network;
                            tracing::warn!(%network, %url, reason, "a relay refuses a report");
                            done.push((url, format!("refused: {reason}")));
                        }
                        Delivery::Failed(reason) => {
                            tracing::debug!(network = %self.network, %url, reason, "not delivered");
                            all_done = false;
                        }
                    }
                }
                let now_s = self.clock.now_s();
                let written = self
                    .history
                    .lock()
                    .delivered(&key, &report, done, &urls, now_s);
                if let Err(error) = written {
                    tracing::error!(network = %self.network, %error, "cannot write the history");
                    all_done = false;
                }
            }
            let pause = if all_done { longest } else { wait };
            wait = if all_done {
                first
            } else {
                (wait * 2).min(longest)
            };
            tokio::select! {
                () = self.stop.asked() => return,
                () = self.news.notified() => wait = first,
                () = sleep(pause), if !all_idle || !all_done => {}
            }
        }
    }
}
