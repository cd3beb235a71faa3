//! A length of time as operators write it: `"100ms"`, `"1m"`, or a whole number of seconds.
//!
//! Invariant: what is printed parses back to the same length. Points in time are [`super::Timestamp`]'s.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a length of time may look like; error messages and the JSON Schema quote it.
pub(crate) const ALLOWED: &str =
    r#"a time such as "100ms", "30s", "5m", "2h", "7d", or whole seconds; at most "36500d""#;

/// A hundred years. Longer ones are slips of the hand, and sums of times stay far from any overflow.
const MOST: Duration = Duration::from_secs(36_500 * 86_400);

/// Units that divide a length without a rest, longest first.
const UNITS_MS: [(u128, &str); 5] = [
    (86_400_000, "d"),
    (3_600_000, "h"),
    (60_000, "m"),
    (1_000, "s"),
    (1, "ms"),
];

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(Duration);

impl TimeSpan {
    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// Whole milliseconds; the largest number that fits where there are more.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// What operators write must be below the bound.
    fn bounded(span: Duration) -> Result<Self, &'static str> {
        (span <= MOST).then_some(Self(span)).ok_or(ALLOWED)
    }

    /// No time at all.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<TimeSpan> for Duration {
    fn from(span: TimeSpan) -> Self {
        span.0
    }
}

impl FromStr for TimeSpan {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let span = match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => humantime::parse_duration(text).map_err(|_| ALLOWED)?,
        };
        Self::bounded(span)
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.subsec_nanos().is_multiple_of(1_000_000) {
            return write!(f, "{}", humantime::format_duration(self.0));
        }
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        match UNITS_MS
            .iter()
            .find(|(unit_ms, _)| millis.is_multiple_of(*unit_ms))
        {
            Some((unit_ms, name)) => write!(f, "{}{name}", millis / unit_ms),
            None => write!(f, "{millis}ms"),
        }
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpanVisitor;
        impl Visitor<'_> for SpanVisitor {
            type Value = TimeSpan;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ALLOWED)
            }
            fn visit_i64<E: Error>(self, seconds: i64) -> Result<TimeSpan, E> {
                self.visit_u64(u64::try_from(seconds).map_err(|_| E::custom(ALLOWED))?)
            }
            fn visit_u64<E: Error>(self, seconds: u64) -> Result<TimeSpan, E> {
                TimeSpan::bounded(Duration::from_secs(seconds)).map_err(E::custom)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<TimeSpan, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(SpanVisitor)
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> Cow<'static, str> {
        "TimeSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minimum": 0, "maximum": MOST.as_secs(), "x-allowed": ALLOWED })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_times_are_read_as_written_in_words_or_seconds() {
        for (text, millis) in [
            ("100ms", 100),
            ("1m", 60_000),
            ("1h 30m", 5_400_000),
            ("900", 900_000),
        ] {
            assert_eq!(text.parse::<TimeSpan>().expect(text).as_millis(), millis);
        }
        for bad in ["", "soon", "-1s", "10 parsecs", "-5"] {
            assert!(bad.parse::<TimeSpan>().is_err(), "{bad}");
        }
    }

    #[test]
    fn c12_times_are_at_most_a_hundred_years() {
        let read = |toml: &str| {
            toml::from_str::<std::collections::BTreeMap<String, TimeSpan>>(toml)
                .map_err(|error| error.message().to_owned())
        };
        for good in ["a = '36500d'", "a = 3153600000", "a = '3153600000'"] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in [
            "a = '36501d'",
            "a = 3153600001",
            "a = '3153600001'",
            "a = 9223372036854775807",
            "a = '18446744073709551615'",
            "a = '584542046090y'",
        ] {
            let refusal = read(bad).expect_err(bad);
            assert!(refusal.contains("at most \"36500d\""), "{refusal}");
        }
    }

    #[test]
    fn c12_printed_times_read_back() {
        for millis in [
            0,
            1,
            999,
            1_000,
            90_000,
            3_600_000,
            86_400_000,
            94_608_000_000,
        ] {
            let span = TimeSpan::from_millis(millis);
            assert_eq!(span.to_string().parse(), Ok(span), "{span}");
        }
        assert_eq!(TimeSpan::from_secs(94_608_000).to_string(), "1095d");
    }
}
