//! Numbers and times within bounds.

use std::fmt::Display;
use std::ops::RangeInclusive;
use trellis_relay::config::TimeSpan;

/// The number, or its default; an error names the key, what was found and what is allowed.
pub(super) fn within<T: PartialOrd + Display + Copy>(
    key: &str,
    found: Option<T>,
    default: T,
    bounds: RangeInclusive<T>,
) -> Result<T, String> {
    let found = found.unwrap_or(default);
    match bounds.contains(&found) {
        true => Ok(found),
        false => Err(format!(
            "{key}: found {found}, wanted {} to {}",
            bounds.start(),
            bounds.end()
        )),
    }
}

/// The same for a time, in seconds.
pub(super) fn span(
    key: &str,
    found: Option<TimeSpan>,
    default_s: u64,
    bounds_s: RangeInclusive<u64>,
) -> Result<u64, String> {
    let found = found.unwrap_or(TimeSpan::from_secs(default_s));
    match bounds_s.contains(&found.as_secs()) {
        true => Ok(found.as_secs()),
        false => Err(format!(
            "{key}: found {found}, wanted {} to {}",
            TimeSpan::from_secs(*bounds_s.start()),
            TimeSpan::from_secs(*bounds_s.end())
        )),
    }
}
