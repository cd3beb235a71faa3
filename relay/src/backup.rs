//! Copies of everything stored, made while the relay runs (`[backup]`), and the way back.
//!
//! A *lineage* is the history that one store writes: segments, each with what was committed since the one before, and now
//! and then a snapshot of everything. A restored store begins a lineage of its own that names the one it goes on from.
//! `target` is the place, `names` and `manifest` say what is where in it, `line` what stands in an object. `opening` decides
//! at a start, `replacing` restores, `thread` runs beside a relay: `segment` and `snapshot` read the store, `shipping`
//! brings them to their place, `pruning` deletes old ones. `files` and `file_thread` do the same for files of extensions,
//! which `placing` puts back. `noted` is what the writer has to do for it.
//!
//! Invariant: what is in the place is logical and whole: JSON lines with hashes, rows as they were. Everything that was
//! answered OK before the time of a segment is in it or before it. Not here: ephemeral events, which are never stored.

mod keeps;
mod noted;

#[cfg(feature = "backup")]
pub mod by_hand;
#[cfg(feature = "backup")]
mod catalogue;
#[cfg(feature = "backup")]
mod configuration;
#[cfg(feature = "backup")]
mod directory;
#[cfg(feature = "backup")]
mod error;
#[cfg(feature = "backup")]
mod file_thread;
#[cfg(feature = "backup")]
mod files;
#[cfg(feature = "backup")]
mod line;
#[cfg(feature = "backup")]
mod manifest;
#[cfg(feature = "backup")]
mod names;
#[cfg(feature = "backup")]
mod opening;
#[cfg(feature = "backup")]
mod packer;
#[cfg(feature = "backup")]
mod placing;
#[cfg(feature = "backup")]
mod plan;
#[cfg(feature = "backup")]
mod pruning;
#[cfg(feature = "backup")]
mod replacing;
#[cfg(feature = "backup")]
mod restoring;
#[cfg(feature = "backup")]
mod segment;
#[cfg(feature = "backup")]
mod shipping;
#[cfg(feature = "backup")]
mod snapshot;
#[cfg(feature = "backup")]
mod status;
#[cfg(feature = "backup")]
mod target;
#[cfg(all(test, feature = "backup"))]
mod tests;
#[cfg(feature = "backup")]
mod thread;
#[cfg(feature = "backup")]
mod work;

#[cfg(not(feature = "backup"))]
mod absent;

pub use keeps::Keeps;
pub use noted::{Noted, Taken};

#[cfg(feature = "backup")]
pub(crate) use thread::{Prepared, Thread};
#[cfg(feature = "backup")]
pub use {
    error::BackupError,
    opening::{Opened, is_empty},
    plan::Point,
    replacing::{OpenStore, open_store},
    restoring::Progress,
    status::{Health, State},
    target::{Object, Target, TargetError},
    thread::Handle,
};

#[cfg(not(feature = "backup"))]
pub use absent::{BackupError, Handle, Opened, open_store};
#[cfg(not(feature = "backup"))]
pub(crate) use absent::{Prepared, Thread};
