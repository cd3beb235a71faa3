//! What page, alerts and mirror count: names, labels and meanings, beside those of the fleet itself (`watch`).
//!
//! Invariant: labels are of a fixed set, but for the place of a webhook in the configuration. `docs/metrics.md` holds the
//! table, and a test compares them.

use crate::alerts::{Kind as AlertKind, Turn};
use metrics::{counter, gauge};
use trellis_relay::metrics::{Described, Kind};

/// Every metric of these parts, by name.
#[rustfmt::skip]
pub(crate) const TABLE: &[Described] = &[
    Described::new(Kind::Gauge, ALERTS_OPEN, &["kind"], "Alerts that hold, by kind."),
    Described::new(Kind::Counter, ALERTS, &["kind", "status"], "Alerts that began (`firing`) or ended (`resolved`), by kind: `failed_action`, `no_quorum`, `missed_deadline`, `conflict`, `unauthorised`, `silent_node`, `peer_down`, `database_down`."),
    Described::new(Kind::Gauge, LISTENERS, &[], "Open pages and others that listen for changes."),
    Described::new(Kind::Counter, LISTENERS_REFUSED, &[], "Who wanted to listen for changes and found no place (`max_listeners`)."),
    Described::new(Kind::Counter, MIRROR_FAILURES, &[], "Attempts to write to the mirror that failed."),
    Described::new(Kind::Counter, MIRROR_ROWS, &["table"], "Rows that are new in the mirror, by table: `signals`, `acks`, `log`."),
    Described::new(Kind::Gauge, MIRROR_UP, &[], "1 while the mirror's database takes what is written, 0 while it does not."),
    Described::new(Kind::Counter, WEBHOOKS, &["result"], "Messages to webhooks: `delivered`, `failed` (tried again later), `given_up`."),
    Described::new(Kind::Gauge, WEBHOOKS_WAITING, &["webhook"], "Messages that wait for a webhook, by its place in the configuration from 1."),
];

const ALERTS: &str = "qube_coordination_alerts_total";
const ALERTS_OPEN: &str = "qube_coordination_alerts_open";
const LISTENERS: &str = "qube_coordination_listeners";
const LISTENERS_REFUSED: &str = "qube_coordination_listeners_refused_total";
const MIRROR_FAILURES: &str = "qube_coordination_mirror_failures_total";
const MIRROR_ROWS: &str = "qube_coordination_mirror_rows_total";
const MIRROR_UP: &str = "qube_coordination_mirror_up";
const WEBHOOKS: &str = "qube_coordination_webhooks_total";
const WEBHOOKS_WAITING: &str = "qube_coordination_webhooks_waiting";

/// An alert began or ended.
pub(crate) fn alert(kind: AlertKind, turn: Turn) {
    counter!(ALERTS, "kind" => kind.name(), "status" => turn.name()).increment(1);
}

/// Alerts of these kinds hold.
pub(crate) fn open_alerts(open: impl Iterator<Item = AlertKind>) {
    let mut counts = AlertKind::ALL.map(|kind| (kind, 0_u32));
    for kind in open {
        if let Some((_, count)) = counts.iter_mut().find(|(it, _)| *it == kind) {
            *count += 1;
        }
    }
    for (kind, count) in counts {
        gauge!(ALERTS_OPEN, "kind" => kind.name()).set(f64::from(count));
    }
}

/// So many listen.
pub(crate) fn listeners(count: usize) {
    gauge!(LISTENERS).set(count as f64);
}

/// One more found no place.
pub(crate) fn listener_refused() {
    counter!(LISTENERS_REFUSED).increment(1);
}

/// An attempt to write to the mirror came to this.
pub(crate) fn mirror(is_up: bool) {
    gauge!(MIRROR_UP).set(if is_up { 1.0 } else { 0.0 });
    if !is_up {
        counter!(MIRROR_FAILURES).increment(1);
    }
}

/// Rows are new in a table of the mirror.
pub(crate) fn mirrored(table: &'static str, rows: u64) {
    if rows > 0 {
        counter!(MIRROR_ROWS, "table" => table).increment(rows);
    }
}

/// Messages to a webhook: `delivered`, `failed` or `given_up`.
pub(crate) fn webhook(result: &'static str, count: u64) {
    counter!(WEBHOOKS, "result" => result).increment(count);
}

/// So many wait for the webhook at this place.
pub(crate) fn webhook_waiting(place: usize, count: usize) {
    gauge!(WEBHOOKS_WAITING, "webhook" => place.to_string()).set(count as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q15_the_page_of_documentation_has_these_as_well() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        let page = include_str!("../../../docs/metrics.md");
        let is_ours = |line: &&str| {
            TABLE
                .iter()
                .any(|it| line.contains(&format!("`{}`", it.name)))
        };
        let rows: Vec<&str> = page.lines().filter(is_ours).collect();
        let table: Vec<String> = TABLE.iter().map(ToString::to_string).collect();
        assert_eq!(rows, table);
    }
}
