//! D4: the continuous backup by real processes: a disk that is gone, a restart, a point in time, a handover, a place that
//! is somebody else's, buckets, and what commands say of it.
//!
//! Not here: what it costs, which `d4_cost` measures.

#![cfg(feature = "backup")]

mod buckets;
mod commands;
#[cfg(feature = "blossom_policy")]
mod files;
mod ground;
mod handover;
mod losses;
#[cfg(feature = "groups")]
mod rows;
