//! Alerts, from what raises them to what a server gets.

#![allow(clippy::unwrap_used)]

mod conditions;
mod webhooks;
