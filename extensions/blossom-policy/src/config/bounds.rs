//! What numbers and URLs of the table must be.

use std::fmt::Display;
use std::ops::RangeInclusive;
use trellis_relay::config::{ByteSize, TimeSpan};
use url::Url;

/// Something that has a number: bytes of a size, seconds of a time.
pub(super) trait Bounded: Copy + Display {
    fn number(self) -> u64;

    /// The unit of [`Bounded::number`], with a space before it.
    fn unit() -> &'static str {
        ""
    }
}

impl Bounded for u64 {
    fn number(self) -> u64 {
        self
    }
}

impl Bounded for u32 {
    fn number(self) -> u64 {
        self.into()
    }
}

impl Bounded for usize {
    fn number(self) -> u64 {
        self as u64
    }
}

impl Bounded for ByteSize {
    fn number(self) -> u64 {
        self.bytes()
    }

    fn unit() -> &'static str {
        " bytes"
    }
}

impl Bounded for TimeSpan {
    /// Whole seconds, rounded up where there is less than one.
    fn number(self) -> u64 {
        self.as_millis().div_ceil(1_000)
    }

    fn unit() -> &'static str {
        " seconds"
    }
}

/// A number that is out of its range, with what is allowed.
pub(super) fn within<N: Bounded>(
    key: &str,
    found: N,
    allowed: RangeInclusive<u64>,
) -> Result<(), String> {
    match allowed.contains(&found.number()) {
        true => Ok(()),
        false => Err(format!(
            "{key}: found {found}, wanted {} to {}{}",
            allowed.start(),
            allowed.end(),
            N::unit()
        )),
    }
}

/// An absolute URL with one of these schemes and without a path, if there is one.
pub(super) fn address(
    key: &str,
    found: Option<&str>,
    schemes: &[&str],
) -> Result<Option<Url>, String> {
    match checked_url(key, found, schemes)? {
        Some(url) if url.path() != "/" => Err(format!(
            "{key}: found {:?}, wanted no path",
            found.unwrap_or_default()
        )),
        url => Ok(url),
    }
}

/// An absolute URL with one of these schemes, without user and fragment, if there is one.
pub(super) fn checked_url(
    key: &str,
    found: Option<&str>,
    schemes: &[&str],
) -> Result<Option<Url>, String> {
    let Some(found) = found else {
        return Ok(None);
    };
    match Url::parse(found) {
        Ok(url)
            if schemes.contains(&url.scheme())
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none() =>
        {
            Ok(Some(url))
        }
        _ => Err(format!(
            "{key}: found {found:?}, wanted a URL with {}, without user and fragment",
            schemes.join(" or ")
        )),
    }
}
