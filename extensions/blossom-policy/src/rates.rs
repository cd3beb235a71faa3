//! How often one may ask, by public key and by address.
//!
//! Invariant: an address is counted before anything dear is done for it, a key once its signature is known to be right;
//! keys are cheap to make, so that uploads are counted for both. `PUT /upload`, `/mirror` and `/media` share their counts.

use crate::config;
use crate::refusal::Refusal;
use actix_web::{FromRequest, HttpRequest};
use std::time::Duration;
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// What was asked for of late.
pub(crate) struct Rates {
    requests_by_address: RateLimiter,
    uploads_by_address: RateLimiter,
    uploads_by_key: RateLimiter,
    /// Nothing where any number may be read.
    downloads_by_address: Option<RateLimiter>,
    reports_by_address: RateLimiter,
    /// In a day, since reports stay until somebody looks at them.
    reported_blobs_by_address: RateLimiter,
}

impl Rates {
    pub(crate) fn new(rates: &config::Rates, reports: &config::Reports, host: &Host) -> Self {
        let limiter = |max| host.rate_limiter(max, MINUTE);
        let downloads = rates.downloads_per_minute_and_ip;
        Rates {
            requests_by_address: limiter(rates.requests_per_minute_and_ip),
            uploads_by_address: limiter(rates.uploads_per_minute_and_ip),
            uploads_by_key: limiter(rates.uploads_per_minute),
            downloads_by_address: (downloads > 0).then(|| limiter(downloads)),
            reports_by_address: limiter(rates.reports_per_minute_and_ip),
            reported_blobs_by_address: host.rate_limiter(reports.max_per_day_and_ip, DAY),
        }
    }

    /// Counts a request with a signature that is to be looked at.
    pub(crate) fn take_request(&self, request: &HttpRequest) -> Result<(), Refusal> {
        take(&self.requests_by_address, &address(request)?)
    }

    /// Counts an upload, a mirror or media, by address and key.
    pub(crate) fn take_upload(
        &self,
        request: &HttpRequest,
        pubkey: &PublicKey,
    ) -> Result<(), Refusal> {
        take(&self.uploads_by_address, &address(request)?)?;
        take(&self.uploads_by_key, &pubkey.to_hex())
    }

    /// Counts a blob that is read.
    pub(crate) fn take_download(&self, request: &HttpRequest) -> Result<(), Refusal> {
        match &self.downloads_by_address {
            Some(limiter) => take(limiter, &address(request)?),
            None => Ok(()),
        }
    }

    /// Counts a report.
    pub(crate) fn take_report(&self, request: &HttpRequest) -> Result<(), Refusal> {
        take(&self.reports_by_address, &address(request)?)
    }

    /// Counts a blob that is reported and was not by the same event before.
    pub(crate) fn take_reported_blob(&self, request: &HttpRequest) -> Result<(), Refusal> {
        take(&self.reported_blobs_by_address, &address(request)?)
    }
}

/// What an address is counted as.
pub(crate) fn address(request: &HttpRequest) -> Result<String, Refusal> {
    Ok(client_ip(request)?.rate_key())
}

/// Where a request comes from.
pub(crate) fn client_ip(request: &HttpRequest) -> Result<ClientIp, Refusal> {
    Ok(ClientIp::extract(request).into_inner()?)
}

fn take(limiter: &RateLimiter, key: &str) -> Result<(), Refusal> {
    limiter.try_take(key).map_err(Refusal::TooMany)
}
