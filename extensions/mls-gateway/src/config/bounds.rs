//! What is out of bounds is refused with the key, what was found and what is allowed.

use super::{Config, DAY_S};

impl Config {
    /// Checks every number.
    pub(super) fn check_ranges(&self) -> Result<(), String> {
        let rates = &self.rate_limits;
        let month_s = 30 * DAY_S;
        let bounds = [
            ("keypackage_ttl", self.keypackage_ttl, 60, month_s),
            ("welcome_ttl", self.welcome_ttl, 60, month_s),
            ("max_mailbox_letters", self.max_mailbox_letters, 10, 100_000),
            (
                "max_mailbox_bytes",
                self.max_mailbox_bytes,
                4 << 20,
                1 << 30,
            ),
            (
                "message_archive_ttl_days",
                self.message_archive_ttl_days,
                1,
                3650,
            ),
            (
                "keypackage_request_ttl",
                self.keypackage_request_ttl,
                60,
                month_s,
            ),
            (
                "roster_policy_ttl_days",
                self.roster_policy_ttl_days,
                1,
                36_500,
            ),
            (
                "max_connections",
                self.max_connections.map(u64::from),
                1,
                1000,
            ),
            (
                "firestore_batch_size",
                self.firestore_batch_size.map(|it| it as u64),
                1,
                500,
            ),
            (
                "keypackage_low_stock",
                self.keypackage_low_stock.map(|it| it as u64),
                1,
                15,
            ),
            (
                "max_keypackages_per_query",
                self.max_keypackages_per_query.map(|it| it as u64),
                1,
                2,
            ),
            ("keypackage_cache_ttl", self.keypackage_cache_ttl, 1, DAY_S),
            ("group_cache_ttl", self.group_cache_ttl, 1, DAY_S),
            (
                "max_cached_groups",
                self.max_cached_groups.map(|it| it as u64),
                100,
                10_000_000,
            ),
            (
                "max_group_members",
                self.max_group_members.map(|it| it as u64),
                2,
                15_000,
            ),
            (
                "rate_limits.max_keypackage_reads_per_hour",
                Some(rates.max_keypackage_reads_per_hour.into()),
                1,
                u32::MAX.into(),
            ),
            (
                "rate_limits.max_events_per_minute",
                Some(rates.max_events_per_minute.into()),
                1,
                u32::MAX.into(),
            ),
            (
                "rate_limits.max_events_per_minute_per_address",
                rates.max_events_per_minute_per_address.map(u64::from),
                1,
                u32::MAX.into(),
            ),
            (
                "max_remembered_reads",
                self.max_remembered_reads.map(|it| it as u64),
                100,
                1_000_000,
            ),
            (
                "rate_limits.max_keypackages_per_hour",
                Some(rates.max_keypackages_per_hour.into()),
                1,
                u32::MAX.into(),
            ),
            (
                "rate_limits.max_group_messages_per_minute",
                Some(rates.max_group_messages_per_minute.into()),
                1,
                u32::MAX.into(),
            ),
        ];
        for (key, found, min, max) in bounds {
            if let Some(found) = found.filter(|it| !(min..=max).contains(it)) {
                return Err(format!("{key}: found {found}, wanted {min} to {max}"));
            }
        }
        Ok(())
    }
}
