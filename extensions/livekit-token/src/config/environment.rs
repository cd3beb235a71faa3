//! The variables of the environment by which this table's keys are known elsewhere.
//!
//! Invariant: an empty variable is as good as none, and one that cannot be read is told by its own name, without its value.

use super::Config;
use std::str::FromStr;
use trellis_relay::config::Secret;
use trellis_relay::extension::prelude::*;

impl Config {
    /// The table, with what the environment says instead.
    pub(super) fn with_environment(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut table = self.clone();
        let variables = Variables(&|name| {
            let value = environment(name)?.trim().to_owned();
            Some(value).filter(|value| !value.is_empty())
        });
        variables.text("LIVEKIT_URL", &mut table.livekit_url);
        variables.text("LIVEKIT_CLIENT_URL", &mut table.livekit_client_url);
        variables.text("LIVEKIT_API_KEY", &mut table.livekit_api_key);
        variables.secret("LIVEKIT_API_SECRET", &mut table.livekit_api_secret);
        variables.text("LIVEKIT_WEBHOOK_KEY", &mut table.livekit_webhook_key);
        variables.secret("LIVEKIT_WEBHOOK_SECRET", &mut table.livekit_webhook_secret);
        variables.text("OPERATOR_URL", &mut table.operator_url);
        variables.text("RELAY_URL", &mut table.relay_url);
        variables.text("BLOSSOM_URL", &mut table.blossom_url);
        variables.secret("REDIS_URL", &mut table.redis_url);
        variables.list("NOSTR_RELAYS", &mut table.nostr_relays);
        variables.people("AUTHORIZED_COMMUNITIES", &mut table.authorized_communities)?;
        variables.number("NIP98_TIME_WINDOW", &mut table.nip98_time_window)?;
        variables.number("JWT_EXPIRY_SECONDS", &mut table.jwt_expiry_seconds)?;
        variables.number(
            "TOKEN_CACHE_TTL_SECONDS",
            &mut table.token_cache_ttl_seconds,
        )?;
        variables.number(
            "CLOCK_TOLERANCE_SECONDS",
            &mut table.clock_tolerance_seconds,
        )?;
        variables.number(
            "RATE_LIMIT_TOKENS_PER_PUBKEY",
            &mut table.rate_limit_tokens_per_pubkey,
        )?;
        variables.number(
            "RATE_LIMIT_TOKENS_PER_IP",
            &mut table.rate_limit_tokens_per_ip,
        )?;
        variables.number(
            "RATE_LIMIT_PROXY_PER_PUBKEY",
            &mut table.rate_limit_proxy_per_pubkey,
        )?;
        variables.number(
            "RATE_LIMIT_UPLOADS_PER_PUBKEY",
            &mut table.rate_limit_uploads_per_pubkey,
        )?;
        variables.number(
            "RATE_LIMIT_COMMITS_PER_PUBKEY",
            &mut table.rate_limit_commits_per_pubkey,
        )?;
        variables.number(
            "RATE_LIMIT_WINDOW_SECONDS",
            &mut table.rate_limit_window_seconds,
        )?;
        Ok(table)
    }
}

/// The environment, by name; what is empty is not there.
struct Variables<'e>(&'e dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    fn text(&self, name: &str, key: &mut Option<String>) {
        if let Some(value) = (self.0)(name) {
            *key = Some(value);
        }
    }

    fn secret(&self, name: &str, key: &mut Option<Secret>) {
        if let Some(value) = (self.0)(name) {
            *key = Some(Secret::from(value.as_str()));
        }
    }

    fn number<T: FromStr>(&self, name: &str, key: &mut Option<T>) -> Result<(), String> {
        if let Some(value) = (self.0)(name) {
            let number = value
                .parse()
                .map_err(|_| format!("{name}: found no whole number in the environment"))?;
            *key = Some(number);
        }
        Ok(())
    }

    fn list(&self, name: &str, key: &mut Vec<String>) {
        if let Some(value) = (self.0)(name) {
            *key = items(&value).map(str::to_owned).collect();
        }
    }

    fn people(&self, name: &str, key: &mut Pubkeys) -> Result<(), String> {
        let Some(value) = (self.0)(name) else {
            return Ok(());
        };
        let people = items(&value).map(|text| {
            PublicKey::parse(text)
                .map_err(|_| format!("{name}: found {text:?}, wanted npub or 64 hex digits"))
        });
        *key = people.collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// What commas separate.
fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|it| !it.is_empty())
}
