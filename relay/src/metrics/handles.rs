//! Handles of the metrics that hot paths touch, looked up once: finding one by name costs a hash and a lock.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// The handles of one relay. Made after the recorder was installed, or they count nothing.
pub(crate) struct CoreMetrics {
    messages: [(&'static str, Counter); VERBS.len()],
    /// Events answered OK after they were committed.
    pub(crate) stored: Counter,
    /// Events that were sent on and not stored.
    pub(crate) ephemeral: Counter,
    /// Events that the store had.
    pub(crate) duplicates: Counter,
    /// Events sent live.
    pub(crate) live_deliveries: Counter,
    /// Events sent from the store.
    pub(crate) stored_deliveries: Counter,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Bytes that wait for clients.
    pub(crate) outbox_bytes: Gauge,
    /// Writes in a commit.
    pub(crate) commit_events: Histogram,
    /// Time of a commit.
    pub(crate) commit_seconds: Histogram,
    /// Time of a REQ in the store.
    pub(crate) req_seconds: Histogram,
    /// Time of a COUNT in the store.
    pub(crate) count_seconds: Histogram,
    /// Time of sealing a set for negentropy in the store.
    pub(crate) neg_open_seconds: Histogram,
}

/// What [`CoreMetrics::message`] is told.
const VERBS: [&str; 9] = [
    "EVENT",
    "REQ",
    "CLOSE",
    "AUTH",
    "COUNT",
    "NEG-OPEN",
    "NEG-MSG",
    "NEG-CLOSE",
    INVALID,
];

/// Stands for a message that could not be read.
pub(crate) const INVALID: &str = "invalid";

impl CoreMetrics {
    pub(crate) fn new() -> Self {
        let accepted = |how| counter!("trellis_events_accepted_total", "how" => how);
        let query = |verb| histogram!("trellis_query_seconds", "verb" => verb);
        CoreMetrics {
            messages: VERBS.map(|verb| (verb, counter!("trellis_messages_total", "verb" => verb))),
            stored: accepted("stored"),
            ephemeral: accepted("ephemeral"),
            duplicates: counter!("trellis_events_duplicate_total"),
            live_deliveries: counter!("trellis_live_deliveries_total"),
            stored_deliveries: counter!("trellis_stored_deliveries_total"),
            connections: gauge!("trellis_connections"),
            outbox_bytes: gauge!("trellis_outbox_bytes"),
            commit_events: histogram!("trellis_commit_events"),
            commit_seconds: histogram!("trellis_commit_seconds"),
            req_seconds: query("REQ"),
            count_seconds: query("COUNT"),
            neg_open_seconds: query("NEG-OPEN"),
        }
    }

    /// Counts a message of a client.
    pub(crate) fn message(&self, verb: &str) {
        let found = self.messages.iter().find(|(known, _)| *known == verb);
        if let Some((_, counter)) = found {
            counter.increment(1);
        }
    }
}
