//! What can be wrong with a configuration, and how an operator is told.
//!
//! Invariant: a [`Problem`] names the place, the key, what was found, what is allowed and, where one is near, the key that
//! was probably meant. Secrets are masked before they get here.

use super::Origin;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration", path.display())]
    Read {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was read but makes no usable configuration, together with the environment.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
}

impl ConfigError {
    /// Problems with the contents, in the order in which an operator will mend them.
    pub(crate) fn invalid(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_cached_key(|problem| match &problem.origin {
            Origin::File { line, .. } => (0, line.unwrap_or(0), problem.key.clone()),
            Origin::Environment { name } => (1, 0, name.clone()),
            Origin::Default => (2, 0, problem.key.clone()),
        });
        Self::Invalid(problems)
    }

    /// Everything that is wrong with the contents; empty where the file could not even be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid(problems) => problems,
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where the value came from.
    pub origin: Origin,
    /// The key, with its tables: `limitation.max_filters`. Empty where there is no key, as in a syntax error.
    pub key: String,
    /// What was found there, as TOML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What is wrong with it.
    pub wrong: String,
    /// What is allowed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// The known key or variable that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

impl Problem {
    /// A problem with a key.
    pub(crate) fn new(origin: &Origin, key: &str, wrong: impl Into<String>) -> Self {
        Self {
            origin: origin.clone(),
            key: key.to_owned(),
            found: None,
            wrong: wrong.into(),
            allowed: None,
            nearest: None,
        }
    }

    /// The same, with what was found.
    pub(crate) fn found(self, found: impl Into<String>) -> Self {
        Self {
            found: Some(found.into()),
            ..self
        }
    }

    /// The same, with what is allowed.
    pub(crate) fn allowed(self, allowed: impl Into<String>) -> Self {
        Self {
            allowed: Some(allowed.into()),
            ..self
        }
    }

    /// The same, with what was probably meant.
    pub(crate) fn nearest(self, nearest: Option<String>) -> Self {
        Self { nearest, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.wrong)?;
        if let Some(found) = &self.found {
            write!(f, ", found {found}")?;
        }
        if let Some(allowed) = &self.allowed {
            write!(f, ", allowed: {allowed}")?;
        }
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean {nearest}?")?;
        }
        Ok(())
    }
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
