//! A node's report as an event (kind 3333), read strictly (rule Q4).

use crate::tag_set::{TagSet, read, read_number};
use crate::{
    ADDRESS, ActionKind, EventId, Fields, KIND_ACK, KIND_SIGNAL, MAX_AHEAD_S, MAX_ERROR_BYTES,
    MAX_REPORT_DELAY_S, NetworkId, NodeId, Pubkey, TagError, Version,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A report as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ack {
    /// The event's.
    pub id: EventId,
    /// The key of the node.
    pub node: Pubkey,
    /// When it was signed, as the node says. Unix seconds.
    pub created_at: u64,
    /// What is reported.
    #[serde(flatten)]
    pub report: Report,
    /// For people.
    pub content: String,
}

/// What a node reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whose directive it acted on.
    pub developer: Pubkey,
    /// For which network.
    pub network: NetworkId,
    /// Which version.
    pub version: Version,
    /// What was done.
    pub action: ActionKind,
    /// How it went.
    #[serde(flatten)]
    pub status: Status,
    /// How the node's operator calls it.
    pub node_id: NodeId,
    /// When it was done. Unix seconds.
    pub action_at: u64,
}

/// How an action went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Status {
    /// It was done.
    Success,
    /// It was not done.
    Failure {
        /// Why.
        error: String,
    },
}

/// How an action went, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusKind {
    /// It was done.
    Success,
    /// It was not done.
    Failure,
}

impl Status {
    /// In one word.
    pub fn kind(&self) -> StatusKind {
        match self {
            Self::Success => StatusKind::Success,
            Self::Failure { .. } => StatusKind::Failure,
        }
    }

    /// What went wrong.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Success => None,
            Self::Failure { error } => Some(error),
        }
    }
}

impl StatusKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

impl fmt::Display for StatusKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why an event is no report, in words for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    /// Another kind.
    #[error("a report is of kind {KIND_ACK}")]
    Kind,
    /// A tag or the content.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// A time that cannot be.
    #[error("the tag `action_at` is {action_at}: {problem}")]
    ActionAt {
        /// What was found.
        action_at: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A clock that is wrong.
    #[error("`created_at` is {created_at}: at most {MAX_AHEAD_S} seconds ahead of {now_s}")]
    Ahead {
        /// What was found.
        created_at: u64,
        /// What time it is.
        now_s: u64,
    },
}

impl Ack {
    /// Reads an event. Its signature is the caller's to check; time is [`Ack::check_time`]'s.
    pub fn parse(fields: &Fields<'_>) -> Result<Self, AckError> {
        if fields.kind != KIND_ACK {
            return Err(AckError::Kind);
        }
        let tags = TagSet::bounded(&fields.tags, fields.content)?;
        let developer = developer(tags)?;
        let action_at = tags.required("action_at")?;
        Ok(Self {
            id: EventId::from_bytes(fields.id),
            node: Pubkey::from_bytes(fields.pubkey),
            created_at: fields.created_at,
            report: Report {
                developer,
                network: read("network", tags.required("network")?)?,
                version: read("version", tags.required("version")?)?,
                action: read("action", tags.required("action")?)?,
                status: status(tags)?,
                node_id: read("node_id", tags.required("node_id")?)?,
                action_at: read_number("action_at", action_at, "a time in Unix seconds")?,
            },
            content: fields.content.to_owned(),
        })
    }

    /// Whether a new report's times can be: signed by now, and within a week after the action.
    pub fn check_time(&self, now_s: u64) -> Result<(), AckError> {
        let action_at = self.report.action_at;
        if self.created_at > now_s.saturating_add(MAX_AHEAD_S) {
            let created_at = self.created_at;
            return Err(AckError::Ahead { created_at, now_s });
        }
        let problem = match action_at {
            at if at > self.created_at.saturating_add(MAX_AHEAD_S) => "after the report was signed",
            at if at.saturating_add(MAX_REPORT_DELAY_S) < self.created_at => {
                "more than a week before the report was signed"
            }
            _ => return Ok(()),
        };
        Err(AckError::ActionAt { action_at, problem })
    }

    /// Newest last: by the time of signing, then by id.
    pub(crate) fn order(&self) -> (u64, EventId) {
        (self.created_at, self.id)
    }
}

/// Whose directive `a` names; `p`, where it stands, names the same.
fn developer(tags: TagSet<'_, '_>) -> Result<Pubkey, TagError> {
    let wrong = || {
        let form = format!("not {KIND_SIGNAL}:<public key in hex>:{ADDRESS}");
        TagError::value("a", form)
    };
    let address = tags.required_with_hint("a")?;
    let parts: Vec<&str> = address.splitn(3, ':').collect();
    let [kind, key, address] = parts[..] else {
        return Err(wrong());
    };
    if kind.parse() != Ok(KIND_SIGNAL) || address != ADDRESS || key.len() != 64 {
        return Err(wrong());
    }
    let developer: Pubkey = read("a", key)?;
    match tags.single("p")? {
        Some([mentioned, ..]) if *mentioned != key => {
            Err(TagError::value("p", "not the developer whom `a` names"))
        }
        _ => Ok(developer),
    }
}

fn status(tags: TagSet<'_, '_>) -> Result<Status, TagError> {
    let error = tags.optional("error")?;
    match (tags.required("status")?, error) {
        ("success", None) => Ok(Status::Success),
        ("success", Some(_)) => Err(TagError::Misplaced {
            tag: "error",
            why: "the status is `success`",
        }),
        ("failure", None) => Err(TagError::Missing("error")),
        ("failure", Some(error)) if error.is_empty() || error.len() > MAX_ERROR_BYTES => {
            let bounds = format!("1 to {MAX_ERROR_BYTES} bytes say what went wrong");
            Err(TagError::value("error", bounds))
        }
        ("failure", Some(error)) => Ok(Status::Failure {
            error: error.to_owned(),
        }),
        _ => Err(TagError::value("status", "it is `success` or `failure`")),
    }
}
