//! The gateway's rules over real sockets, on a real database.

#![allow(clippy::unwrap_used)]

mod access;
mod delivery;
mod ground;
mod outage;
mod publishing;
mod races;
mod stock;
mod strict;
