//! C29: what an operator owes users: a policy, a security contact, a way out, and a log of decisions.
//!
//! The payment gate is shown by `examples/paid-writing`.

mod decisions;
mod own_events;
mod policy;
mod security_contact;
