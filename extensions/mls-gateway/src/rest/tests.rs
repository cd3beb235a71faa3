//! The routes over real sockets, on a real database in a file.

#![allow(clippy::unwrap_used)]

mod boxes;
mod ground;
mod groups;
mod messages;
mod together;
mod who;
