//! The server as clients see it, over real sockets.

#![allow(clippy::unwrap_used)]

mod conformance;
mod ground;
mod listing;
mod operating;
mod reading;
mod reporting;
mod uploading;
