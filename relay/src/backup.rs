//! Copies of everything stored, made while the relay runs (`[backup]`), and the way back.
//!
//! A *lineage* is the history that one store writes: segments, each with what was committed since the one before, and now
//! and then a snapshot of everything. A restored store begins a lineage of its own that names the one it goes on from.
//! `target` is the place, `names` and `manifest` say what is where in it, `line` what stands in an object. `opening` decides
//! at a start, with `succession` where the store is empty and `fallback` where the newest lineage is not whole yet;
//! `replacing` restores. `thread` runs beside a relay: `segment` and `snapshot` read the store, `shipping` brings them to
//! their place, `pruning` finds what is too old, and `unnamed` what nothing names after that. `files` and `file_thread` do
//! the same for files of extensions, which `placing` puts back. `noted` is what the writer has to do for it. `by_hand` and
//! `verifying` are what operators call. `absent` stands for all of it in a program without.
//!
//! Invariant: what is in the place is logical and whole: JSON lines with hashes, rows as they were. Everything that was
//! answered OK before the time of a segment is in it or before it. Not here: ephemeral events, which are never stored.

pub mod by_hand;
mod catalogue;
mod configuration;
mod directory;
mod error;
mod fallback;
mod file_thread;
mod files;
mod keeps;
mod line;
mod listed;
mod manifest;
mod names;
mod noted;
mod opening;
mod own_rows;
mod packer;
mod placing;
mod plan;
mod pruning;
mod replacing;
mod restorable;
mod restoration;
mod restoring;
mod segment;
mod shipping;
mod snapshot;
mod status;
mod succession;
mod target;
#[cfg(test)]
mod tests;
mod thread;
mod unnamed;
pub mod verifying;
mod work;

pub(crate) use thread::{Prepared, Thread};
pub use {
    error::BackupError,
    keeps::Keeps,
    noted::{Noted, Taken},
    opening::Opened,
    own_rows::is_empty,
    plan::Point,
    replacing::{OpenStore, open_store},
    restoring::Progress,
    status::{Health, State},
    target::{Object, Reading, Target, TargetError},
    thread::Handle,
};
