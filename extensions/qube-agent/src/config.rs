//! The agent's configuration: one TOML file, strict.
//!
//! Invariant: a [`Config`] that exists was checked; what is wrong with a file is said with the file, the key, what was
//! found and what is allowed.

mod amounts;
mod check;
mod error;
mod reality;

pub(crate) use amounts::{Bytes, Span};
pub(crate) use error::ConfigError;

use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use trellis_qube_protocol::{NetworkId, NodeId, Pubkey, Version};
use url::Url;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where votes, history and journals are kept. A folder, made where it is missing.
    pub(crate) data_dir: PathBuf,
    /// The node's secret key: nsec or 64 hex digits, or the `keys.json` of the Go client. Mode 0600 or stricter.
    pub(crate) key_file: PathBuf,
    /// Where signals come from and reports go: wss:// (or ws://) addresses, 1 to 32.
    pub(crate) relays: Vec<Url>,
    /// Where `/health` and `/metrics` are served. Default none: nowhere.
    pub(crate) listen: Option<SocketAddr>,
    /// Decide and log, and do and report nothing. Default false.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// How often is looked at what time alone changes. Default 5s; 100ms to 10m.
    #[serde(default = "five_seconds")]
    pub(crate) check_every: Span,
    /// How long a quorum must have stood in this agent's view before it acts: votes that come together are seen together.
    /// Default 5s; 0s to 1h.
    #[serde(default = "five_seconds")]
    pub(crate) settle: Span,
    /// How files are fetched.
    #[serde(default)]
    pub(crate) download: Download,
    /// The networks that this machine has a node of, 1 to 64.
    pub(crate) networks: Vec<Network>,
}

/// How files are fetched.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Download {
    /// Whether http:// may be asked as well: for tests and networks that are closed otherwise. Default false.
    pub(crate) allow_http: bool,
    /// For how long a fetch that fails is tried again, and how long a file may take (a minute in any case), before the
    /// action has failed. Default 15m; 0s to 24h.
    pub(crate) within: Span,
    /// Certificates of authorities beside those that browsers trust. PEM files.
    pub(crate) trusted_certificates: Vec<PathBuf>,
}

impl Default for Download {
    fn default() -> Self {
        Download {
            allow_http: false,
            within: Span::from_secs(15 * 60),
            trusted_certificates: Vec::new(),
        }
    }
}

/// A node of one network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// The network's name, as signals have it.
    pub(crate) id: NetworkId,
    /// Whose signals count: npub or hex.
    pub(crate) developers: Vec<Pubkey>,
    /// How many of them have to agree: 1 to their number.
    pub(crate) quorum: usize,
    /// This node's name in reports.
    pub(crate) node_id: NodeId,
    /// The version that runs before the first upgrade by this agent. Default none: unknown.
    pub(crate) current_version: Option<Version>,
    /// Prints the version that runs, whatever the history says. A program and its arguments.
    pub(crate) current_version_command: Option<Vec<String>>,
    /// Prints the height of the chain, for conditions. A program and its arguments.
    pub(crate) height_command: Option<Vec<String>>,
    /// What to do for an upgrade. Without it upgrades are refused.
    pub(crate) upgrade: Option<Upgrade>,
    /// What to do for a reboot. Without it reboots are refused.
    pub(crate) reboot: Option<Reboot>,
}

/// What an upgrade is on this node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upgrade {
    /// Where the program is: `{version}`, `{hash}`, `{os}` and `{arch}` are filled in.
    pub(crate) url_template: String,
    /// The program's file, which is replaced.
    pub(crate) binary: PathBuf,
    /// Has the node run the new program. A program and its arguments.
    pub(crate) restart: Vec<String>,
    /// How long that may take before it is killed and has failed. Default 2m; 1s to 1h.
    #[serde(default = "two_minutes")]
    pub(crate) restart_within: Span,
    /// How it is seen that the node is well. Default none: the command's end alone counts.
    pub(crate) probe: Option<Probe>,
    /// Whether a version below the one that runs may be installed. Default false.
    #[serde(default)]
    pub(crate) allow_downgrade: bool,
    /// The largest program. Default 1GiB; 1B to 16GiB.
    #[serde(default = "one_gibibyte")]
    pub(crate) max_bytes: Bytes,
}

/// What a reboot is on this node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reboot {
    /// The genesis file, which is replaced.
    pub(crate) genesis_path: PathBuf,
    /// Has the node begin anew from it. A program and its arguments.
    pub(crate) command: Vec<String>,
    /// How long that may take before it is killed and has failed. Default 2m; 1s to 1h.
    #[serde(default = "two_minutes")]
    pub(crate) command_within: Span,
    /// How it is seen that the node is well. Default none: the command's end alone counts.
    pub(crate) probe: Option<Probe>,
    /// Whether a signal without `genesis_hash` is refused. Default false.
    #[serde(default)]
    pub(crate) require_genesis_hash: bool,
    /// The largest genesis. Default 64MiB; 1B to 16GiB.
    #[serde(default = "sixty_four_mebibytes")]
    pub(crate) max_bytes: Bytes,
}

/// How it is seen that a node is well: one of `command` and `url`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// Ends with 0 when the node is well. A program and its arguments.
    pub(crate) command: Option<Vec<String>>,
    /// Answers with 2xx when the node is well.
    pub(crate) url: Option<Url>,
    /// How long the node has to become well. Default 2m; 1s to 24h.
    #[serde(default = "two_minutes")]
    pub(crate) within: Span,
    /// How often it is asked. Default 2s; 50ms to 10m.
    #[serde(default = "two_seconds")]
    pub(crate) every: Span,
}

impl Config {
    /// Reads a file and checks it.
    pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            file: path.to_owned(),
            source,
        })?;
        let mut config = Config::parse(path, &text)?;
        // Commands run in folders of their own: what is relative is meant from where the agent was started.
        config.data_dir = std::path::absolute(&config.data_dir).unwrap_or(config.data_dir);
        Ok(config)
    }

    /// What a text that is to be that file would be.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|source| ConfigError::Toml {
            file: path.to_owned(),
            source: Box::new(source),
        })?;
        match check::first_problem(&config) {
            None => Ok(config),
            Some(problem) => Err(ConfigError::Value {
                file: path.to_owned(),
                problem,
            }),
        }
    }

    /// What the configuration names and this machine does not have, as far as this user sees.
    pub(crate) fn missing(&self) -> Vec<String> {
        reality::missing(self)
    }

    /// Where a network's state is kept.
    pub(crate) fn folder_of(&self, network: &NetworkId) -> PathBuf {
        self.data_dir.join("networks").join(network.as_str())
    }
}

fn five_seconds() -> Span {
    Span::from_secs(5)
}

fn two_seconds() -> Span {
    Span::from_secs(2)
}

fn two_minutes() -> Span {
    Span::from_secs(120)
}

fn one_gibibyte() -> Bytes {
    Bytes(1 << 30)
}

fn sixty_four_mebibytes() -> Bytes {
    Bytes(64 << 20)
}
