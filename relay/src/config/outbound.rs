//! `[outbound]`: what extensions may ask of other servers by HTTP or over a WebSocket.
//!
//! The relay asks nobody; without an extension that does, nothing here has any effect.

use super::{ByteSize, IpRange, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What extensions may ask of other servers by HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Addresses that may be reached although they are private, loopback, link-local or reserved; CIDR. Default [].
    pub allow_private: Vec<IpRange>,
    /// PEM files with certificates of authorities that are trusted beside those that browsers trust, for servers of one's
    /// own. They are read when the first request is made after a start or a change. Default [].
    pub trusted_certificates: Vec<PathBuf>,
    /// How long connecting may take, TLS included. A time. Default "5s".
    pub connect_timeout: TimeSpan,
    /// How long a whole request may take, redirects and its turn included; an extension can ask for less. A time. Default
    /// "30s".
    pub timeout: TimeSpan,
    /// Longest body of an answer; one that is longer fails. Bytes. Default "1MiB".
    pub max_body_bytes: ByteSize,
    /// Redirects that one request follows. Default 5.
    pub max_redirects: u32,
    /// Requests of one extension at a time. Default 32.
    #[schemars(range(min = 1))]
    pub max_concurrent: u32,
    /// Requests of one extension that may wait for their turn; one more fails at once. Default 256.
    pub max_waiting: u32,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            trusted_certificates: Vec::new(),
            connect_timeout: TimeSpan::from_secs(5),
            timeout: TimeSpan::from_secs(30),
            max_body_bytes: ByteSize::from_mib(1),
            max_redirects: 5,
            max_concurrent: 32,
            max_waiting: 256,
        }
    }
}
