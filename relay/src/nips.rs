//! One file for each NIP with rules of its own; pure functions of an event and what the relay knows.

pub mod nip13;
pub mod nip42;
pub mod nip45;
pub mod nip62;
pub mod nip70;
pub mod nip77;
pub mod nip98;
