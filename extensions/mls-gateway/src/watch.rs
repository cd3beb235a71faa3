//! What is counted, for operators: the names, labels and meanings of the gateway's metrics.
//!
//! Invariant: no label holds a key, an address, an id or a group, so the number of series is bounded by this file.
//! `docs/metrics.md` holds the table, and a test compares them. Histograms have the core's buckets of seconds.

use crate::kinds::{
    self, ADDRESSABLE_KEY_PACKAGE, GIFT_WRAP, GROUP_MESSAGE, KEY_PACKAGE, KEY_PACKAGE_REQUEST,
    NOISE_MESSAGE, ROSTER, WELCOME,
};
use crate::storage::LetterBox;
use metrics::{Counter, counter, histogram};
use std::future::Future;
use std::time::Instant;
use trellis_relay::extension::Verb;
use trellis_relay::metrics::{Described, Kind};

/// Every metric of the gateway, by name.
#[rustfmt::skip]
pub(crate) const TABLE: &[Described] = &[
    Described::new(Kind::Histogram, DATABASE, &["operation"], "Time of one operation on the gateway's database, by what it was for."),
    Described::new(Kind::Counter, DENIED, &["kind", "verb"], "What was asked for and not given: requests that were closed by `req`, `count`, `neg` or `rest`, and single events that were hidden from a viewer (`deliver`)."),
    Described::new(Kind::Counter, ERRORS_BY_STAGE, &["stage"], "What went wrong inside the gateway, by what it was doing: `admit`, `request`, `deliver`, `membership`, `archive`, `refill`, `sweep`, `rest`."),
    Described::new(Kind::Counter, ERRORS, &["kind"], "The same by the kind of the event that it was about; `none` where it was about none. Refusals are not errors."),
    Described::new(Kind::Counter, EVENTS, &["kind"], "Events of the gateway's kinds that it found right."),
    Described::new(Kind::Counter, GROUPS, &[], "Groups that were made known, or of which the database was told a new epoch, time or words; of a time once a minute."),
    Described::new(Kind::Counter, CONSUMED, &[], "KeyPackages that were used up: by a read, an acknowledgement, or their owner's deletion."),
    Described::new(Kind::Counter, STORED, &[], "KeyPackages that were taken into stock."),
    Described::new(Kind::Counter, DEPOSITS, &["box"], "Letters put into a mailbox: `keypackages` or `welcomes`."),
    Described::new(Kind::Counter, EXPIRED, &["box"], "Letters that were removed because their time was over and that nobody had acknowledged."),
    Described::new(Kind::Counter, PICKUPS, &["box"], "Letters handed to their recipients."),
    Described::new(Kind::Counter, MEMBERSHIPS, &[], "Rosters that were written."),
    Described::new(Kind::Counter, CIPHERSUITES, &[], "KeyPackages that came with a ciphersuite of which RFC 9420 knows nothing."),
];

const DATABASE: &str = "mls_gateway_db_operation_duration_seconds";
const DENIED: &str = "mls_gateway_delivery_denied_total";
const ERRORS_BY_STAGE: &str = "mls_gateway_errors_by_stage_total";
const ERRORS: &str = "mls_gateway_errors_total";
const EVENTS: &str = "mls_gateway_events_processed_total";
const GROUPS: &str = "mls_gateway_groups_updated_total";
const CONSUMED: &str = "mls_gateway_keypackages_consumed_total";
const STORED: &str = "mls_gateway_keypackages_stored_total";
const DEPOSITS: &str = "mls_gateway_mailbox_deposits_total";
const EXPIRED: &str = "mls_gateway_mailbox_expired_total";
const PICKUPS: &str = "mls_gateway_mailbox_pickups_total";
const CIPHERSUITES: &str = "mls_gateway_unknown_ciphersuites_total";
const MEMBERSHIPS: &str = "mls_gateway_membership_updates_total";

/// What the gateway was doing when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Judging an event that came.
    Admit,
    /// Judging what a client asked for.
    Request,
    /// Judging what a client may see.
    Deliver,
    /// Finding out who belongs to a group.
    Membership,
    /// Archiving messages.
    Archive,
    /// Bringing archived messages back.
    Refill,
    /// Removing what has expired, and looking at the stock.
    Sweep,
    /// Answering over HTTP.
    Rest,
}

impl Stage {
    const fn label(self) -> &'static str {
        match self {
            Stage::Admit => "admit",
            Stage::Request => "request",
            Stage::Deliver => "deliver",
            Stage::Membership => "membership",
            Stage::Archive => "archive",
            Stage::Refill => "refill",
            Stage::Sweep => "sweep",
            Stage::Rest => "rest",
        }
    }
}

/// The way out on which something was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WayOut {
    /// A message of a client.
    Verb(Verb),
    /// A single event, on any way.
    Deliver,
    /// HTTP.
    Rest,
}

impl WayOut {
    const fn label(self) -> &'static str {
        match self {
            WayOut::Verb(Verb::Req) => "req",
            WayOut::Verb(Verb::Count) => "count",
            WayOut::Verb(Verb::Neg) => "neg",
            WayOut::Deliver => "deliver",
            WayOut::Rest => "rest",
        }
    }
}

/// Takes the time of one operation on the database.
pub(crate) async fn database<T>(operation: &'static str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let result = work.await;
    histogram!(DATABASE, "operation" => operation).record(begun.elapsed().as_secs_f64());
    result
}

/// Something was not given.
pub(crate) fn denied(kind: u16, way_out: WayOut) {
    counter!(DENIED, "kind" => kind_label(kind), "verb" => way_out.label()).increment(1);
}

/// Something of the gateway's own failed; a refusal is none.
pub(crate) fn failed(stage: Stage, kind: Option<u16>) {
    counter!(ERRORS_BY_STAGE, "stage" => stage.label()).increment(1);
    counter!(ERRORS, "kind" => kind.map_or("none", kind_label)).increment(1);
}

/// Counts the events that were found right. To look a counter up costs more than to check a message, so these are held.
pub(crate) struct Processed(Vec<(u16, Counter)>);

impl Processed {
    pub(crate) fn new() -> Self {
        let kinds = kinds::all();
        let counters = kinds
            .iter()
            .map(|kind| (kind, counter!(EVENTS, "kind" => kind_label(kind))));
        Processed(counters.collect())
    }

    /// An event of this kind, which is one of the gateway's.
    pub(crate) fn count(&self, kind: u16) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == kind) {
            counter.increment(1);
        }
    }
}

/// What is known of so many groups was written.
pub(crate) fn groups_updated(groups: usize) {
    counter!(GROUPS).increment(groups as u64);
}

/// A roster was written.
pub(crate) fn membership_updated() {
    counter!(MEMBERSHIPS).increment(1);
}

/// A KeyPackage is in stock.
pub(crate) fn package_stored() {
    counter!(STORED).increment(1);
}

/// A KeyPackage names a ciphersuite that nobody knows.
pub(crate) fn ciphersuite_unknown() {
    counter!(CIPHERSUITES).increment(1);
}

/// So many KeyPackages are used up.
pub(crate) fn packages_consumed(packages: usize) {
    counter!(CONSUMED).increment(packages as u64);
}

/// A letter lies in a mailbox.
pub(crate) fn deposited(letter_box: LetterBox) {
    counter!(DEPOSITS, "box" => box_label(letter_box)).increment(1);
}

/// So many letters were handed to their recipient.
pub(crate) fn picked_up(letter_box: LetterBox, letters: usize) {
    counter!(PICKUPS, "box" => box_label(letter_box)).increment(letters as u64);
}

/// So many letters were not acknowledged in time.
pub(crate) fn expired(letter_box: LetterBox, letters: u64) {
    counter!(EXPIRED, "box" => box_label(letter_box)).increment(letters);
}

const fn box_label(letter_box: LetterBox) -> &'static str {
    match letter_box {
        LetterBox::KeyPackages => "keypackages",
        LetterBox::Welcomes => "welcomes",
    }
}

const fn kind_label(kind: u16) -> &'static str {
    match kind {
        KEY_PACKAGE => "443",
        WELCOME => "444",
        GROUP_MESSAGE => "445",
        NOISE_MESSAGE => "446",
        KEY_PACKAGE_REQUEST => "447",
        ROSTER => "450",
        GIFT_WRAP => "1059",
        ADDRESSABLE_KEY_PACKAGE => "30443",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m33_the_page_of_documentation_is_this_table() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        let page = include_str!("../../../docs/metrics.md");
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `mls_gateway_"))
            .collect();
        let table: Vec<String> = TABLE.iter().map(ToString::to_string).collect();
        assert_eq!(rows, table);
    }
}
