//! Extractor: the address that a request comes from.

use super::describe::Describe;
use super::error::ApiError;
use super::surroundings::Surroundings;
use crate::rate_limit::Client;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::fmt;
use std::future::{Ready, ready};
use std::net::IpAddr;

/// Extractor: the client's address, as the relay itself sees it: the peer's, or what a trusted proxy says
/// (`network.real_ip_header`, `network.trusted_proxies`).
///
/// ```
/// use trellis_relay::extension::RateLimiter;
/// use trellis_relay::extension::prelude::*;
/// async fn guarded(limiter: &RateLimiter, ip: ClientIp) -> Result<String, ApiError> {
///     limiter.check_http(&ip.rate_key())?;
///     Ok(format!("hello {ip}"))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl ClientIp {
    /// A key for rate limits: of IPv6 the first 64 bits, since one subscriber owns them all.
    pub fn rate_key(&self) -> String {
        match Client::from_address(self.0) {
            Client::Address(ip) => ip.to_string(),
            Client::Key(_) => self.0.to_string(),
        }
    }
}

impl fmt::Display for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromRequest for ClientIp {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let ip = Surroundings::of(request).and_then(|surroundings| {
            let ip = surroundings.client_ip(request);
            ip.ok_or_else(|| ApiError::internal("the connection has no address"))
        });
        ready(ip.map(ClientIp))
    }
}

impl Describe for ClientIp {}
