//! `[rate_limits]`: how often one may publish, and take KeyPackages.
//!
//! Who sends counts, by authenticated key or else by address: authors of group messages and gift wraps are made up anew for
//! each. KeyPackages alone are counted by author, which is who they are about. Since keys cost nothing, an address has a
//! bound of its own, whoever has authenticated from there.

use crate::config::Settings;
use crate::kinds::{ADDRESSABLE_KEY_PACKAGE, GROUP_MESSAGE, KEY_PACKAGE};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

/// What was published lately, and by whom.
#[derive(Debug)]
pub(crate) struct Limits {
    events: RateLimiter,
    events_of_address: RateLimiter,
    group_messages: RateLimiter,
    key_packages: RateLimiter,
    taken_packages: RateLimiter,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl Limits {
    pub(crate) fn new(settings: &Settings, host: &Host) -> Self {
        let rates = &settings.rate_limits;
        Limits {
            events: host.rate_limiter(rates.max_events_per_minute, MINUTE),
            events_of_address: host.rate_limiter(rates.per_address(), MINUTE),
            group_messages: host.rate_limiter(rates.max_group_messages_per_minute, MINUTE),
            key_packages: host.rate_limiter(rates.max_keypackages_per_hour, HOUR),
            taken_packages: host.rate_limiter(rates.max_keypackage_reads_per_hour, HOUR),
        }
    }

    /// Counts one event.
    pub(super) fn take(&self, event: &Event, viewer: &Viewer) -> Result<(), Reason> {
        let sender = sender(viewer);
        let said = |what: &str, wait: Duration| {
            let wait_s = wait.as_secs() + 1;
            Reason::rate_limited(format!("too many {what}; try again in {wait_s} s"))
        };
        let events = self.events.try_take(&sender);
        let events = events.and_then(|()| self.events_of_address.try_take(&address(viewer)));
        events.map_err(|wait| said("events of private groups", wait))?;
        let (counted, what) = match event.kind() {
            GROUP_MESSAGE => (self.group_messages.try_take(&sender), "group messages"),
            KEY_PACKAGE | ADDRESSABLE_KEY_PACKAGE => {
                let author = event.pubkey().to_hex();
                (self.key_packages.try_take(&author), "KeyPackages")
            }
            _ => return Ok(()),
        };
        counted.map_err(|wait| said(what, wait))
    }

    /// Counts one read that takes an owner's KeyPackage: by key and by address, since keys cost nothing.
    pub(crate) fn may_take_package(&self, viewer: &Viewer, owner: &PublicKey) -> bool {
        let mut takers = vec![sender(viewer), address(viewer)];
        takers.dedup();
        let of_owner = |taker: &String| format!("{taker} {}", owner.to_hex());
        takers
            .iter()
            .all(|taker| self.taken_packages.try_take(&of_owner(taker)).is_ok())
    }
}

/// Who sends, in words of the limiter.
fn sender(viewer: &Viewer) -> String {
    match viewer.pubkeys().first() {
        Some(key) => key.to_hex(),
        None => address(viewer),
    }
}

/// An IPv6 network of 64 bits is one client.
fn address(viewer: &Viewer) -> String {
    match viewer.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m10_who_sends_is_a_key_or_an_address_and_never_the_author() {
        let viewer = |ip: &str| ip.parse().map(|ip| Viewer::new(1, ip));
        let sender = |ip: &str| viewer(ip).map(|it| sender(&it));
        assert_eq!(sender("192.0.2.1"), Ok("192.0.2.1".to_owned()));
        assert_eq!(sender("2001:db8::1:2:3:4"), sender("2001:db8::9"));
        assert_ne!(sender("2001:db8:0:1::1"), sender("2001:db8::1"));
        let key = PublicKey::from_byte_array([7; 32]);
        let known = viewer("192.0.2.1").map(|it| super::sender(&it.with_pubkey(key)));
        assert_eq!(known, Ok(key.to_hex()));
    }
}
