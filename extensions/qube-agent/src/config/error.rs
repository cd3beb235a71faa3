//! What is wrong with a configuration, in words for the operator.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// No such file, or none that may be read.
    #[error("{}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not TOML, a key that does not exist, or a value of another type; the message has the place.
    #[error("{}", file.display())]
    Toml {
        /// Which.
        file: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A value that does not do.
    #[error("{}: {problem}", file.display())]
    Value {
        /// Which file.
        file: PathBuf,
        /// The rest.
        problem: Problem,
    },
}

/// A value that does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The key, with the tables it is in.
    pub(crate) key: String,
    /// What stands there.
    pub(crate) found: String,
    /// What may stand there.
    pub(crate) allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            key,
            found,
            allowed,
        } = self;
        write!(f, "{key} is {found}; allowed: {allowed}")
    }
}
