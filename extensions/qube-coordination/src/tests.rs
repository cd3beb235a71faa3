//! The extension as clients see it, over real sockets.

#![allow(clippy::unwrap_used)]

mod admitting;
mod backing_up;
mod claiming;
mod conformance;
mod cost;
mod ground;
mod hostile;
mod keeping;
mod operator;
mod peers;
mod reading;
mod reporting;
