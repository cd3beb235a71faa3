//! What needs a person: what it is about, and that it began or ended.

use serde::{Deserialize, Serialize};
use trellis_qube_protocol::Digest;

/// Something that holds and needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alert {
    pub(crate) kind: Kind,
    /// On which network, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<String>,
    /// What exactly it is about: the key of an action, a version, a node, a host. Together with kind and network it is what
    /// makes two alerts the same.
    pub(crate) subject: String,
    /// For people.
    pub(crate) summary: String,
}

impl Alert {
    /// The same for the same kind, network and subject: 32 hex digits.
    pub(crate) fn id(&self) -> String {
        let network = self.network.as_deref().unwrap_or_default();
        let named = [self.kind.name(), network, &self.subject].join("\n");
        let mut id = Digest::of(named.as_bytes()).to_string();
        id.truncate(32);
        id
    }
}

/// Kinds of alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Nodes report that they failed at an action.
    FailedAction,
    /// Too few developers agreed in time.
    NoQuorum,
    /// Enough agreed, and at the deadline not all nodes were done.
    MissedDeadline,
    /// One version is signed with more than one hash, or one reboot with more than one genesis hash.
    Conflict,
    /// Somebody signed who may not.
    Unauthorised,
    /// A node does not report any more.
    SilentNode,
    /// Another relay of the fleet does not answer.
    PeerDown,
    /// The mirror's database does not answer.
    DatabaseDown,
}

impl Kind {
    pub(crate) const ALL: [Kind; 8] = [
        Kind::FailedAction,
        Kind::NoQuorum,
        Kind::MissedDeadline,
        Kind::Conflict,
        Kind::Unauthorised,
        Kind::SilentNode,
        Kind::PeerDown,
        Kind::DatabaseDown,
    ];

    /// Whether nodes begin and end it by what they report.
    pub(crate) fn is_of_reports(self) -> bool {
        matches!(self, Kind::FailedAction | Kind::MissedDeadline)
    }

    /// Whether it is that something is not there: a vote or a report.
    pub(crate) fn is_of_absence(self) -> bool {
        matches!(
            self,
            Kind::NoQuorum | Kind::MissedDeadline | Kind::SilentNode
        )
    }

    /// As it is serialized.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::FailedAction => "failed_action",
            Kind::NoQuorum => "no_quorum",
            Kind::MissedDeadline => "missed_deadline",
            Kind::Conflict => "conflict",
            Kind::Unauthorised => "unauthorised",
            Kind::SilentNode => "silent_node",
            Kind::PeerDown => "peer_down",
            Kind::DatabaseDown => "database_down",
        }
    }

    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Kind::FailedAction => "Failed action",
            Kind::NoQuorum => "No quorum",
            Kind::MissedDeadline => "Missed deadline",
            Kind::Conflict => "Conflict",
            Kind::Unauthorised => "Unauthorised attempt",
            Kind::SilentNode => "Silent node",
            Kind::PeerDown => "Peer down",
            Kind::DatabaseDown => "Database down",
        }
    }
}

/// What an alert does in one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Turn {
    Firing,
    Resolved,
}

impl Turn {
    /// As it is serialized.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Turn::Firing => "firing",
            Turn::Resolved => "resolved",
        }
    }
}

/// That an alert began or ended: a row of the log, and what webhooks are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct News {
    /// Grows by one with each.
    pub(crate) seq: u64,
    /// The alert's, the same at its beginning and at its end.
    pub(crate) id: String,
    pub(crate) status: Turn,
    #[serde(flatten)]
    pub(crate) alert: Alert,
    /// When it began. Seconds since 1970.
    pub(crate) since: u64,
    /// When it began or ended.
    pub(crate) at: u64,
}
