//! Versions: strict semantic versioning after an optional leading `v`, compared and written without it.

use crate::MAX_VERSION_BYTES;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A version, without the `v` it may have been written with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(semver::Version);

/// A text that is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is not a version: three numbers as in 1.2.3 or v1.2.3, perhaps followed by -rc.1 or +build, at most \
     {MAX_VERSION_BYTES} bytes"
)]
pub struct BadVersion {
    found: String,
}

impl Version {
    /// Whether it comes before the other; what follows `+` does not count.
    pub fn precedes(&self, other: &Self) -> bool {
        self.0.cmp_precedence(&other.0).is_lt()
    }

    /// As directives and reports carry it: with a leading `v`, which widely used clients compare too.
    pub fn tagged(&self) -> String {
        format!("v{}", self.0)
    }
}

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let bad = || BadVersion {
            found: text.chars().take(MAX_VERSION_BYTES).collect(),
        };
        if text.len() > MAX_VERSION_BYTES {
            return Err(bad());
        }
        let number = text.strip_prefix('v').unwrap_or(text);
        semver::Version::parse(number).map(Self).map_err(|_| bad())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}
