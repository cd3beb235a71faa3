//! The rules of tokens over real sockets: a relay, a server that answers as LiveKit does, and groups.

#![allow(clippy::unwrap_used)]

mod club;
mod communities;
mod conformance;
mod cost;
mod direct;
mod ground;

mod group;
mod guide;
mod livekit_double;
mod maintenance;
mod probes;
mod refusals;
mod secrecy;
mod well_known;
mod wrapping;
