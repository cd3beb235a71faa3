//! What an extension's author needs in almost every file. Builders of events are in [`crate::nostr`].

pub use super::http::{
    Api, ApiError, Caller, CallerJson, ClientIp, Current, Mount, Nip98, Nip98Bytes, Nip98Json,
    Nip98Stream, Page, PageOf, ServiceToken, ServiceTokens,
};
pub use super::{
    Access, AccessNews, AccessRequest, Admit, AdmitRequest, Audience, BackupBlob, BackupError,
    BackupFile, BuildError, Commit, CommitTx, Examination, Extension, Findings, Health, HookError,
    Host, Kinds, Narrow, Needs, Phase, Pubkey, Pubkeys, Registrar, Reload, Removal, ServiceRef,
    SessionNote, StartAt, StopToken, TaskError, Verb, Viewer,
};
pub use crate::event::{Event, EventId, PublicKey};
pub use crate::filter::Filter;
pub use crate::reason::Reason;
pub use crate::store::{Cause, Change};
pub use schemars::JsonSchema;
pub use serde::{Deserialize, Serialize};
