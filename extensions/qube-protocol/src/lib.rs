//! Directives of a validator fleet, the quorum behind them and the reports on them: parsing and pure decisions.
//!
//! Developers sign directives (kind 33321), nodes act when a quorum of them agrees, and report (kind 3333).
//! `docs/extensions/qube-kinds.md` specifies both kinds. Everything here is a function of its arguments: no input or
//! output, no clock, nothing asynchronous. Relay, agents and tools come to the same answer because they ask here.

mod ack;
mod agreement;
pub mod chain;
pub mod decision;
mod directive;
mod fields;
mod ids;
mod key;
mod ledger;
mod names;
mod network;
pub mod replay;
pub mod rollout;
mod signal;
mod state;
mod tag_set;
pub mod tags;
#[cfg(test)]
mod tests;
mod version;

pub use ack::{Ack, AckError, Report, Status, StatusKind};
pub use directive::{Action, ActionKind, Condition, Directive, Options, Rollout};
pub use fields::{Fields, Unverified, verified};
pub use ids::{BadId, Digest, EventId, Pubkey};
pub use key::ActionKey;
pub use ledger::{AckRecord, IdentityRefusal, Ledger};
pub use names::{BadName, NetworkId, NodeId};
pub use network::{Identity, Network, NetworkError, VoteScope};
pub use signal::{Signal, SignalError};
pub use state::{
    ActionState, ActionStatus, Conflict, FleetState, LastAck, NetworkState, NodeState, Tally, Vote,
};
pub use tag_set::TagError;
pub use version::{BadVersion, Version};

/// The kind of a signed directive, addressable by [`ADDRESS`].
pub const KIND_SIGNAL: u16 = 33_321;
/// The kind of a node's report.
pub const KIND_ACK: u16 = 3_333;
/// The `d` tag of every directive: a developer has one address.
pub const ADDRESS: &str = "hyperqube";

/// The longest event of these kinds, as it is written. Bytes.
pub const MAX_EVENT_BYTES: usize = 16 << 10;
/// The most tags an event of these kinds has.
pub const MAX_TAGS: usize = 64;
/// The longest content of an event of these kinds, which is for people. Bytes.
pub const MAX_CONTENT_BYTES: usize = 4_096;
/// The longest `error` of a report. Bytes.
pub const MAX_ERROR_BYTES: usize = 1_024;
/// The longest `genesis_url`. Bytes.
pub const MAX_URL_BYTES: usize = 2_048;
/// The longest version. Bytes.
pub const MAX_VERSION_BYTES: usize = 64;
/// The most `condition` tags of a directive.
pub const MAX_CONDITIONS: usize = 8;
/// How far the clocks of those who sign may be ahead. Seconds.
pub const MAX_AHEAD_S: u64 = 900;
/// How far away the deadline of a new directive may be. Seconds.
pub const MAX_DEADLINE_S: u64 = 366 * 86_400;
/// How long after the action a report of it may be signed. Seconds.
pub const MAX_REPORT_DELAY_S: u64 = 7 * 86_400;
