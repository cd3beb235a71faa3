//! What clients get, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod backing_up;
mod delivery;
mod ground;
mod hidden;
mod joining;
mod life;
mod moderation;
mod posting;
mod rows;
mod service;
