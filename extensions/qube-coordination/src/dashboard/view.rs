//! What the page shows, as plain values: what is left of the fleet's state once it is chosen, sorted and counted.
//!
//! Invariant: nothing here is markup yet. Times are in seconds since 1970.

use trellis_qube_protocol::ActionStatus;

/// The whole page.
pub(super) struct FleetView {
    /// The relay's key, as hex.
    pub(super) relay: String,
    pub(super) now_s: u64,
    /// Another with each change; live pages ask for a new page then.
    pub(super) revision: String,
    pub(super) places: Places,
    pub(super) tally: Tally,
    pub(super) networks: Vec<NetworkView>,
    /// The one network that the page is about, where it is not about all.
    pub(super) chosen: Option<Chosen>,
    pub(super) open_alerts: Vec<AlertView>,
    pub(super) past_alerts: Vec<AlertView>,
}

/// Where things are.
pub(super) struct Places {
    pub(super) page: String,
    pub(super) api: String,
}

/// The whole fleet in numbers.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) networks: usize,
    pub(super) nodes: usize,
    /// With nothing wrong.
    pub(super) fine: usize,
    pub(super) overdue: usize,
    pub(super) failed: usize,
    pub(super) silent: usize,
}

impl Tally {
    /// Counts these as well.
    pub(super) fn add(&mut self, other: Tally) {
        self.networks += other.networks;
        self.nodes += other.nodes;
        self.fine += other.fine;
        self.overdue += other.overdue;
        self.failed += other.failed;
        self.silent += other.silent;
    }
}

/// What of one network is asked for.
pub(super) struct Chosen {
    pub(super) network: String,
    pub(super) search: String,
    pub(super) show: Show,
}

/// Which nodes are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Show {
    #[default]
    All,
    Attention,
    Overdue,
    Failed,
    Silent,
}

impl Show {
    pub(super) const ALL: [(Show, &'static str, &'static str); 5] = [
        (Show::All, "all", "All nodes"),
        (Show::Attention, "attention", "In need of attention"),
        (Show::Overdue, "overdue", "Overdue"),
        (Show::Failed, "failed", "Failed"),
        (Show::Silent, "silent", "Silent"),
    ];

    /// As a value of the query; what is not known shows everything.
    pub(super) fn of(name: &str) -> Show {
        let known = Show::ALL.iter().find(|(_, known, _)| *known == name);
        known.map_or(Show::All, |(show, _, _)| *show)
    }

    pub(super) fn name(self) -> &'static str {
        let known = Show::ALL.iter().find(|(show, _, _)| *show == self);
        known.map_or("all", |(_, name, _)| name)
    }
}

/// One network.
pub(super) struct NetworkView {
    pub(super) id: String,
    pub(super) quorum: usize,
    pub(super) developers: Vec<DeveloperView>,
    /// What is under way or proposed, most important first.
    pub(super) open: Vec<ActionView>,
    /// What is over, newest first.
    pub(super) history: Vec<ActionView>,
    pub(super) history_total: usize,
    pub(super) tally: Tally,
    pub(super) nodes: Vec<NodeView>,
    pub(super) page: PageOfNodes,
}

/// Which of the nodes are in a [`NetworkView`].
#[derive(Clone, Copy, Default)]
pub(super) struct PageOfNodes {
    /// From 1.
    pub(super) number: usize,
    pub(super) of: usize,
    /// The place of the first one, from 0.
    pub(super) first: usize,
    /// Of those that the search is about.
    pub(super) total: usize,
}

/// A developer, and what they want.
pub(super) struct DeveloperView {
    pub(super) pubkey: String,
    pub(super) vote: Option<VoteView>,
}

/// The vote that stands.
pub(super) struct VoteView {
    pub(super) title: String,
    pub(super) at_s: u64,
}

/// One action.
pub(super) struct ActionView {
    pub(super) key: String,
    /// `Upgrade to v1.2.3`
    pub(super) title: String,
    pub(super) status: ActionStatus,
    /// Its votes were taken back before it was due.
    pub(super) called_off: bool,
    pub(super) hash: String,
    pub(super) genesis_url: Option<String>,
    pub(super) required_by_s: Option<u64>,
    pub(super) first_at_s: u64,
    pub(super) quorum_at_s: Option<u64>,
    /// Of each developer of the network, in their order, whether they vote for it.
    pub(super) votes: Vec<bool>,
    /// Further wishes of votes, such as a share of the fleet.
    pub(super) options: Vec<String>,
    pub(super) success: usize,
    pub(super) failure: usize,
    pub(super) overdue: usize,
    /// Nodes that should report.
    pub(super) expected: usize,
}

/// The class of an action's badge, and its words.
pub(super) fn badge(status: ActionStatus, called_off: bool) -> (&'static str, &'static str) {
    match status {
        ActionStatus::Proposed => ("calm", "Proposed"),
        ActionStatus::Quorum => ("busy", "In progress"),
        ActionStatus::Completed => ("good", "Completed"),
        ActionStatus::PartiallyFailed => ("bad", "Partly failed"),
        ActionStatus::MissedDeadline => ("bad", "Deadline missed"),
        ActionStatus::Superseded if called_off => ("past", "Called off"),
        ActionStatus::Superseded => ("past", "Superseded"),
        ActionStatus::Expired => ("warn", "Expired"),
    }
}

/// One node.
pub(super) struct NodeView {
    pub(super) id: String,
    pub(super) pubkey: Option<String>,
    pub(super) version: Option<String>,
    pub(super) report: Option<ReportView>,
    /// The title of the action that it is late for.
    pub(super) overdue_for: Option<String>,
    pub(super) is_silent: bool,
}

/// The last that a node reported.
pub(super) struct ReportView {
    pub(super) at_s: u64,
    pub(super) about: String,
    /// What went wrong, where something did.
    pub(super) error: Option<String>,
}

/// An alert that is or was.
pub(super) struct AlertView {
    pub(super) kind: &'static str,
    pub(super) network: Option<String>,
    pub(super) summary: String,
    pub(super) since_s: u64,
    /// When it was over; nothing while it holds.
    pub(super) until_s: Option<u64>,
}
