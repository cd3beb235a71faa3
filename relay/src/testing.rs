//! The test kit for extensions: a real relay inside a test, and everything to talk to it.
//!
//! With feature `testing` only. [`TestRelay`] is the whole relay on a free port of this machine, with the extensions that a
//! test names, a store in memory and a clock that stands still; [`Client`] speaks to it over a WebSocket, [`HttpCall`] over
//! HTTP, and [`Author`] signs events for real. [`Faults`] makes the store fail. [`conformance`] puts an extension through
//! what every extension should survive. [`HookHarness`] is the small one: hooks without a relay.
//!
//! Everything here panics with a sentence when a test is written wrongly or waits in vain. `docs/extensions/testing.md`
//! is the guide.
//!
//! ```
//! use trellis_relay::extension::prelude::*;
//! use trellis_relay::testing::{Author, TestRelay, json};
//!
//! struct NoShouting;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Nothing {}
//!
//! impl Extension for NoShouting {
//!     const NAME: &'static str = "no_shouting";
//!     type Config = Nothing;
//!
//!     async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> {
//!         Ok(NoShouting)
//!     }
//!
//!     fn register(&self, hooks: &mut Registrar<Self>) {
//!         hooks.admit(1, |_me, event, _viewer| match event.content().ends_with('!') {
//!             true => Ok(Reason::blocked("not so loud").into()),
//!             false => Ok(Admit::Accept),
//!         });
//!     }
//! }
//!
//! # /*
//! #[tokio::test]
//! # */
//! async fn loud_notes_are_refused() {
//!     let relay = TestRelay::of::<NoShouting>().start().await;
//!     let alice = Author::new(1);
//!     let mut client = relay.connect().await;
//!     client.publish(&alice.note("hey!")).await.assert_refused("blocked: not so loud");
//!     let quiet = alice.note("hello");
//!     client.store(&quiet).await;
//!     assert_eq!(client.query(json!({"kinds": [1]})).await, Ok(vec![quiet]));
//! }
//! # tokio::runtime::Runtime::new()?.block_on(loud_notes_are_refused());
//! # Ok::<(), std::io::Error>(())
//! ```

#![allow(
    clippy::unwrap_used,
    reason = "a test that is written wrongly shall end at once"
)]

mod author;
mod backup;
mod bare_core;
mod client;
mod conformance;
mod draft;
mod faults;
mod faulty_store;
mod hook_harness;
mod http_call;
mod https_server;
mod relay_thread;
mod reply;
mod setup;
mod test_relay;
mod wait;

pub use author::{Author, sign};
pub use backup::Backup;
pub use bare_core::BareCore;
pub use client::Client;
pub use conformance::{Conformance, Problem, Report, conformance};
pub use draft::Draft;
pub use faults::{Failure, Faults, HeldCommits};
pub use faulty_store::FaultyStore;
pub use hook_harness::{HookHarness, stranger, tables_of};
pub use http_call::{HttpCall, Response};
pub use https_server::{HttpsRequest, HttpsServer};
pub use reply::{Reply, Verdict};
pub use serde_json::{Value, json};
pub use setup::{Setup, SetupError};
pub use test_relay::TestRelay;
pub use wait::{DEADLINE, until};

/// Where the clock of a test begins: seconds since 1970, in November 2023.
pub const START_S: u64 = 1_700_000_000;
