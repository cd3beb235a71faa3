//! The code of a hook, by the moment at which it is called.

use super::super::audience::Audience;
use super::super::commit::CommitTx;
use super::super::failure::HookError;
use super::super::http::Scope;
use super::super::narrow::Narrow;
use super::super::verdict::{
    Access, AccessRequest, Admit, AdmitRequest, Commit, Removal, SessionNote, Verb,
};
use super::super::viewer::Viewer;
use super::Following;
use crate::event::Event;
use crate::store::{Cause, Change};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// What an author's code returns.
pub(in super::super) type Answer<T> = Result<T, HookError>;

type AdmitCall = dyn Fn(&Event, &Viewer) -> Answer<Admit> + Send + Sync;
type AdmitAsyncCall = dyn Fn(AdmitRequest) -> BoxFuture<'static, Answer<Admit>> + Send + Sync;
type NeedsCall = dyn Fn(&Event, &Viewer) -> bool + Send + Sync;
type CommitCall = dyn Fn(&Event, &mut CommitTx<'_>) -> Answer<Commit> + Send + Sync;
type RemovalCall = dyn Fn(&Event, Cause) -> Answer<Removal> + Send + Sync;
type StoredCall = dyn Fn(Arc<[Change]>) -> BoxFuture<'static, Answer<()>> + Send + Sync;
type RequestCall = dyn Fn(&Viewer, Verb, &mut Narrow<'_>) -> Answer<Access> + Send + Sync;
type RequestAsyncCall = dyn Fn(AccessRequest) -> BoxFuture<'static, Answer<Access>> + Send + Sync;
type DeliverCall = dyn Fn(&Event, &mut Audience<'_>) -> Answer<()> + Send + Sync;
type SessionCall = dyn Fn(SessionNote, &Viewer) -> Answer<()> + Send + Sync;
type Nip11Call = dyn Fn(&mut Map<String, Value>) -> Answer<()> + Send + Sync;
type RpcCall = dyn Fn(Vec<Value>) -> BoxFuture<'static, Result<Value, String>> + Send + Sync;
type CommandCall = dyn Fn(Vec<String>) -> BoxFuture<'static, Result<String, String>> + Send + Sync;

/// A hook's code. Each owns an `Arc` of its instance, so one virtual call reaches the author's method.
pub(in super::super) enum Call {
    Admit(Box<AdmitCall>),
    AdmitAsync(AdmitLater),
    Commit(Box<CommitCall>),
    GuardRemoval(Box<RemovalCall>),
    Stored(Following, Arc<StoredCall>),
    Request(Box<RequestCall>),
    RequestAsync(Duration, Arc<RequestAsyncCall>),
    Deliver(Box<DeliverCall>),
    Session(Box<SessionCall>),
    Http(Box<Scope>),
    Nip11(Box<Nip11Call>),
    Rpc(String, Arc<RpcCall>),
    Command(String, String, Arc<CommandCall>),
}

/// A hook that decides with I/O, for events that need it.
pub(in super::super) struct AdmitLater {
    pub(in super::super) timeout: Duration,
    /// Absent where every event does.
    pub(in super::super) needs: Option<Box<NeedsCall>>,
    pub(in super::super) call: Arc<AdmitAsyncCall>,
}

impl Call {
    /// Does nothing and holds nothing.
    pub(in super::super) fn inert() -> Self {
        Call::Session(Box::new(|_, _| Ok(())))
    }

    pub(in super::super) const fn name(&self) -> &'static str {
        match self {
            Call::Admit(_) => "admit",
            Call::AdmitAsync(..) => "admit_async",
            Call::Commit(_) => "commit",
            Call::GuardRemoval(_) => "guard_removal",
            Call::Stored(..) => "stored",
            Call::Request(_) => "request",
            Call::RequestAsync(..) => "request_async",
            Call::Deliver(_) => "deliver",
            Call::Session(_) => "session",
            Call::Http(..) => "http",
            Call::Nip11(_) => "nip11",
            Call::Rpc(..) => "rpc",
            Call::Command(..) => "command",
        }
    }

    /// Whether it belongs into the plan of each kind it wants.
    pub(in super::super) const fn is_asked_by_kind(&self) -> bool {
        matches!(
            self,
            Call::Admit(_)
                | Call::AdmitAsync(..)
                | Call::Commit(_)
                | Call::GuardRemoval(_)
                | Call::Deliver(_)
        )
    }
}
