//! `[thread]`: how many threads do the work; `[server]`: other names for what stands in `[network]` and here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

/// How many threads do the work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thread {
    /// Workers that serve connections. Threads; 0 means one a core. Default 0.
    #[schemars(range(max = 1024))]
    pub http: u16,
    /// Readers that run long queries. Threads; 0 means one a core, at least 2 and at most 8. Default 0.
    #[schemars(range(max = 1024))]
    pub reader: u16,
}

/// Other names for `network.host`, `network.port` and `thread.http`. Loading moves them there, so in a loaded
/// configuration all three are empty. Set both names, differently, and the start is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Same as `network.host`. Default none.
    pub host: Option<String>,
    /// Same as `network.port`. Default none.
    pub port: Option<u16>,
    /// Same as `thread.http`. Threads. Default none.
    #[schemars(range(max = 1024))]
    pub workers: Option<u16>,
}

impl Thread {
    /// Workers to start on this machine.
    pub fn http_threads(&self) -> usize {
        if self.http == 0 {
            cores()
        } else {
            usize::from(self.http)
        }
    }

    /// Readers to start on this machine.
    pub fn reader_threads(&self) -> usize {
        if self.reader == 0 {
            cores().clamp(2, 8)
        } else {
            usize::from(self.reader)
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
