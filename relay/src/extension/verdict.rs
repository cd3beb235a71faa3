//! What hooks are asked and what they may answer.
//!
//! Invariant: every "no" that reaches a client is a [`Reason`]; a [`super::HookError`] is logged and never sent.

use super::viewer::Viewer;
use crate::event::Event;
use crate::filter::Filter;
use crate::reason::Reason;
use std::sync::Arc;

/// The answer of `admit` and `admit_async`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admit {
    /// This hook has nothing against the event.
    Accept,
    /// `OK false` with this reason.
    Reject(Reason),
    /// `OK true`, but the event is neither stored nor delivered.
    Shadow,
}

/// The answer of `commit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Commit the event, and this hook's rows with it.
    Accept,
    /// `OK false` with this reason; nothing is written. A request to vanish (NIP-62, kind 62) that is addressed to this
    /// relay is stored all the same, without this hook's rows.
    Veto(Reason),
}

/// The answer of `guard_removal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The event may go.
    Allow,
    /// The event stays.
    Keep,
}

/// The answer of `request` and `request_async`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Go on with the filter, narrowed or not.
    Allow,
    /// CLOSED (or NEG-ERR) with this reason.
    Close(Reason),
}

/// What the client wants to do with a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// REQ: stored events, then live ones.
    Req,
    /// COUNT (NIP-45).
    Count,
    /// NEG-OPEN (NIP-77).
    Neg,
}

/// What a session tells `session` hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionNote {
    /// The connection is open. An instance that is new is told so of the connections that were there before it.
    Connected,
    /// One more public key has authenticated (NIP-42), or those of a connection that was there before; the viewer has
    /// them already.
    Authenticated,
    /// The connection is gone. Comes exactly once for each `Connected`.
    Closed,
}

/// What `admit_async` is asked; owned, because the answer may outlive the session that waits for it.
#[derive(Clone, Debug)]
pub struct AdmitRequest {
    /// An event that passed the core's checks.
    pub event: Arc<Event>,
    /// Who sent it.
    pub viewer: Arc<Viewer>,
}

/// What `request_async` is asked.
#[derive(Clone, Debug)]
pub struct AccessRequest {
    /// Of this look at this filter, the same for all hooks; [`Narrow::request_id`](super::Narrow::request_id) says it in
    /// the `request` that follows. Never used again while the process runs.
    pub request_id: u64,
    /// Who asks.
    pub viewer: Arc<Viewer>,
    /// What for.
    pub verb: Verb,
    /// Whether this is about a subscription that is open and is looked at again, to which no stored events are sent.
    pub is_again: bool,
    /// The client's own filter; narrowing it is for `request`, which runs afterwards.
    pub filter: Arc<Filter>,
}

impl From<Reason> for Admit {
    fn from(reason: Reason) -> Self {
        Admit::Reject(reason)
    }
}

impl From<Reason> for Commit {
    fn from(reason: Reason) -> Self {
        Commit::Veto(reason)
    }
}

impl From<Reason> for Access {
    fn from(reason: Reason) -> Self {
        Access::Close(reason)
    }
}

/// A reason is a no; none is a yes.
impl From<Option<Reason>> for Admit {
    fn from(reason: Option<Reason>) -> Self {
        reason.map_or(Admit::Accept, Admit::Reject)
    }
}

/// A reason is a no; none is a yes.
impl From<Option<Reason>> for Commit {
    fn from(reason: Option<Reason>) -> Self {
        reason.map_or(Commit::Accept, Commit::Veto)
    }
}

/// A reason is a no; none is a yes.
impl From<Option<Reason>> for Access {
    fn from(reason: Option<Reason>) -> Self {
        reason.map_or(Access::Allow, Access::Close)
    }
}
