//! A point in time in the configuration: RFC 3339 or seconds since 1970.
//!
//! Invariant: what is printed parses back to the same second. Lengths of time are [`super::TimeSpan`]'s.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// What a point in time may look like; error messages and the JSON Schema quote it.
pub(crate) const ALLOWED: &str =
    r#"a UTC time such as "2030-01-31T22:00:00Z", or seconds since 1970"#;

/// A point in time, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point so many seconds after the start of 1970.
    pub const fn from_unix_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the start of 1970.
    pub const fn unix_secs(self) -> u64 {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(seconds) = text.parse() {
            return Ok(Self(seconds));
        }
        let time = humantime::parse_rfc3339_weak(text).map_err(|_| ALLOWED)?;
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_err(|_| ALLOWED)?;
        Ok(Self(since.as_secs()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The last second of the year 9999: later ones have no RFC 3339 form.
        const LAST: u64 = 253_402_300_799;
        match SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.0)) {
            Some(time) if self.0 <= LAST => {
                write!(f, "{}", humantime::format_rfc3339_seconds(time))
            }
            _ => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimestampVisitor;
        impl Visitor<'_> for TimestampVisitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ALLOWED)
            }
            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Timestamp, E> {
                u64::try_from(seconds)
                    .map(Timestamp)
                    .map_err(|_| E::custom(ALLOWED))
            }
            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Timestamp, E> {
                Ok(Timestamp(seconds))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(TimestampVisitor)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minimum": 0, "x-allowed": ALLOWED })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c28_times_are_rfc_3339_or_unix_seconds() {
        for (text, seconds) in [
            ("1970-01-02T00:00:00Z", 86_400),
            ("2030-01-31 22:00:00", 1_896_127_200),
            ("7", 7),
        ] {
            let read: Timestamp = text.parse().expect(text);
            assert_eq!(read.unix_secs(), seconds);
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        for bad in ["", "tomorrow", "-5", "2030-13-01T00:00:00Z"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }
}
