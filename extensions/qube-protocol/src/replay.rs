//! Going over an exported history again, without a relay: signatures, quorum and chain.

use crate::chain::{self, Entry};
use crate::{
    Ack, Fields, FleetState, KIND_ACK, KIND_SIGNAL, Ledger, Network, Signal, VoteScope, verified,
};
use serde::Serialize;

/// What a history comes to.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// Directives that count, those of the log among them.
    pub signals: usize,
    /// Reports that count.
    pub acks: usize,
    /// Entries of the log.
    pub entries: usize,
    /// What was found wrong, in the order of reading.
    pub problems: Vec<Problem>,
    /// Where the log is not what was appended to it.
    pub chain_broken: Option<String>,
    /// What follows from all that is right.
    pub state: FleetState,
}

impl Replayed {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.chain_broken.is_none()
    }
}

/// Something that is wrong in a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `event 3` or `log entry 7`, counted from 1.
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
    let mut reading = Reading {
        ledger: Ledger::new(networks, scope),
        signals: 0,
        acks: 0,
        problems: Vec::new(),
    };
    let retained = log
        .iter()
        .map(|entry| (format!("log entry {}", entry.seq), entry.event.as_str()));
    let present = events
        .into_iter()
        .enumerate()
        .map(|(at, json)| (format!("event {}", at + 1), json));
    for (at, json) in retained.chain(present) {
        if let Err(problem) = reading.take(json) {
            reading.problems.push(Problem { at, problem });
        }
    }
    Replayed {
        signals: reading.signals,
        acks: reading.acks,
        entries: log.len(),
        problems: reading.problems,
        chain_broken: chain::verify(log).err().map(|broken| broken.to_string()),
        state: reading.ledger.state(now_s),
    }
}

struct Reading {
    ledger: Ledger,
    signals: usize,
    acks: usize,
    problems: Vec<Problem>,
}

impl Reading {
    fn take(&mut self, json: &str) -> Result<(), String> {
        let event = verified(json).map_err(|error| error.to_string())?;
        let fields = Fields::of(&event);
        match fields.kind {
            KIND_SIGNAL => {
                let signal = Signal::parse(&fields).map_err(|error| error.to_string())?;
                self.authorized(&signal)?;
                self.signals += usize::from(self.ledger.insert_signal(signal));
            }
            KIND_ACK => {
                let ack = Ack::parse(&fields).map_err(|error| error.to_string())?;
                self.ledger
                    .may_report(&ack)
                    .map_err(|error| error.to_string())?;
                self.acks += usize::from(self.ledger.insert_ack(ack));
            }
            kind => {
                return Err(format!(
                    "kind {kind} is neither {KIND_SIGNAL} nor {KIND_ACK}"
                ));
            }
        }
        Ok(())
    }

    fn authorized(&self, signal: &Signal) -> Result<(), String> {
        let id = signal.network();
        let network = self.ledger.networks().find(|network| network.id == *id);
        let network = network.ok_or_else(|| format!("network `{id}` is not among those given"))?;
        match network.developers.contains(&signal.developer) {
            true => Ok(()),
            false => Err(format!(
                "{} does not direct network `{id}`",
                signal.developer
            )),
        }
    }
}
