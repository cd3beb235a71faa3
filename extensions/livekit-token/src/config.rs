//! `[extensions.livekit_token]`: the table as it is written, and how it becomes [`Settings`].
//!
//! Invariant: [`Settings`] are right: what is missing or out of bounds stops the start with the key, what was found and
//! what is wanted. The environment beats the file, as it does for the relay's own keys.

mod bounds;
mod environment;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use settings::Settings;

use std::sync::Arc;
use trellis_relay::config::{ByteSize, Secret};
use trellis_relay::extension::prelude::*;
use url::Url;

/// `[extensions.livekit_token]`. LiveKit's key and secret must be set; every other key may be absent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// LiveKit, as the relay reaches it: ws, wss, http or https. Default: "ws://localhost:7880".
    pub(crate) livekit_url: Option<String>,
    /// LiveKit, as clients reach it. Default: `livekit_url`.
    pub(crate) livekit_client_url: Option<String>,
    /// The key under which LiveKit knows the secret.
    pub(crate) livekit_api_key: Option<String>,
    /// What tokens are signed with.
    pub(crate) livekit_api_secret: Option<Secret>,
    /// The key that LiveKit signs webhooks with. Default: `livekit_api_key`.
    pub(crate) livekit_webhook_key: Option<String>,
    /// Its secret. Default: `livekit_api_secret`.
    pub(crate) livekit_webhook_secret: Option<Secret>,

    /// The URL by which clients know these routes, and communities this operator: http or https, without a path. Unset:
    /// `network.relay_url` is what requests are signed for, and rooms may name any operator.
    pub(crate) operator_url: Option<String>,
    /// A Host name at which the routes are mounted, `/health` and `/ready` among them; the relay's own pages are not to be
    /// found there. Unset: they are at every name, and those two are the relay's.
    pub(crate) route_host: Option<String>,
    /// The relay as clients reach it, for its NIP-11 document: ws or wss.
    pub(crate) relay_url: Option<String>,
    /// The Blossom server to which `POST /proxy` uploads: https.
    pub(crate) blossom_url: Option<String>,

    /// Whether there are rooms of communities (`POST /token`, kind 30312). Default: true.
    pub(crate) communities: Option<bool>,
    /// Communities that this operator serves. Empty: all.
    pub(crate) authorized_communities: Pubkeys,
    /// Relays that are watched for rooms besides the own store.
    pub(crate) nostr_relays: Vec<String>,
    /// Whether lists of members are fetched from other relays. Default: false.
    pub(crate) federation: Option<bool>,

    /// Seconds that the time of a signed request to `POST /token` may be off: 1 to 600. Default: 60.
    #[schemars(range(min = 1, max = 600))]
    pub(crate) nip98_time_window: Option<u64>,
    /// Seconds that the time of other signed requests, and of events in their bodies, may be off: 1 to 900. Default: 300.
    #[schemars(range(min = 1, max = 900))]
    pub(crate) clock_tolerance_seconds: Option<u64>,
    /// Seconds for which a token is good: 30 to 3600. Default: 180.
    #[schemars(range(min = 30, max = 3600))]
    pub(crate) jwt_expiry_seconds: Option<u64>,
    /// Seconds for which a token is remembered; at least 60 more than it is good, at most 86400. Default: 300.
    #[schemars(range(min = 90, max = 86_400))]
    pub(crate) token_cache_ttl_seconds: Option<u64>,
    /// What `POST /token/group` and `/token/dm` answer: "plain" or "wrapped" (a gift wrap around an event of kind 20003).
    pub(crate) token_response: TokenResponse,
    /// Where tokens are remembered that several relays issue: `redis://` or `rediss://`. Unset: in this process.
    pub(crate) redis_url: Option<Secret>,

    /// Tokens in one window for one public key. Default: 10.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) rate_limit_tokens_per_pubkey: Option<u32>,
    /// Tokens in one window for one address. Default: 30.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) rate_limit_tokens_per_ip: Option<u32>,
    /// Requests to `POST /proxy` in one window for one public key. Default: 100.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) rate_limit_proxy_per_pubkey: Option<u32>,
    /// Uploads among them. Default: 20.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) rate_limit_uploads_per_pubkey: Option<u32>,
    /// Commits to `POST /mls/commit` in one window for one public key. Default: 60.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) rate_limit_commits_per_pubkey: Option<u32>,
    /// The window, in seconds: 1 to 3600. Default: 60.
    #[schemars(range(min = 1, max = 3600))]
    pub(crate) rate_limit_window_seconds: Option<u64>,

    /// Hosts besides Blossom's from which `POST /proxy` downloads.
    pub(crate) proxy_allowed_hosts: Vec<String>,
    /// Longest file that it takes or gives. Default: "32MiB".
    pub(crate) proxy_max_bytes: Option<ByteSize>,
    /// Files under way at a time, each of which may be held whole: 1 to 1000. Default: 8.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) proxy_max_concurrent: Option<usize>,

    /// No tokens for new calls; rooms that are there may be joined until `maintenance_deadline`. The relay's own maintenance
    /// (`[operation]`) has the same effect. Default: false.
    pub(crate) maintenance: Option<bool>,
    /// When running rooms may be joined no more, in seconds since 1970. Unset: they may until they end.
    pub(crate) maintenance_deadline: Option<u64>,

    /// Participants of one room: 2 to 10000. Default: 50.
    #[schemars(range(min = 2, max = 10_000))]
    pub(crate) room_max_participants: Option<u32>,
    /// Seconds after which LiveKit ends a room that nobody is in: 1 to 86400. Default: 300.
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) room_empty_timeout_seconds: Option<u32>,
    /// Seconds between two looks at who is in which room: 1 to 3600. Default: 30.
    #[schemars(range(min = 1, max = 3600))]
    pub(crate) participants_poll_seconds: Option<u64>,
    /// Seconds between two comparisons of LiveKit's rooms with the events: 1 to 3600. Default: 60.
    #[schemars(range(min = 1, max = 3600))]
    pub(crate) rooms_reconcile_seconds: Option<u64>,
    /// Seconds for which a space that an operator has closed stays closed, unless a newer version of its event opens it: 3600
    /// to 315360000. Default: 7776000 (90 days).
    #[schemars(range(min = 3600, max = 315_360_000))]
    pub(crate) closed_space_ttl_seconds: Option<u64>,
    /// Seconds for which an offered or answered call is remembered: 10 to 3600. Default: 120.
    #[schemars(range(min = 10, max = 3600))]
    pub(crate) dm_offer_ttl_seconds: Option<u64>,

    /// How much is kept in memory.
    pub(crate) bounds: Bounds,
}

/// `token_response`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenResponse {
    /// JSON with the token in it.
    #[default]
    Plain,
    /// A gift wrap (1059) that only the requester can open.
    Wrapped,
}

/// `[extensions.livekit_token.bounds]`: how much is kept in memory. What comes beyond is refused, or the oldest is
/// forgotten.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Bounds {
    /// Tokens that were issued: 100 to 10000000. Default: 100000.
    #[schemars(range(min = 100, max = 10_000_000))]
    pub(crate) tokens: usize,
    /// Calls that were offered or answered: 100 to 1000000. Default: 10000.
    #[schemars(range(min = 100, max = 1_000_000))]
    pub(crate) offers: usize,
    /// Rooms with somebody in them, and as many that LiveKit has, to tell late news of older ones apart: 10 to 1000000. Default: 10000.
    #[schemars(range(min = 10, max = 1_000_000))]
    pub(crate) rooms: usize,
    /// Webhooks, to know one that comes again: 100 to 1000000. Default: 10000.
    #[schemars(range(min = 100, max = 1_000_000))]
    pub(crate) webhooks: usize,
    /// Communities: 1 to 1000000. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) communities: usize,
    /// Members of all communities that are kept: 1 to 1000000. Default: 100000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) community_members: usize,
    /// Rooms that events ask for, of which one author gets a tenth: 10 to 1000000. Default: 10000.
    #[schemars(range(min = 10, max = 1_000_000))]
    pub(crate) watched_rooms: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            tokens: 100_000,
            offers: 10_000,
            rooms: 10_000,
            webhooks: 10_000,
            communities: 1000,
            community_members: 100_000,
            watched_rooms: 10_000,
        }
    }
}

impl Config {
    /// The settings that the table asks for. `environment` gives a variable's value; what is wrong is told with the key,
    /// what was found and what is allowed.
    pub(crate) fn settle(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Arc<Settings>, String> {
        let table = self.with_environment(environment)?;
        table.check_bounds()?;
        let livekit_url = table
            .livekit_url
            .clone()
            .unwrap_or_else(|| "ws://localhost:7880".to_owned());
        let media = ["ws", "wss", "http", "https"];
        address("livekit_url", Some(&livekit_url), &media)?;
        address(
            "livekit_client_url",
            table.livekit_client_url.as_deref(),
            &media,
        )?;
        address("relay_url", table.relay_url.as_deref(), &["ws", "wss"])?;
        let blossom_url = address("blossom_url", table.blossom_url.as_deref(), &["https"])?;
        let livekit_api_key = filled("livekit_api_key", table.livekit_api_key.as_deref())?;
        let secret = table.livekit_api_secret.as_ref().map(Secret::reveal);
        let livekit_api_secret = Secret::from(&*filled("livekit_api_secret", secret)?);
        let (webhook_key, webhook_secret) =
            table.webhook_pair(&livekit_api_key, &livekit_api_secret)?;
        let token_expiry_s = table.jwt_expiry_seconds.unwrap_or(180);
        let bounds = table.bounds;
        Ok(Arc::new(Settings {
            livekit_client_url: table
                .livekit_client_url
                .clone()
                .unwrap_or_else(|| livekit_url.clone()),
            livekit_url,
            livekit_api_key,
            livekit_api_secret,
            webhook_key,
            webhook_secret,
            operator_url: table.operator()?,
            route_host: table.route_host.clone(),
            relay_url: table.relay_url.clone(),
            blossom_url,
            communities: table.communities.unwrap_or(true),
            authorized_communities: table.authorized_communities.clone(),
            nostr_relays: table.relays()?,
            federation: table.federation.unwrap_or(false),
            nip98_time_window_s: table.nip98_time_window.unwrap_or(60),
            clock_tolerance_s: table.clock_tolerance_seconds.unwrap_or(300),
            token_expiry_s,
            token_cache_ttl_s: table.token_cache_ttl_seconds.unwrap_or(300),
            token_response: table.token_response,
            redis_url: table.redis()?,
            tokens_per_pubkey: table.rate_limit_tokens_per_pubkey.unwrap_or(10),
            tokens_per_ip: table.rate_limit_tokens_per_ip.unwrap_or(30),
            proxied_per_pubkey: table.rate_limit_proxy_per_pubkey.unwrap_or(100),
            uploads_per_pubkey: table.rate_limit_uploads_per_pubkey.unwrap_or(20),
            commits_per_pubkey: table.rate_limit_commits_per_pubkey.unwrap_or(60),
            rate_window_s: table.rate_limit_window_seconds.unwrap_or(60),
            proxy_allowed_hosts: table.hosts()?,
            proxy_bytes_max: table.proxy_max_bytes.map_or(32 << 20, ByteSize::as_usize),
            proxied_at_a_time: table.proxy_max_concurrent.unwrap_or(8),
            maintenance: table.maintenance.unwrap_or(false),
            maintenance_deadline_s: table.maintenance_deadline,
            room_participants_max: table.room_max_participants.unwrap_or(50),
            room_empty_timeout_s: table.room_empty_timeout_seconds.unwrap_or(300),
            participants_poll_s: table.participants_poll_seconds.unwrap_or(30),
            rooms_reconcile_s: table.rooms_reconcile_seconds.unwrap_or(60),
            closed_space_ttl_s: table.closed_space_ttl_seconds.unwrap_or(90 * 24 * 3600),
            offer_ttl_s: table.dm_offer_ttl_seconds.unwrap_or(120),
            bounds,
        }))
    }

    fn webhook_pair(&self, key: &str, secret: &Secret) -> Result<(String, Secret), String> {
        let webhook_secret = self.livekit_webhook_secret.as_ref().map(Secret::reveal);
        match (self.livekit_webhook_key.as_deref(), webhook_secret) {
            (None, None) => Ok((key.to_owned(), secret.clone())),
            (key, secret) => Ok((
                filled("livekit_webhook_key", key)?,
                Secret::from(&*filled("livekit_webhook_secret", secret)?),
            )),
        }
    }

    /// Without a slash at its end.
    fn operator(&self) -> Result<Option<String>, String> {
        let url = address(
            "operator_url",
            self.operator_url.as_deref(),
            &["http", "https"],
        )?;
        match url {
            Some(url) if url.path() != "/" => Err(format!(
                "operator_url: found {:?}, wanted no path, since the routes are at the root",
                url.as_str()
            )),
            url => Ok(url.map(|url| url.as_str().trim_end_matches('/').to_owned())),
        }
    }

    fn relays(&self) -> Result<Vec<String>, String> {
        for relay in &self.nostr_relays {
            address("nostr_relays", Some(relay), &["ws", "wss"])?;
        }
        Ok(self.nostr_relays.clone())
    }

    fn redis(&self) -> Result<Option<Secret>, String> {
        let Some(url) = &self.redis_url else {
            return Ok(None);
        };
        let schemes = ["redis://", "rediss://", "unix://", "redis+unix://"];
        if !schemes.iter().any(|it| url.reveal().starts_with(it)) {
            return Err(
                "redis_url: found another scheme, wanted redis://, rediss:// or unix://".to_owned(),
            );
        }
        match cfg!(feature = "redis") {
            true => Ok(Some(url.clone())),
            false => Err(
                "redis_url: this program is built without Redis; build it with the feature livekit_token_redis".to_owned(),
            ),
        }
    }

    fn hosts(&self) -> Result<Vec<String>, String> {
        let wrong = |host: &&String| {
            host.is_empty()
                || host.contains(|char: char| "/:?#@*".contains(char) || char.is_whitespace())
        };
        match self.proxy_allowed_hosts.iter().find(wrong) {
            Some(wrong) => Err(format!(
                "proxy_allowed_hosts: found {wrong:?}, wanted names of hosts such as \"media.example.com\""
            )),
            None => Ok(self
                .proxy_allowed_hosts
                .iter()
                .map(|it| it.to_ascii_lowercase())
                .collect()),
        }
    }
}

/// What must not be missing nor empty. Its value is not told, since it may be a secret.
fn filled(key: &str, found: Option<&str>) -> Result<String, String> {
    match found.map(str::trim) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        found => Err(format!(
            "{key}: found {}, wanted what the keys of LiveKit's own configuration say",
            found.map_or("nothing", |_| "an empty text")
        )),
    }
}

/// An absolute URL with one of these schemes, if there is one.
fn address(key: &str, found: Option<&str>, schemes: &[&str]) -> Result<Option<Url>, String> {
    let Some(found) = found else {
        return Ok(None);
    };
    match Url::parse(found) {
        Ok(url)
            if schemes.contains(&url.scheme())
                && url.has_host()
                && url.username().is_empty()
                && url.query().is_none()
                && url.fragment().is_none() =>
        {
            Ok(Some(url))
        }
        _ => Err(format!(
            "{key}: found {found:?}, wanted a URL with {}, without user, query and fragment",
            schemes.join(", ")
        )),
    }
}
