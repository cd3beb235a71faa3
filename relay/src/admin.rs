//! Work on the store that an operator asks for: import, export, deletion by filter, reconciliation with another relay.
//!
//! Invariant: each piece of work is written once, against [`target::Target`], and does the same on a store that no relay
//! has open and inside a running relay. Not here: how the operator asks (the command line, the admin socket).

pub mod sync;
pub mod target;
