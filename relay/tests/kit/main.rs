//! What the test kit offers to authors of extensions, shown with one of a realistic size.

#![allow(clippy::unwrap_used)]

mod authors;
mod clients;
mod conformance;
mod faults;
mod files;
mod guests;
mod http;
mod lives;
mod restarts;
mod restoring;
