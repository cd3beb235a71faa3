//! What is counted, for operators.
//!
//! Invariant: no label holds a key, an id or a group. `docs/metrics.md` holds the table, and a test compares them.

use metrics::{counter, gauge};
use trellis_relay::metrics::{Described, Kind};

/// Every metric of the extension, by name.
#[rustfmt::skip]
pub(crate) const TABLE: &[Described] = &[
    Described::new(Kind::Counter, ANSWERS, &["to"], "Requests that the relay answered with a moderation event of its own: `create`, `join`, `leave`."),
    Described::new(Kind::Counter, FOLLOWED, &[], "Moderation events of which memory has learnt."),
    Described::new(Kind::Gauge, GROUPS, &[], "Groups that there are, without those that were deleted."),
    Described::new(Kind::Counter, HIDDEN, &[], "Times that an event was kept from a viewer."),
    Described::new(Kind::Gauge, MEMBERS, &[], "Members of all groups together; who is in two counts twice."),
    Described::new(Kind::Counter, REFUSED, &["stage"], "What was refused: events early (`admit`) or in their transaction (`commit`), requests (`request`)."),
    Described::new(Kind::Counter, REMOVED, &[], "Events that were removed because a moderator deleted them or their group."),
    Described::new(Kind::Counter, SAID, &[], "Events about groups that the relay signed (kinds 39000 to 39005)."),
];

const ANSWERS: &str = "groups_answers_total";
const FOLLOWED: &str = "groups_followed_total";
const GROUPS: &str = "groups_groups";
const HIDDEN: &str = "groups_hidden_total";
const MEMBERS: &str = "groups_members";
const REFUSED: &str = "groups_refused_total";
const REMOVED: &str = "groups_removed_total";
const SAID: &str = "groups_said_total";

/// Where something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Admit,
    Commit,
    Request,
}

/// Something was refused.
pub(crate) fn refused(stage: Refused) {
    let stage = match stage {
        Refused::Admit => "admit",
        Refused::Commit => "commit",
        Refused::Request => "request",
    };
    counter!(REFUSED, "stage" => stage).increment(1);
}

/// An event was kept from so many viewers.
pub(crate) fn hidden(viewers: u64) {
    counter!(HIDDEN).increment(viewers);
}

/// The relay answered a request of this kind.
pub(crate) fn answered(to: &'static str) {
    counter!(ANSWERS, "to" => to).increment(1);
}

/// Memory has learnt of a moderation event.
pub(crate) fn followed() {
    counter!(FOLLOWED).increment(1);
}

/// An event was removed.
pub(crate) fn removed() {
    counter!(REMOVED).increment(1);
}

/// The relay signed an event about a group.
pub(crate) fn said() {
    counter!(SAID).increment(1);
}

/// There are so many groups and members.
pub(crate) fn sizes((groups, members): (usize, usize)) {
    gauge!(GROUPS).set(groups as f64);
    gauge!(MEMBERS).set(members as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g4_the_page_of_documentation_is_the_table_of_metrics() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        let page = include_str!("../../../docs/metrics.md");
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `groups_"))
            .collect();
        let table: Vec<String> = TABLE.iter().map(ToString::to_string).collect();
        assert_eq!(rows, table);
    }
}
