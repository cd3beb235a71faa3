//! What a store must do, run over every store, and what LMDB must survive.
#![allow(clippy::unwrap_used)]

mod draft;
mod subject;

mod addressing;
mod backup;
mod changes;
mod compact;
mod crash;
mod deleting;
mod deletion;
mod expiry;
mod fullness;
mod jobs;
mod kv;
mod policy;
mod random;
mod retention;
mod scanning;
mod snapshots;
mod vanish;
