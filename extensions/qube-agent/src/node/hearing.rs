//! What a node hears: its developers' signals, and other nodes' reports where a decision needs them.

use super::{Node, facts, next_of};
use crate::watch::Answer;
use futures_util::FutureExt as _;
use std::io;
use std::time::Duration;
use tokio::time::Instant;
use trellis_qube_client::Received;
use trellis_qube_protocol::{ADDRESS, Ack, Fields, KIND_ACK, KIND_SIGNAL, NetworkState, Signal};

/// How far back reports of other nodes are asked for. Seconds.
const REPORTS_OF_S: u64 = 30 * 86_400;
/// How long relays have to tell the reports that they have.
const REPORTS_WITHIN: Duration = Duration::from_secs(15);
/// How long after no relay told any they are asked again.
const REPORTS_AGAIN: Duration = Duration::from_secs(15);
/// Signals that cannot be followed of which is told.
const MAX_UNREADABLE: usize = 256;

impl Node {
    pub(super) fn hear(&mut self, received: Received) -> io::Result<()> {
        let event = match received {
            Received::Event { event, .. } => event,
            Received::CaughtUp { relay } => {
                self.around.watch.answers(relay.clone(), Some(Answer::Told));
                self.caught_up.insert(relay);
                return Ok(());
            }
            Received::Refused { relay, message } => {
                tracing::warn!(%relay, message, "a relay does not tell what is signed");
                let answer = Answer::Refused(message);
                self.around.watch.answers(relay, Some(answer));
                return Ok(());
            }
            Received::Lost { relay } => {
                self.around.watch.answers(relay, None);
                return Ok(());
            }
        };
        if !self.network.developers.contains(&event.pubkey.into()) {
            return Ok(());
        }
        let network = &self.network.id;
        let signal = match Signal::parse(&Fields::of(&event)) {
            Ok(signal) => signal,
            Err(error) => {
                if self.unreadable.len() < MAX_UNREADABLE && self.unreadable.insert(event.id) {
                    self.around.watch.signal(network, "invalid");
                    tracing::warn!(%network, id = %event.id, %error, "a signal that cannot be followed");
                }
                return Ok(());
            }
        };
        if signal.network() != network || self.ledger.signal(&signal.id).is_some() {
            return Ok(());
        }
        let (version, developer) = (signal.directive.version.clone(), signal.developer);
        if self.ledger.insert_signal(signal) {
            self.votes.add(*event)?;
            self.around.watch.signal(network, "vote");
            tracing::info!(%network, %developer, %version, "a vote");
        }
        Ok(())
    }

    /// Hears what has come meanwhile.
    pub(super) fn hear_waiting(&mut self) -> io::Result<()> {
        while let Some(Some(received)) = next_of(&mut self.signals).now_or_never() {
            self.hear(received)?;
        }
        Ok(())
    }

    pub(super) fn hear_report(&mut self, received: Option<Received>) {
        let event = match received {
            Some(Received::Event { event, .. }) => event,
            Some(_) => return,
            None => {
                self.reports = None;
                return;
            }
        };
        if let Ok(ack) = Ack::parse(&Fields::of(&event)) {
            self.ledger.insert_ack(ack);
        }
    }

    /// Asks for other nodes' reports, once the votes that stand make a decision depend on them. Whether the decision has to
    /// wait: it was asked just now, or no relay has told them.
    pub(super) async fn ask_for_reports(&mut self, state: &NetworkState, now_s: u64) -> bool {
        if self.knows_reports || !facts::needs_reports(state) {
            return false;
        }
        if self.ask_again.is_some_and(|again| Instant::now() < again) {
            self.wake = self.ask_again;
            return true;
        }
        let address = |developer| format!("{KIND_SIGNAL}:{developer}:{ADDRESS}");
        let addresses: Vec<String> = self.network.developers.iter().map(address).collect();
        let since = now_s.saturating_sub(REPORTS_OF_S);
        let filter = serde_json::json!({"kinds": [KIND_ACK], "#a": addresses, "since": since});
        let relays = &self.around.relays;
        if self.reports.is_none() {
            self.reports = relays.subscribe(&filter).ok();
        }
        // All that there are before the first decision: who goes next depends on how the others fared.
        // Anybody may sign reports: the ledger keeps a bounded number, and nothing else is kept.
        let (ledger, mut heard) = (&mut self.ledger, 0_usize);
        let take = |event: nostr::event::Event| {
            heard += 1;
            if let Ok(ack) = Ack::parse(&Fields::of(&event)) {
                ledger.insert_ack(ack);
            }
        };
        let fetched = tokio::select! {
            () = self.around.stop.asked() => return true,
            fetched = relays.fetch_each(&filter, REPORTS_WITHIN, take) => fetched,
        };
        // A relay that has more than it can tell has told the newest.
        self.knows_reports = heard > 0 || !fetched.answered.is_empty();
        let again = match self.knows_reports {
            true => Instant::now(),
            false => {
                // Nobody's reports would look like nobody's failures.
                self.tell("no relay has told other nodes' reports; a rollout waits".to_owned());
                Instant::now() + REPORTS_AGAIN
            }
        };
        self.ask_again = Some(again);
        self.wake = Some(again);
        true
    }
}
