//! Kind 447, which asks somebody for more KeyPackages.

use super::tags;
use crate::config::Settings;
use trellis_relay::event::{Event, PublicKey};
use trellis_relay::reason::Reason;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackageRequest {
    /// `p`: who is asked.
    pub(crate) recipient: PublicKey,
    pub(crate) expires_at_s: u64,
}

/// Reads one that has not expired.
pub(crate) fn read(
    event: &Event,
    settings: &Settings,
    now_s: u64,
) -> Result<PackageRequest, Reason> {
    if let Some(min) = tags::at_most_one(event, "min")?
        && !(1..=100).contains(&tags::number("min", &min)?)
    {
        return Err(Reason::invalid("min must be 1 to 100"));
    }
    let request = PackageRequest {
        recipient: tags::recipient(event)?,
        expires_at_s: expires_at_s(event, settings)?,
    };
    match request.expires_at_s > now_s {
        true => Ok(request),
        false => Err(Reason::invalid("the request has expired already")),
    }
}

/// When it ends: as `ttl` says, and never later than the relay says.
pub(crate) fn expires_at_s(event: &Event, settings: &Settings) -> Result<u64, Reason> {
    let longest_s = settings.keypackage_request_ttl_s;
    let ttl_s = match tags::at_most_one(event, "ttl")? {
        Some(ttl) => tags::number("ttl", &ttl)?.min(longest_s),
        None => longest_s,
    };
    Ok(event.created_at().saturating_add(ttl_s))
}
