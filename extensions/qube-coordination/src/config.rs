//! `[extensions.qube_coordination]`: the table as it is written, and how it becomes [`Settings`].
//!
//! Invariant: [`Settings`] are right: what is missing or out of bounds is refused while the table is read, by a start, a reload
//! and `config check` alike, with its key, what was found and what is wanted. Nothing here knows events.

mod alerts;
mod bounds;
mod mirror;
mod networks;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use alerts::{Alerts, Webhook};
pub(crate) use mirror::Mirror;
pub(crate) use networks::NetworkTable;
pub(crate) use settings::Settings;

use bounds::within;
use schemars::{Schema, SchemaGenerator};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use trellis_qube_protocol::{Network, NetworkId};
use trellis_relay::config::{Secret, TimeSpan};
use trellis_relay::extension::prelude::*;
use url::Url;

/// `[extensions.qube_coordination]`
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Config {
    pub(crate) settings: Arc<Settings>,
    /// As the protocol has them.
    pub(crate) networks: BTreeMap<NetworkId, Network>,
}

impl JsonSchema for Config {
    fn schema_name() -> Cow<'static, str> {
        Written::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

impl TryFrom<Written> for Config {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let settings = written.settle()?;
        let networks = crate::networks::of(&settings)?;
        Ok(Config { settings, networks })
    }
}

/// The table as it stands in the file. `networks` must not be empty; every other key may be absent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    /// Where the HTTP routes are. Default: "/api/v1/qube".
    pub(crate) api_prefix: Option<String>,
    /// Services that may call the routes, by name, each with a token of at least 32 characters. Empty: anybody may, as
    /// anybody may ask for the events.
    pub(crate) service_tokens: ServiceTokens,
    /// Requests to the routes from one address in a minute: 1 to 1000000. Default: 300.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) requests_per_minute: Option<u32>,
    /// Whether there is a page that shows the fleet. Default: true.
    pub(crate) dashboard: Option<bool>,
    /// Where that page is. Default: "/qube".
    pub(crate) dashboard_path: Option<String>,
    /// Open pages and others that are told of changes at a time, of one address a quarter of them: 1 to 10000. Default: 256.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) max_listeners: Option<usize>,

    /// Whether the relay takes nothing but directives (33321) and reports (3333). Default: false.
    pub(crate) exclusive: Option<bool>,
    /// Directives that one developer may publish in an hour, for all networks together: 1 to 1000000. Default: 60.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) directives_per_hour: Option<u32>,
    /// What a developer's newer directive withdraws: "network" (their vote on the same network) or "address" (their vote on
    /// whatever network, as the one address of NIP-01 has it). Default: "network".
    pub(crate) vote_scope: VoteScope,
    /// Which key may report for a node: "open" (any), "tofu" (the one of its first report) or "registry" (the one in
    /// `networks.nodes`). Default: "open".
    pub(crate) node_identity: NodeIdentity,

    /// Nodes of one network that are kept track of: 1 to 100000. Default: 10000.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) max_nodes: Option<usize>,
    /// Nodes of one network that one key may report for: 1 to 10000. Default: 16.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) max_node_ids_per_pubkey: Option<usize>,
    /// How long after the quorum, or after a reboot's deadline, a node may take to report: 1s to 30d. Default: "30m".
    pub(crate) ack_within: Option<TimeSpan>,
    /// How long a node may say nothing before it counts as silent: 1m to 365d. Default: "24h".
    pub(crate) silent_after: Option<TimeSpan>,
    /// How long a proposal without a quorum stands: 1m to 365d. Default: "30d".
    pub(crate) proposal_ttl: Option<TimeSpan>,

    /// Other relays of the same fleet, whose retained history is taken over: addresses of their routes, http or https, such
    /// as `https://relay-b.example.com/api/v1/qube`; at most 16.
    #[schemars(length(max = 16))]
    pub(crate) peers: Vec<String>,
    /// What is presented to peers whose routes want a service token.
    pub(crate) peer_token: Option<Secret>,
    /// Time between two looks at the peers: 1s to 1d. Default: "1m".
    pub(crate) peer_interval: Option<TimeSpan>,

    /// Who may direct which network, and how many of them must agree: 1 to 64 networks.
    #[schemars(length(min = 1, max = 64))]
    pub(crate) networks: Vec<NetworkTable>,

    /// Who is told of what needs a person.
    pub(crate) alerts: Alerts,
    /// A copy in PostgreSQL.
    pub(crate) mirror: Mirror,
}

/// `vote_scope`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VoteScope {
    /// A vote a network.
    #[default]
    Network,
    /// One vote at a time.
    Address,
}

/// `node_identity`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NodeIdentity {
    /// Any key.
    #[default]
    Open,
    /// The key of the first report.
    Tofu,
    /// The key in the configuration.
    Registry,
}

impl Written {
    /// The settings that the table asks for; what is wrong is told with the key, what was found and what is allowed.
    fn settle(&self) -> Result<Arc<Settings>, String> {
        let day_s = 86_400;
        if !(1..=64).contains(&self.networks.len()) {
            return Err(format!(
                "networks: found {}, wanted 1 to 64 tables [[extensions.qube_coordination.networks]]",
                self.networks.len()
            ));
        }
        self.alerts.check()?;
        self.mirror.check()?;
        let settings = Settings {
            api_prefix: path("api_prefix", self.api_prefix.as_deref(), "/api/v1/qube")?,
            dashboard_path: match self.dashboard.unwrap_or(true) {
                true => Some(path(
                    "dashboard_path",
                    self.dashboard_path.as_deref(),
                    "/qube",
                )?),
                false => None,
            },
            max_listeners: within("max_listeners", self.max_listeners, 256, 1..=10_000)?,
            service_tokens: self.service_tokens.clone(),
            requests_per_minute: within(
                "requests_per_minute",
                self.requests_per_minute,
                300,
                1..=1_000_000,
            )?,
            exclusive: self.exclusive.unwrap_or(false),
            directives_per_hour: within(
                "directives_per_hour",
                self.directives_per_hour,
                60,
                1..=1_000_000,
            )?,
            vote_scope: self.vote_scope,
            node_identity: self.node_identity,
            max_nodes: within("max_nodes", self.max_nodes, 10_000, 1..=100_000)?,
            max_node_ids_per_pubkey: within(
                "max_node_ids_per_pubkey",
                self.max_node_ids_per_pubkey,
                16,
                1..=10_000,
            )?,
            ack_within_s: bounds::span("ack_within", self.ack_within, 30 * 60, 1..=30 * day_s)?,
            silent_after_s: bounds::span(
                "silent_after",
                self.silent_after,
                day_s,
                60..=365 * day_s,
            )?,
            proposal_ttl_s: bounds::span(
                "proposal_ttl",
                self.proposal_ttl,
                30 * day_s,
                60..=365 * day_s,
            )?,
            peers: self.peers()?,
            peer_token: self.peer_token.clone(),
            peer_interval_s: bounds::span("peer_interval", self.peer_interval, 60, 1..=day_s)?,
            networks: self.networks.clone(),
            alerts: self.alerts.clone(),
            mirror: self.mirror.clone(),
        };
        networks::check(&settings)?;
        Ok(Arc::new(settings))
    }

    fn peers(&self) -> Result<Vec<Url>, String> {
        if self.peers.len() > 16 {
            return Err(format!(
                "peers: found {}, wanted 16 at most",
                self.peers.len()
            ));
        }
        self.peers.iter().map(|found| peer(found)).collect()
    }
}

/// The address of a peer's routes, with a slash at its end so that paths can be joined to it.
fn peer(found: &str) -> Result<Url, String> {
    let wrong = || {
        format!(
            "peers: found {found:?}, wanted the address of another relay's routes, such as \"https://relay-b.example.com/api/v1/qube\""
        )
    };
    let mut url = Url::parse(found).map_err(|_| wrong())?;
    let is_right = ["http", "https"].contains(&url.scheme())
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !is_right {
        return Err(wrong());
    }
    let path = match url.path() {
        "/" => "/api/v1/qube/".to_owned(),
        path => format!("{}/", path.trim_end_matches('/')),
    };
    url.set_path(&path);
    Ok(url)
}

fn path(key: &str, found: Option<&str>, default: &str) -> Result<String, String> {
    let found = found.unwrap_or(default);
    let is_right = found.starts_with('/')
        && found.len() > 1
        && !found.ends_with('/')
        && !found.contains(|char: char| "{}?#".contains(char) || char.is_whitespace());
    match is_right {
        true => Ok(found.to_owned()),
        false => Err(format!(
            "{key}: found {found:?}, wanted a path that begins with a slash and does not end with one, such as {default:?}"
        )),
    }
}
