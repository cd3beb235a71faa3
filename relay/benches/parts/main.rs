//! What the parts of the relay cost that every event or request passes: `cargo bench -p trellis-relay`, with `-- --quick`
//! for a first look and `-- NAME` for some of them.
//!
//! Sockets, threads and the system are not in it: `trellis bench` measures a relay as a whole.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

mod events;
mod hooks;
mod matching;
mod parsing;
mod store;
mod verifying;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    parts,
    parsing::measure,
    verifying::measure,
    matching::measure,
    store::measure,
    hooks::measure
);
criterion_main!(parts);
