//! Work on the store that an operator asks for: import, export, deletion by filter, check, compaction,
//! reconciliation with another relay, the log of decisions, commands of extensions.
//!
//! Invariant: each piece of work is written once, against [`target::Target`], and does the same on a store that no relay
//! has open and inside a running relay. How the operator asks is not its affair: the command line runs a [`job::Job`]
//! itself or hands it to a running relay through [`socket`].

pub mod backup;
pub mod client;
pub mod command;
pub mod console;
pub mod database;
pub mod decisions;
pub mod delete;
mod dialogue;
pub mod export;
pub mod import;
pub mod job;
mod lines;
pub mod socket;
pub mod sync;
pub mod target;
