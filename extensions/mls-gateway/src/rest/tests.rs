//! The routes over real sockets, on a real database in a file.

#![allow(clippy::unwrap_used)]

mod boxes;
mod elsewhere;
mod ground;
mod groups;
mod guide;
mod messages;
mod together;
mod who;
