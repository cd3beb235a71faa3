//! What happens to each verb, one file a verb; the functions read from top to bottom in the order of the drawing in
//! `ARCHITECTURE.md`.

pub mod auth;
pub mod close;
pub mod count;
pub mod event;
pub(crate) mod limits;
pub mod negentropy;
pub mod req;

mod query;
mod request;
mod shown;
