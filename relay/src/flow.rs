//! What happens to each verb, one file a verb; the functions read from top to bottom in the order of the drawing in
//! `ARCHITECTURE.md`.

pub mod auth;
pub mod close;
pub mod count;
pub mod event;
pub(crate) mod limits;
pub(crate) mod narrowing;
pub mod negentropy;
pub mod req;

pub(crate) mod own_events;
mod query;
pub(crate) mod request;
mod shown;
