//! The server as clients see it, over real sockets.

#![allow(clippy::unwrap_used)]

mod announcing;
mod backing_up;
mod checking;
mod conformance;
pub(crate) mod courier;
mod ground;
mod listing;
mod media;
mod mirroring;
mod objects;
mod operating;
mod paying;
mod reading;
mod reloading;
mod reporting;
mod rescanning;
mod silent_store;
mod uploading;
mod upstream;
