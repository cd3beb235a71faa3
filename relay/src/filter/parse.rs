//! From a filter's JSON to a [`Filter`], or an error that names the key and what it takes.

use super::Filter;
use crate::event::{EventId, PublicKey, lowercase_hex};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Bounds on one filter.
#[derive(Clone, Copy, Debug)]
pub struct FilterLimits {
    /// How many values a list may have.
    pub values: usize,
}

impl Default for FilterLimits {
    fn default() -> Self {
        FilterLimits { values: 10_000 }
    }
}

/// What is wrong with a filter, in words for its author.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum FilterError {
    #[error("a filter must be a JSON object: {0}")]
    Json(String),
    #[error("filter key {0:?} must be an array of {1}")]
    List(String, &'static str),
    #[error("filter key {0:?} must be a non-negative integer")]
    Number(&'static str),
    #[error("filter key \"search\" must be a string")]
    Search,
    #[error("filter key {key:?} has {found} values, at most {allowed} are allowed")]
    TooMany {
        key: String,
        found: usize,
        allowed: usize,
    },
    #[error(
        "unknown filter key {0:?}; known are ids, authors, kinds, since, until, limit, search and # with one letter"
    )]
    Unknown(String),
}

pub(super) fn parse(json: &str, limits: &FilterLimits) -> Result<Filter, FilterError> {
    let keys: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(json).map_err(|e| FilterError::Json(e.to_string()))?;
    let mut filter = Filter::default();
    for (key, raw) in &keys {
        let raw = raw.get();
        match key.as_str() {
            "ids" => {
                filter.ids = Some(hex_list(key, raw, limits, EventId::from_byte_array)?);
            }
            "authors" => {
                filter.authors = Some(hex_list(key, raw, limits, PublicKey::from_byte_array)?);
            }
            "kinds" => {
                filter.kinds = Some(list(key, raw, limits, "integers from 0 to 65535")?);
            }
            "since" => filter.since = Some(number("since", raw)?),
            "until" => filter.until = Some(number("until", raw)?),
            "limit" => {
                let limit = number("limit", raw)?;
                filter.limit = Some(usize::try_from(limit).unwrap_or(usize::MAX));
            }
            "search" => {
                let words = serde_json::from_str(raw).map_err(|_| FilterError::Search)?;
                filter.search = Some(words);
            }
            _ => match *key.as_bytes() {
                [b'#', letter] if letter.is_ascii_alphabetic() => {
                    filter
                        .tags
                        .insert(letter, list(key, raw, limits, "strings")?);
                }
                _ => return Err(FilterError::Unknown(key.chars().take(40).collect())),
            },
        }
    }
    filter.normalize();
    Ok(filter)
}

fn number(key: &'static str, raw: &str) -> Result<u64, FilterError> {
    raw.parse().map_err(|_| FilterError::Number(key))
}

fn list<'a, T: Deserialize<'a>>(
    key: &str,
    raw: &'a str,
    limits: &FilterLimits,
    of: &'static str,
) -> Result<Vec<T>, FilterError> {
    let values: Vec<T> =
        serde_json::from_str(raw).map_err(|_| FilterError::List(key.to_owned(), of))?;
    if values.len() > limits.values {
        return Err(FilterError::TooMany {
            key: key.to_owned(),
            found: values.len(),
            allowed: limits.values,
        });
    }
    Ok(values)
}

fn hex_list<T>(
    key: &str,
    raw: &str,
    limits: &FilterLimits,
    make: fn([u8; 32]) -> T,
) -> Result<Vec<T>, FilterError> {
    const OF: &str = "strings of 64 lowercase hex digits";
    list::<std::borrow::Cow<'_, str>>(key, raw, limits, OF)?
        .iter()
        .map(|text| lowercase_hex(text).map(make))
        .collect::<Option<_>>()
        .ok_or_else(|| FilterError::List(key.to_owned(), OF))
}
