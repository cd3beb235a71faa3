//! `[data]`: where and how events are stored.
//!
//! Not here: what clients may store, which is `[limitation]`.

use super::{ByteSize, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where and how events are stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// Directory of the database; made if it does not exist. Default "./data".
    pub path: PathBuf,
    /// How long one query may work before it ends in `CLOSED error: query timeout`; waiting for a slow client does not
    /// count. A time. Default "5s".
    pub db_query_timeout: TimeSpan,
    /// Largest size of the database. Bytes; rounded down to whole pages. The file grows as needed and only address space
    /// is taken at once, so be generous. Default "64GiB".
    pub map_size: ByteSize,
    /// Events that were let in and are not yet stored and handed to every worker, all connections together. Bytes. When
    /// the budget is used up, the relay reads no further events until some are done. Default "64MiB".
    pub in_flight_bytes: ByteSize,
    /// How often the rules of `[[retention]]` are applied; more seldom where that took more than a twentieth of the time.
    /// A time. Default "1m".
    pub retention_interval: TimeSpan,
    /// Unix socket through which `trellis import`, `export`, `delete`, `check` and `compact` reach the running relay.
    /// Only the relay's own user may open it. A relative path is below `path`; "" opens none. Default "admin.sock".
    pub admin_socket: PathBuf,
    /// Whether the relay may start where files do not outlive it (`K_SERVICE` is set, as on Cloud Run) although nothing
    /// carries them away: all of `path` is lost with the instance then. Default false.
    pub allow_ephemeral: bool,
}

impl Data {
    /// Where the admin socket is, unless there is none.
    pub fn admin_socket_path(&self) -> Option<PathBuf> {
        let is_set = !self.admin_socket.as_os_str().is_empty();
        is_set.then(|| self.path.join(&self.admin_socket))
    }
}

impl Default for Data {
    fn default() -> Self {
        Self {
            path: PathBuf::from("./data"),
            db_query_timeout: TimeSpan::from_secs(5),
            map_size: ByteSize::from_mib(64 << 10),
            in_flight_bytes: ByteSize::from_mib(64),
            admin_socket: PathBuf::from("admin.sock"),
            allow_ephemeral: false,
            retention_interval: TimeSpan::from_secs(60),
        }
    }
}
