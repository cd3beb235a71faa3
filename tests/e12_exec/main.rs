//! E12: programs in any language can be extensions, and plugins written for strfry work as they are.
//!
//! The plugins are real ones: those of `examples/plugins`, and `plugin.py`, which does what an event's content says.

#![cfg(feature = "exec")]

mod faults;
mod lifecycle;
mod plugins;
mod programs;
mod reading;
