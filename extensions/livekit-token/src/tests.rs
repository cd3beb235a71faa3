//! The rules of tokens over real sockets: a relay, a server that answers as LiveKit does, and groups.

#![allow(clippy::unwrap_used)]

mod backing_up;
mod closing;
mod club;
mod communities;
mod conformance;
mod cost;
mod direct;
mod ground;
mod group;
mod guide;
mod hearsay;
mod livekit_double;
mod maintenance;
mod probes;
mod putting_out;
mod refusals;
mod secrecy;
#[cfg(feature = "redis")]
mod sharing;
mod well_known;
mod wrapping;
