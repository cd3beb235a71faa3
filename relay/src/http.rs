//! x
use crate::relay::Relay;
use std::sync::Arc;
/// x
pub fn pages(_relay: Arc<Relay>) -> impl Fn(&mut actix_web::web::ServiceConfig) + Clone { move |_c| {} }
