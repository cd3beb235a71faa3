//! What the core counts: the names, labels and meanings of its metrics, and the handles of those on hot paths.
//!
//! Invariant: no label holds a public key, an address, an id or a group, so the number of series is bounded by the
//! configuration. `docs/metrics.md` holds this table, and a test compares them. Not here: `/metrics`, which is `http`'s.

mod handles;

pub(crate) use handles::{CoreMetrics, INVALID};

use std::fmt;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, and begins at 0 when the process does.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts of values in buckets.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// As Prometheus sees it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

type Text = &'static str;

impl Described {
    /// A row of a table of metrics: what it is, its name, its labels, and what it says in a sentence.
    pub const fn new(kind: Kind, name: Text, labels: &'static [Text], help: Text) -> Self {
        Described {
            name,
            kind,
            labels,
            help,
        }
    }
}

const fn counter(name: Text, labels: &'static [Text], help: Text) -> Described {
    Described::new(Kind::Counter, name, labels, help)
}

const fn gauge(name: Text, labels: &'static [Text], help: Text) -> Described {
    Described::new(Kind::Gauge, name, labels, help)
}

const fn histogram(name: Text, labels: &'static [Text], help: Text) -> Described {
    Described::new(Kind::Histogram, name, labels, help)
}

/// Every metric of the core, by name.
#[rustfmt::skip]
pub const TABLE: &[Described] = &[
    counter("trellis_auth_failures_total", &["reason"], "Answers to AUTH challenges that were refused, by the prefix of the reason."),
    counter("trellis_backup_bytes_total", &["of"], "Bytes that were brought to the backup's place: `segment`, `snapshot`, `file` or `blob`."),
    counter("trellis_backup_failures_total", &[], "Times that the backup could not go on, and tried again later."),
    gauge("trellis_backup_lag_rows", &[], "Rows that are committed and were not in the backup when it last looked."),
    gauge("trellis_backup_last_snapshot_timestamp_seconds", &[], "When everything was last copied anew. Seconds since 1970."),
    gauge("trellis_backup_last_success_timestamp_seconds", &[], "When everything that was committed was last in the backup. Seconds since 1970."),
    counter("trellis_backup_segments_total", &[], "Segments that were brought to the backup's place."),
    gauge("trellis_build_info", &["version"], "Always 1; the label says which version runs."),
    histogram("trellis_commit_events", &[], "Writes in one commit."),
    counter("trellis_commit_failures_total", &[], "Batches that the store could not commit; nothing of them was answered OK."),
    histogram("trellis_commit_seconds", &[], "Time of one commit, hooks and fsync included."),
    gauge("trellis_connections", &[], "Open WebSocket connections."),
    gauge("trellis_connections_max", &[], "`network.max_connections`."),
    counter("trellis_connections_refused_total", &["reason"], "Handshakes that were refused: `relay_full` (`network.max_connections`), `address_full` (`network.max_connections_per_ip`), `blocked` (an address that the operator blocked), `rate_limited`."),
    counter("trellis_disconnections_total", &["reason"], "Connections that ended: `gone` (by the client), `idle`, `lifetime` (`network.connection_lifetime`), `protocol`, `shutdown`, `too_big`, `too_slow` (a client that did not read), `blocked` (an address that the operator blocked), `rate_limited` (too many bytes)."),
    counter("trellis_ephemeral_dropped_total", &[], "Ephemeral events that one worker did not get because its inbox was full."),
    counter("trellis_events_accepted_total", &["how"], "Events answered OK: `stored`, `ephemeral`, or `silent` (taken by an extension and not stored)."),
    counter("trellis_events_duplicate_total", &[], "Events that were stored already."),
    counter("trellis_events_rejected_total", &["reason"], "Events answered OK false, by the prefix of the reason."),
    counter("trellis_extension_busy_total", &["extension", "hook"], "Calls that were refused because `max_concurrent` others were under way for as long as their timeout."),
    counter("trellis_extension_faults_total", &["extension", "hook"], "Calls of a hook that panicked, failed, hung, overran, or answered more than may leave the relay. `hook` is also `reload`, `health`, `back_up`, `back_up_blobs`, `shutdown` or `drop` where those of an instance are at fault."),
    gauge("trellis_extension_health", &["extension", "state"], "1 for the state that the extension is in: `ok`, `degraded`, `down` or `off`; 0 for the others."),
    counter("trellis_extension_hook_calls_total", &["extension", "hook"], "Calls of a hook. What asks whether `admit_async_if` is needed is none, nor is a test of `retain_events`."),
    histogram("trellis_extension_hook_seconds", &["extension", "hook"], "Time of a call: of every asynchronous one, and of one in 16 of the others."),
    counter("trellis_extension_restarts_total", &["extension"], "Times that an extension's task was started again."),
    histogram("trellis_http_request_seconds", &["route", "code"], "Time of one HTTP request until its answer began, WebSocket handshakes not included. `route` is a page of the core, the mount of an extension, or `none`."),
    gauge("trellis_in_flight_bytes", &[], "Bytes of events between their admission and the end of their fan-out."),
    counter("trellis_live_deliveries_total", &[], "Events sent to live subscriptions."),
    counter("trellis_messages_total", &["verb"], "Messages of clients by verb; `invalid` where none could be read."),
    gauge("trellis_negentropy_items", &[], "Events in the sets that are being reconciled (NIP-77), 40 bytes each."),
    counter("trellis_outbound_requests_total", &["extension", "outcome"], "HTTP requests of an extension to other servers: `answered`, whatever the status; `refused` (an address that is private, or a bad redirect or URL), `busy`, `timeout`, `too_large`, `failed`, or `dropped` by the extension before the answer was there."),
    gauge("trellis_outbox_bytes", &[], "Bytes that wait for clients to read, all connections together; each looked at once a second or more often."),
    histogram("trellis_query_seconds", &["verb"], "Time in the store of one finished REQ, COUNT or NEG-OPEN, without waiting for the client."),
    counter("trellis_rate_limited_total", &["rule"], "Messages or connections refused by a rule of `[rate_limiter]`, by its name."),
    counter("trellis_removals_total", &["cause"], "Events removed otherwise than by their authors: `expiry`, `vanish`, `retention`, `admin`."),
    gauge("trellis_start_time_seconds", &[], "When the relay started, in seconds since 1970."),
    gauge("trellis_store_events", &[], "Events stored."),
    gauge("trellis_store_full", &[], "1 while writes are refused because the quota or the disk is full."),
    gauge("trellis_store_quota_bytes", &[], "Bytes that the store may use; 0 where nothing bounds it."),
    gauge("trellis_store_used_bytes", &[], "Bytes that the store uses."),
    counter("trellis_stored_deliveries_total", &[], "Events sent in answer to the stored part of a REQ."),
];

/// Buckets of times, in seconds.
pub(crate) const SECONDS_BUCKETS: [f64; 12] = [
    0.000_01, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

/// Buckets of `trellis_commit_events`.
pub(crate) const BATCH_BUCKETS: [f64; 7] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 2_048.0];

/// Tells the recorder what these metrics mean: the table of an extension, when it is built.
pub fn describe(table: &[Described]) {
    for metric in table {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        })
    }
}

/// The row of `docs/metrics.md`.
impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Described {
            name, kind, help, ..
        } = self;
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        write!(f, "| `{name}` | {kind} | {} | {help} |", labels.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c25_names_are_sorted_and_say_what_they_are() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        for metric in TABLE {
            assert!(metric.name.starts_with("trellis_"), "{metric}");
            let is_total = metric.name.ends_with("_total");
            assert_eq!(is_total, metric.kind == Kind::Counter, "{metric}");
        }
    }

    #[test]
    fn c25_no_label_names_anybody() {
        let allowed = [
            "cause",
            "code",
            "extension",
            "hook",
            "how",
            "of",
            "outcome",
            "reason",
            "route",
            "rule",
            "state",
            "verb",
            "version",
        ];
        for metric in TABLE {
            for label in metric.labels {
                assert!(allowed.contains(label), "{metric}");
            }
        }
    }

    #[test]
    fn c25_the_page_of_documentation_is_this_table() {
        let page = include_str!("../../docs/metrics.md");
        for metric in TABLE {
            let row = metric.to_string();
            assert!(
                page.contains(&row),
                "docs/metrics.md lacks this row:\n{row}"
            );
        }
        let known = |row: &&str| {
            let name = row.split('`').nth(1).unwrap_or_default();
            TABLE.iter().all(|metric| metric.name != name)
        };
        // Those of extensions stand below, and are compared there.
        let page = page.split("## Of extensions").next().unwrap_or_default();
        let rows = page.lines().filter(|line| line.starts_with("| `trellis_"));
        assert_eq!(rows.filter(known).collect::<Vec<_>>(), [""; 0]);
    }
}
