//! What the extension framework promises, shown with small extensions as an outside author would write them.

#![allow(clippy::unwrap_used)]

mod changes;
mod chat;
mod claims;
mod commit;
mod config;
mod deliver;
mod faults;
mod gate;
mod health;
mod hooks;
mod hostile;
mod http;
mod lifecycle;
mod outbound;
mod publish;
mod request;
mod stored;
mod support;
mod words;
