//! Spaces by their own words, and rooms in a real LiveKit.

#![allow(clippy::unwrap_used)]

mod admitting;
pub(crate) mod ground;
mod watching;
mod words;
