//! Messengers that speak the Marmot protocol, as they are: the Marmot Development Kit for MLS, nostr-sdk for the wire.
//!
//! Every message in here is real MLS: who can read it is decided by keys, and the relay is asked to hide it on top.

#![cfg(feature = "mls_gateway")]

mod catching_up;
mod managed;
mod outsider;
mod person;
mod unmanaged;
