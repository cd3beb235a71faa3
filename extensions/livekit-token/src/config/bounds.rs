//! The ranges of numbers in the table, and what they must be to each other.

use super::Config;

impl Config {
    /// The first number that is out of its range, with what is allowed.
    pub(super) fn check_bounds(&self) -> Result<(), String> {
        let bounds = &self.bounds;
        let rates = [
            (
                "rate_limit_tokens_per_pubkey",
                self.rate_limit_tokens_per_pubkey,
            ),
            ("rate_limit_tokens_per_ip", self.rate_limit_tokens_per_ip),
            (
                "rate_limit_proxy_per_pubkey",
                self.rate_limit_proxy_per_pubkey,
            ),
            (
                "rate_limit_uploads_per_pubkey",
                self.rate_limit_uploads_per_pubkey,
            ),
            (
                "rate_limit_commits_per_pubkey",
                self.rate_limit_commits_per_pubkey,
            ),
        ];
        let rates = rates.map(|(key, found)| (key, found.map(u64::from), 1, 1_000_000));
        let spans = [
            ("nip98_time_window", self.nip98_time_window, 1, 600),
            (
                "clock_tolerance_seconds",
                self.clock_tolerance_seconds,
                1,
                900,
            ),
            ("jwt_expiry_seconds", self.jwt_expiry_seconds, 30, 3600),
            (
                "token_cache_ttl_seconds",
                self.token_cache_ttl_seconds,
                90,
                86_400,
            ),
            (
                "rate_limit_window_seconds",
                self.rate_limit_window_seconds,
                1,
                3600,
            ),
            (
                "room_max_participants",
                self.room_max_participants.map(u64::from),
                2,
                10_000,
            ),
            (
                "room_empty_timeout_seconds",
                self.room_empty_timeout_seconds.map(u64::from),
                1,
                86_400,
            ),
            (
                "participants_poll_seconds",
                self.participants_poll_seconds,
                1,
                3600,
            ),
            (
                "rooms_reconcile_seconds",
                self.rooms_reconcile_seconds,
                1,
                3600,
            ),
            (
                "closed_space_ttl_seconds",
                self.closed_space_ttl_seconds,
                3600,
                315_360_000,
            ),
            ("dm_offer_ttl_seconds", self.dm_offer_ttl_seconds, 10, 3600),
            (
                "proxy_max_concurrent",
                self.proxy_max_concurrent.map(|it| it as u64),
                1,
                1000,
            ),
            (
                "proxy_max_bytes",
                self.proxy_max_bytes.map(|it| it.bytes()),
                1,
                1 << 30,
            ),
        ];
        let kept = [
            ("bounds.tokens", bounds.tokens, 100, 10_000_000),
            ("bounds.offers", bounds.offers, 100, 1_000_000),
            ("bounds.rooms", bounds.rooms, 10, 1_000_000),
            ("bounds.webhooks", bounds.webhooks, 100, 1_000_000),
            ("bounds.communities", bounds.communities, 1, 1_000_000),
            (
                "bounds.community_members",
                bounds.community_members,
                1,
                1_000_000,
            ),
            ("bounds.watched_rooms", bounds.watched_rooms, 10, 1_000_000),
        ];
        let kept = kept.map(|(key, found, min, max)| (key, Some(found as u64), min, max));
        for (key, found, min, max) in spans.into_iter().chain(rates).chain(kept) {
            if let Some(found) = found.filter(|it| !(min..=max).contains(it)) {
                return Err(format!("{key}: found {found}, wanted {min} to {max}"));
            }
        }
        let expiry = self.jwt_expiry_seconds.unwrap_or(180);
        let remembered = self.token_cache_ttl_seconds.unwrap_or(300);
        match remembered < expiry + 60 {
            true => Err(format!(
                "token_cache_ttl_seconds: found {remembered}, wanted at least {}: 60 more than jwt_expiry_seconds, so that \
                 a token is remembered for longer than it is good",
                expiry + 60
            )),
            false => Ok(()),
        }
    }
}
