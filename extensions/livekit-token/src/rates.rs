//! How often one may ask for tokens, by public key and by address.
//!
//! Invariant: the address is counted before anything else is looked at, the key once its signature is known to be right.

use crate::config::Settings;
use crate::failure::{Code, Failure};
use std::time::Duration;
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

/// What was asked for of late.
pub(crate) struct Rates {
    by_address: RateLimiter,
    by_key: RateLimiter,
}

impl Rates {
    pub(crate) fn new(settings: &Settings, host: &Host) -> Self {
        let window = Duration::from_secs(settings.rate_window_s);
        Rates {
            by_address: host.rate_limiter(settings.tokens_per_ip, window),
            by_key: host.rate_limiter(settings.tokens_per_pubkey, window),
        }
    }

    /// Counts a request from an address.
    pub(crate) fn take_address(&self, address: &ClientIp) -> Result<(), Failure> {
        take(&self.by_address, &address.rate_key())
    }

    /// Counts a request by a key.
    pub(crate) fn take_key(&self, key: &PublicKey) -> Result<(), Failure> {
        take(&self.by_key, &key.to_hex())
    }
}

/// Counts one for a key of a limiter, or says when to come again.
pub(crate) fn take(limiter: &RateLimiter, key: &str) -> Result<(), Failure> {
    limiter.try_take(key).map_err(|wait| {
        let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
        let text = format!("too many requests; try again in {seconds} s");
        Failure::new(Code::RateLimited, text).retry_after_s(seconds)
    })
}
