//! Spaces by their own words, and rooms in a real LiveKit.

#![allow(clippy::unwrap_used)]

mod admitting;
mod ground;
mod watching;
mod words;
