//! `[network]`: listening, connections, timeouts and proxies.
//!
//! Not here: what a client may send over a connection, which is `[limitation]`.

use super::{ByteSize, IpRange, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Host that is listened on where neither a file nor the environment says another.
pub(crate) const LOOPBACK_HOST: &str = "127.0.0.1";
/// Host that is listened on where a platform hands the relay its port.
pub(crate) const ANY_HOST: &str = "0.0.0.0";
/// Lifetime of connections on Cloud Run, which cuts them off after 60 minutes.
pub(crate) const CLOUD_RUN_LIFETIME: TimeSpan = TimeSpan::from_secs(58 * 60);

/// Listening, connections, timeouts and proxies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Address to listen on. Default "127.0.0.1"; "0.0.0.0" where PORT or K_SERVICE is set in the environment.
    pub host: String,
    /// Port to listen on; 0 lets the system choose. Default 8080.
    pub port: u16,
    /// The address clients know the relay by, `wss://...`; NIP-42 and NIP-98 compare what clients signed with it. Default
    /// none: only loopback names and the socket's own address are accepted, since clients write the Host header.
    pub relay_url: Option<String>,
    /// Origins whose web pages may call the HTTP routes (CORS), `*` for all. Default ["*"].
    pub allowed_origins: Vec<String>,
    /// Whether `/openapi.json` and the page `/openapi` describe what can be called over HTTP. Default true.
    pub openapi: bool,
    /// Open connections in all. Connections. Default 20000.
    #[schemars(range(min = 1))]
    pub max_connections: u32,
    /// Open connections from one client address; loopback addresses are not counted. Connections. Default 1000.
    #[schemars(range(min = 1))]
    pub max_connections_per_ip: u32,
    /// Header in which a trusted proxy names the client's address, such as "X-Real-IP" or "X-Forwarded-For". Default
    /// none: the peer's address is the client's.
    pub real_ip_header: Option<String>,
    /// Addresses of the proxies whose `real_ip_header` is believed; CIDR. Default [].
    pub trusted_proxies: Vec<IpRange>,
    /// How long a new connection may take to send its whole request. A time. Default "10s".
    pub handshake_timeout: TimeSpan,
    /// How long the body of an HTTP request may take to come, where an extension's route takes it whole. A time. Default
    /// "30s".
    pub body_timeout: TimeSpan,
    /// A connection from which nothing at all, not even a pong, has come for so long is closed. A time, longer than
    /// `ping_interval`. Default "75s".
    pub idle_timeout: TimeSpan,
    /// How often a quiet client is pinged. A time. Default "30s".
    pub ping_interval: TimeSpan,
    /// A connection is closed with 1001 when it has lived so long, or up to a seventh less, which differs from one to the
    /// next; clients come back by themselves. For platforms that cut connections off after a while. A time; 0: never.
    /// Default "0s"; "58m" where K_SERVICE is set in the environment, since Cloud Run cuts after 60 minutes.
    pub connection_lifetime: TimeSpan,
    /// A client that takes none of the waiting bytes for so long is dropped. A time, at most 60 s. Default "30s".
    pub write_timeout: TimeSpan,
    /// Bytes that may wait for one client to read; one that lets more pile up is dropped. Bytes, more than
    /// `limitation.max_message_length`. Default "4MiB".
    pub outbox_bytes: ByteSize,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            host: LOOPBACK_HOST.to_owned(),
            port: 8080,
            relay_url: None,
            allowed_origins: vec!["*".to_owned()],
            openapi: true,
            max_connections: 20_000,
            max_connections_per_ip: 1_000,
            real_ip_header: None,
            trusted_proxies: Vec::new(),
            handshake_timeout: TimeSpan::from_secs(10),
            body_timeout: TimeSpan::from_secs(30),
            idle_timeout: TimeSpan::from_secs(75),
            ping_interval: TimeSpan::from_secs(30),
            connection_lifetime: TimeSpan::from_secs(0),
            write_timeout: TimeSpan::from_secs(30),
            outbox_bytes: ByteSize::from_mib(4),
        }
    }
}
