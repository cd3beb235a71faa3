//! What is known of one network: its votes and its reports, and what is computed from both.

use super::ballots::{Ballots, Count};
use super::judging::Judging;
use super::reports::Reports;
use super::{AckRecord, IdentityRefusal};
use crate::{Ack, ActionKey, EventId, Identity, Network, NetworkState, Pubkey, Signal};
use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

/// One network.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) network: Network,
    ballots: Ballots,
    reports: Reports,
    /// The last count, while no signal has come and no moment of one that is dated ahead.
    counted: Mutex<Option<Arc<Count>>>,
}

impl Book {
    pub(super) fn new(network: Network) -> Self {
        Self {
            network,
            ballots: Ballots::default(),
            reports: Reports::default(),
            counted: Mutex::new(None),
        }
    }

    pub(super) fn insert_signal(&mut self, signal: &Arc<Signal>) -> bool {
        let is_new = self.ballots.insert(Arc::clone(signal));
        if is_new {
            self.reports.insert_signal(&self.network, signal);
            self.counted = Mutex::new(None);
        }
        is_new
    }

    pub(super) fn insert_elsewhere(&mut self, signal: &Signal) -> bool {
        let is_new = self.ballots.insert_elsewhere(signal);
        if is_new {
            self.counted = Mutex::new(None);
        }
        is_new
    }

    pub(super) fn insert_ack(&mut self, ack: Ack) -> bool {
        self.network.developers.contains(&ack.report.developer)
            && self.reports.insert(&self.network, ack)
    }

    pub(super) fn may_report(&self, ack: &Ack) -> Result<(), IdentityRefusal> {
        if !self.network.developers.contains(&ack.report.developer) {
            return Err(IdentityRefusal::NotADeveloper);
        }
        self.reports.has_room(&self.network, ack)?;
        let first = self.reports.first_key(&ack.report.node_id);
        let taken = first.is_some_and(|first| first != ack.node);
        match self.network.identity == Identity::Tofu && taken {
            true => Err(IdentityRefusal::OtherKey),
            false => Ok(()),
        }
    }

    pub(super) fn state(&self, now_s: u64) -> NetworkState {
        let count = self.count(now_s);
        Judging::new(&self.network, &count, &self.reports, now_s).state()
    }

    pub(super) fn resolve(&self, ack: &Ack) -> Option<EventId> {
        self.reports
            .resolve(&ack.report)
            .map(|(_, signal, _)| signal)
    }

    pub(super) fn valid_at(&self, developer: &Pubkey, at_s: u64) -> Option<&Signal> {
        self.ballots.valid_at(developer, at_s).map(Arc::as_ref)
    }

    pub(super) fn signals(&self) -> Vec<&Signal> {
        let mut signals: Vec<&Signal> = self.ballots.signals().map(Arc::as_ref).collect();
        signals.sort_by_key(|signal| (Reverse(signal.created_at), signal.id));
        signals
    }

    pub(super) fn acks(&self, key: &ActionKey) -> Vec<AckRecord> {
        let Some(on_action) = self.reports.on_action(key) else {
            return Vec::new();
        };
        let rows = on_action
            .by_row
            .iter()
            .map(|(row, kept)| (self.reports.row(*row), kept));
        let mut records: Vec<AckRecord> = rows
            .filter(|(row, _)| row.speaks)
            .map(|(row, kept)| AckRecord {
                node_id: row.node_id.clone(),
                pubkey: row.pubkey,
                signal: kept.signal,
                counts: row.counts,
                ack: kept.shown(),
            })
            .collect();
        records.sort_by(|a, b| (&a.node_id, a.pubkey).cmp(&(&b.node_id, b.pubkey)));
        records
    }

    fn count(&self, now_s: u64) -> Arc<Count> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        match counted.as_ref().filter(|count| count.holds_at(now_s)) {
            Some(count) => Arc::clone(count),
            None => {
                let count = Arc::new(self.ballots.count(&self.network, now_s));
                Arc::clone(counted.insert(count))
            }
        }
    }
}
