//! What keeps the gateway's data whole, over a real relay and a real database: archive, refill, sweeping, commands, and the
//! server that is asked about members.

#![allow(clippy::unwrap_used)]

mod acl;
mod archive;
mod backup;
mod commands;
mod gap;
pub(crate) mod ground;
mod refill;
mod seen;
mod sweep;
