//! What all commands need to know: relays, networks, and how to print. From a file, and from flags that go before it.

use crate::{Misuse, span};
use anyhow::Context as _;
use nostr::key::Keys;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trellis_qube_protocol::{Identity, Network, NetworkId, NodeId, Pubkey, VoteScope};
use url::Url;

/// Arguments of every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Common {
    /// The file with relays and networks. Without it ~/.config/trellis/qube.toml, if that is there.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A relay to ask and publish to; may be repeated, and goes before those of the file.
    #[arg(long = "relay", value_name = "URL")]
    relays: Vec<Url>,
    /// The HTTP routes of a relay, for the history of what was replaced: `https://HOST/api/v1/qube`; may be repeated.
    #[arg(long = "api", value_name = "URL")]
    apis: Vec<Url>,
    /// The network.
    #[arg(short, long, value_name = "ID")]
    network: Option<NetworkId>,
    /// A developer of that network, npub or hex; may be repeated. With --quorum, in place of the file's.
    #[arg(long = "developer", value_name = "PUBKEY", requires = "quorum")]
    developers: Vec<Pubkey>,
    /// How many developers have to agree.
    #[arg(long, value_name = "NUMBER", requires = "developers")]
    quorum: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// How long to wait for relays.
    #[arg(long, value_name = "SPAN", default_value = "15s", value_parser = span::span)]
    timeout: Duration,
}

/// What the file has.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    relays: Vec<Url>,
    api: Vec<Url>,
    /// A file with the token that the routes ask for.
    api_token_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    /// The network that is meant where none is named.
    network: Option<NetworkId>,
    vote_scope: VoteScope,
    networks: Vec<NetworkTable>,
}

/// A network, as in the relay's configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkTable {
    id: NetworkId,
    developers: Vec<Pubkey>,
    quorum: usize,
    #[serde(default)]
    node_identity: Identity,
    #[serde(default)]
    nodes: Vec<NodeTable>,
    ack_within: Option<String>,
    silent_after: Option<String>,
    proposal_ttl: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeTable {
    node_id: NodeId,
    pubkey: Option<Pubkey>,
}

/// What was settled.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) relays: Vec<Url>,
    pub(crate) apis: Vec<Url>,
    pub(crate) api_token_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) networks: Vec<Network>,
    pub(crate) scope: VoteScope,
    pub(crate) json: bool,
    pub(crate) patience: Duration,
    /// Who looks, for relays that ask.
    pub(crate) reader: Option<Keys>,
    chosen: Option<NetworkId>,
}

impl Common {
    /// Reads the file and lets the flags go before it.
    pub(crate) fn settle(&self) -> anyhow::Result<Settings> {
        let file = self.file()?;
        let mut networks = Vec::with_capacity(file.networks.len());
        for table in file.networks {
            networks.push(table.network()?);
        }
        let chosen = self.network.clone().or(file.network);
        if let Some(quorum) = self.quorum {
            let id = chosen
                .clone()
                .ok_or_else(|| misuse("--developer and --quorum are of --network ID"))?;
            let network = Network::new(id.clone(), self.developers.iter().copied(), quorum);
            networks.retain(|known| known.id != id);
            networks.push(network.map_err(misuse)?);
        }
        let given = |flags: &[Url], file: Vec<Url>| match flags.is_empty() {
            true => file,
            false => flags.to_vec(),
        };
        Ok(Settings {
            relays: given(&self.relays, file.relays),
            apis: given(&self.apis, file.api),
            api_token_file: file.api_token_file,
            key_file: file.key_file,
            networks,
            scope: file.vote_scope,
            json: self.json,
            patience: self.timeout,
            reader: None,
            chosen,
        })
    }

    fn file(&self) -> anyhow::Result<File> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None => match default_folder().map(|folder| folder.join("qube.toml")) {
                Some(path) if path.is_file() => path,
                _ => return Ok(File::default()),
            },
        };
        read(&path)
    }
}

fn read(path: &Path) -> anyhow::Result<File> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let file = toml::from_str(&text);
    file.map_err(|error| misuse(format!("{}: {error}", path.display())))
}

/// Where a user's own files are: the configuration and the key.
pub(crate) fn default_folder() -> Option<PathBuf> {
    let home = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder =
        home("XDG_CONFIG_HOME").or_else(|| home("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("trellis"))
}

impl NetworkTable {
    fn network(self) -> anyhow::Result<Network> {
        let mut network = Network::new(self.id, self.developers, self.quorum).map_err(misuse)?;
        network.identity = self.node_identity;
        let nodes: BTreeMap<NodeId, Option<Pubkey>> = self
            .nodes
            .into_iter()
            .map(|node| (node.node_id, node.pubkey))
            .collect();
        network.nodes = nodes;
        let spans = [
            (&self.ack_within, &mut network.ack_within_s),
            (&self.silent_after, &mut network.silent_after_s),
            (&self.proposal_ttl, &mut network.proposal_ttl_s),
        ];
        for (text, seconds) in spans {
            if let Some(text) = text {
                *seconds = span::seconds(text).map_err(misuse)?;
            }
        }
        Ok(network)
    }
}

impl Settings {
    /// The network that is meant.
    pub(crate) fn network(&self) -> anyhow::Result<&Network> {
        match (&self.chosen, &self.networks[..]) {
            (Some(id), networks) => {
                let known = networks.iter().find(|network| network.id == *id);
                known.ok_or_else(|| {
                    misuse(format!(
                        "network `{id}` is not in the configuration; --developer and --quorum describe it as well"
                    ))
                })
            }
            (None, [only]) => Ok(only),
            (None, []) => Err(misuse(
                "no network: --network ID with --developer and --quorum, or a configuration with [[networks]]",
            )),
            (None, _) => Err(misuse("several networks: say which with --network ID")),
        }
    }

    /// The network that is meant, or all.
    pub(crate) fn wanted(&self) -> anyhow::Result<Vec<&Network>> {
        match self.chosen {
            Some(_) => Ok(vec![self.network()?]),
            None if self.networks.is_empty() => self.network().map(|network| vec![network]),
            None => Ok(self.networks.iter().collect()),
        }
    }
}

/// An error for arguments and configuration.
pub(crate) fn misuse(problem: impl ToString) -> anyhow::Error {
    Misuse(problem.to_string()).into()
}
