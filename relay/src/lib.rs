//! The core of Trellis, an extensible Nostr relay.
//!
//! Modules stand in the order in which data meets them; `ARCHITECTURE.md` draws the two flows.

pub mod access;
pub mod config;
pub mod event;
pub mod filter;
pub mod rate_limit;
pub mod reason;
pub mod reload;
pub mod store;
