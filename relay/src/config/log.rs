//! `[log]`: what is logged, how, and for how long it is kept.

use super::{ByteSize, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is logged, how, and for how long it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level (error, warn, info, debug, trace) or levels by module, such as "info,trellis_relay::store=debug".
    /// RUST_LOG beats LOG_LEVEL beats this. Needs a restart. Default "info".
    pub filter: String,
    /// "text" for people, "json" for log collectors. Default "text".
    pub format: LogFormat,
    /// Where files with the log are written, beside standard error: `requests-*.jsonl`, and `errors-*.jsonl` with warnings and
    /// errors. Needs a restart. Default none.
    pub directory: Option<PathBuf>,
    /// How long a line in a file with requests is kept at most. A time up to 24h. Needs a restart. Default "24h".
    pub request_retention: TimeSpan,
    /// The same for warnings and errors. A time up to 7d. Needs a restart. Default "7d".
    pub error_retention: TimeSpan,
    /// How much the files of each of the two take at most; the oldest go first. Needs a restart. Default "256MiB".
    pub max_bytes: ByteSize,
}

/// The longest that requests are kept.
pub(in crate::config) const REQUESTS_MAX: TimeSpan = TimeSpan::from_secs(86_400);
/// The longest that errors are kept.
pub(in crate::config) const ERRORS_MAX: TimeSpan = TimeSpan::from_secs(7 * 86_400);

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Text,
            directory: None,
            request_retention: REQUESTS_MAX,
            error_retention: ERRORS_MAX,
            max_bytes: ByteSize::from_mib(256),
        }
    }
}
