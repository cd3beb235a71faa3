//! What the extension framework promises, shown with small extensions as an outside author would write them.

#![allow(clippy::unwrap_used)]

mod access;
mod backup;
mod capabilities;
mod changes;
mod chat;
mod claims;
mod commit;
mod config;
mod deliver;
mod faults;
mod gate;
mod gathering;
mod handover;
mod health;
mod hooks;
mod hostile;
mod http;
mod labels;
mod lifecycle;
mod needs;
mod outbound;
mod publish;
mod request;
mod routes;
mod running_queries;
mod stored;
mod support;
mod words;
