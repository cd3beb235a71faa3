//! The core of Trellis, an extensible Nostr relay.
//!
//! Modules stand in the order in which data meets them; `ARCHITECTURE.md` draws the two flows.

pub mod clock;
pub mod event;
pub mod extension;
pub mod filter;
pub mod nips;
pub mod reason;
pub mod store;
