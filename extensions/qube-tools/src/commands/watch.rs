//! Following a network until something is so.

use crate::out::progress;
use crate::reading::{filters, state, take};
use crate::settings::Settings;
use crate::table::harmless;
use anyhow::{Context as _, bail};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use trellis_qube_client::{Received, Relays, Subscription};
use trellis_qube_protocol::{ActionKey, ActionState, Ledger, NetworkId};

/// How often time alone is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Follows one action.
pub(crate) struct Watch {
    subscriptions: [Subscription; 2],
    network: NetworkId,
    key: ActionKey,
    said: String,
}

impl Watch {
    pub(crate) fn begin(
        settings: &Settings,
        relays: &Relays,
        network: NetworkId,
        key: ActionKey,
    ) -> anyhow::Result<Self> {
        let subscribe = |filter| relays.subscribe(filter).map_err(anyhow::Error::msg);
        let [signals, acks] = filters(settings);
        Ok(Self {
            subscriptions: [subscribe(&signals)?, subscribe(&acks)?],
            network,
            key,
            said: String::new(),
        })
    }

    /// Waits until `enough` says what came of it, or time is over; tells of every change.
    pub(crate) async fn until<T>(
        &mut self,
        ledger: &mut Ledger,
        within: Duration,
        enough: impl Fn(&ActionState) -> Option<T>,
    ) -> anyhow::Result<Option<T>> {
        let end = Instant::now() + within;
        loop {
            let state = state(ledger, &self.network).context("the network is known")?;
            let action = state.action(&self.key).context("the action is known")?;
            self.tell(action, state.quorum);
            if let Some(found) = enough(action) {
                return Ok(Some(found));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            let [signals, acks] = &mut self.subscriptions;
            let received = tokio::select! {
                received = signals.next() => Some(received),
                received = acks.next() => Some(received),
                () = sleep(LOOK_EVERY) => None,
            };
            match received {
                Some(Some(Received::Event { event, .. })) => {
                    take(ledger, &event);
                }
                Some(Some(Received::Lost { relay })) => {
                    progress(format_args!("{relay}: lost; connecting again"))
                }
                Some(Some(Received::Refused { relay, message })) => progress(format_args!(
                    "{relay}: it does not tell: {}",
                    harmless(&message)
                )),
                Some(Some(Received::CaughtUp { .. })) | None => {}
                Some(None) => bail!("the connections have ended"),
            }
        }
    }

    fn tell(&mut self, action: &ActionState, quorum: usize) {
        let (votes, success, failure) =
            (action.votes.len(), action.acks.success, action.acks.failure);
        let line = format!(
            "{}: {votes} of {quorum} votes, {success} of {} nodes done, {failure} failed",
            action.status, action.expected
        );
        if line != self.said {
            progress(&line);
            self.said = line;
        }
    }
}
