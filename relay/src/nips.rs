//! One file for each NIP with rules of its own.

pub mod nip98;
