//! Brings reports to the relays: to all at once, again and again, until each has taken or refused them for good.

use crate::clock::Clock;
use crate::history::History;
use crate::stop::Stop;
use futures_util::future::join_all;
use nostr::event::EventId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use trellis_qube_client::{Delivery, Relays};
use trellis_qube_protocol::NetworkId;
use url::Url;

/// How long after a round with failures the next one begins, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// After how long a report is offered again that a relay refused for what may change: the clock of this machine, which is set
/// right, or the relay's list of networks and nodes.
const REFUSED_AGAIN: Duration = Duration::from_secs(3_600);

/// Whether a relay's refusal may be another answer later.
fn may_change(reason: &str) -> bool {
    ["invalid:", "restricted:"]
        .iter()
        .any(|prefix| reason.starts_with(prefix))
}

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
        // When a report is offered again to a relay that refused it for a reason that may pass.
        let mut later: BTreeMap<(EventId, Url), Instant> = BTreeMap::new();
        loop {
            let waiting = self.history.lock().undelivered(&urls);
            let all_idle = waiting.is_empty();
            later.retain(|(id, _), _| waiting.iter().any(|(_, report, _)| report.id == *id));
            let mut all_done = true;
            for (key, report, mut missing) in waiting {
                let is_due = |url: &Url| {
                    let later = later.get(&(report.id, url.clone()));
                    later.is_none_or(|later| *later <= Instant::now())
                };
                let before = missing.len();
                missing.retain(is_due);
                all_done &= missing.len() == before;
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
                        Delivery::Refused(reason) if may_change(&reason) => {
                            let network = &self.network;
                            tracing::warn!(%network, %url, reason, "a relay refuses a report for now");
                            later.insert((report.id, url), Instant::now() + REFUSED_AGAIN);
                            all_done = false;
                        }
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

#[cfg(test)]
mod tests {
    use super::may_change;

    #[test]
    fn a6_a_refusal_for_a_reason_that_may_pass_is_not_the_last_word() {
        assert!(may_change("invalid: created_at is 20 minutes ahead"));
        assert!(may_change("restricted: node-1 is not a node of testnet"));
        assert!(!may_change("blocked: you"));
        assert!(!may_change("pow: 20 bits are wanted"));
    }
}
