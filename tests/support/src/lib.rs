//! What the black-box tests stand on: the relay as a real process, clients over real sockets, events really signed.
//!
//! Invariant: nothing here waits by sleeping a guessed time; [`wait::until`] polls up to one deadline that is generous
//! enough never to be what a test measures. Nothing here knows the relay's code: only its binary, wire and log.

pub mod author;
pub mod blob;
pub mod client;
pub mod command;
pub mod http;
pub mod management;
pub mod page;
pub mod port;
pub mod probe;
pub mod process;
pub mod raw;
pub mod relay;
pub mod reply;
pub mod setup;
pub mod wait;

pub use author::{Author, Draft, now};
pub use client::Client;
pub use command::Output;
pub use nostr::event::Event;
pub use port::free_port;
pub use raw::RawSocket;
pub use relay::Relay;
pub use reply::{Reply, Verdict};
pub use serde_json::{Value, json};
pub use setup::{Front, Setup};

/// A [`Setup`] of the binary with the extension `probe`.
#[macro_export]
macro_rules! trellis_probe {
    () => {
        $crate::Setup::of(env!("CARGO_BIN_EXE_trellis-probe"))
    };
}

/// A [`Setup`] of the binary that Cargo built for this test.
#[macro_export]
macro_rules! trellis {
    () => {
        $crate::Setup::new(env!("CARGO_BIN_EXE_trellis"))
    };
}
