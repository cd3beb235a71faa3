//! Several relays at once, for the agents and the tools of a fleet.
//!
//! Invariants: what a relay sends is passed on only after its id and its signature were verified here; a relay that is
//! away is asked again from the first connection on, and after each reconnection every subscription is made anew in
//! full. What an event means is not here: `trellis_qube_protocol` knows. This is the one home of `nostr_sdk`; events
//! cross to the types of the rest of the fleet's code as JSON.

mod crossing;
mod fetch;
mod follow;
mod publish;
mod relays;

pub use fetch::Fetched;
pub use follow::{Received, Subscription};
pub use publish::{Delivery, Retry};
pub use relays::{ConnectError, Relays};

#[cfg(test)]
mod tests;
