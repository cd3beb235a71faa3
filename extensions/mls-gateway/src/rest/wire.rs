//! Shapes that several routes share. Times are RFC 3339 UTC, keys are hex in answers, and npub or hex in requests.

use schemars::JsonSchema;
use serde::Serialize;
use trellis_relay::config::Timestamp;
use trellis_relay::extension::prelude::{ApiError, PublicKey};

/// A time of the database's as an answer has it.
pub(super) fn time(seconds: u64) -> Timestamp {
    Timestamp::from_unix_secs(seconds)
}

/// A key as an answer has it.
pub(super) fn hex(pubkey: &PublicKey) -> String {
    pubkey.to_hex()
}

/// It was done.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsDone")]
pub(super) struct Done {
    /// Always true.
    pub(super) ok: bool,
}

/// A letter was put into a mailbox.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsDeposited")]
pub(super) struct Deposited {
    /// Always true.
    pub(super) ok: bool,
    /// The letter's id, with which its recipient acknowledges it.
    pub(super) id: String,
}

/// How many items are wanted.
pub(super) fn limit(asked: Option<usize>, default: usize, max: usize) -> Result<usize, ApiError> {
    match asked {
        None => Ok(default),
        Some(0) => Err(ApiError::bad_request(format!(
            "limit must be a number from 1 to {max}"
        ))),
        Some(limit) => Ok(limit.min(max)),
    }
}

/// A group's id as clients may choose it.
pub(super) fn check_group_id(group_id: &str) -> Result<(), ApiError> {
    const BYTES_MAX: usize = 256;
    let is_text = !group_id.is_empty() && !group_id.chars().any(char::is_control);
    match is_text && group_id.len() <= BYTES_MAX {
        true => Ok(()),
        false => Err(ApiError::bad_request(format!(
            "group_id must have 1 to {BYTES_MAX} bytes, without control characters"
        ))),
    }
}
