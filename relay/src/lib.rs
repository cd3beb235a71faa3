//! The core of Trellis, an extensible Nostr relay.
//!
//! Modules stand in the order in which data meets them; `ARCHITECTURE.md` draws the two flows.

/// The crate whose builders, keys and tags the API takes, in the version that it takes.
pub use nostr;

pub mod config;
pub mod reload;

pub mod parts;
pub mod relay_key;
pub mod retention;
pub mod running;
pub mod server;

pub mod client_ip;
pub mod http;
pub mod own_host;
pub mod ws;

pub mod connections;
pub mod relay;
pub mod session;
pub mod worker;

pub mod outbox;
pub mod wire;

pub mod event;
pub mod filter;
pub mod kinds;
pub mod reason;

pub mod extension;

pub mod access;
pub mod access_changes;
mod announcer;
pub mod anonymous;
pub mod decisions;
pub mod flow;
pub mod moderation;
pub mod moderator;
pub mod nips;
pub mod orders;
pub mod own_events;
pub mod rate_limit;
mod shares;
pub mod visibility;

pub mod fanout;
pub mod readers;
pub mod store;
pub mod writer;

pub mod admin;
#[cfg(feature = "backup")]
pub mod backup;
#[cfg(not(feature = "backup"))]
#[path = "backup/absent.rs"]
pub mod backup;

pub mod clock;
pub mod metrics;
mod sweeper;

#[cfg(feature = "testing")]
pub mod testing;
