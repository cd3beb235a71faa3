//! Two thin fronts that move frames between a socket and a [`crate::session::Session`], and hold no logic.
//!
//! `upgrade` is the server's own: the task owns the socket and an idle connection costs little. `actor` is a route for
//! embedding in somebody's actix-web application.

pub mod actor;
pub mod upgrade;

mod assembly;
mod claim;
mod entrance;
