//! Rules of the protocol.

#![allow(clippy::unwrap_used)]

mod agreeing;
mod chain;
mod deciding;
mod ground;
mod histories;
mod page;
mod reading;
mod replaying;
mod reporting;
mod size;
mod statuses;
