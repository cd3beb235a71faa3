//! `[rate_limits]`: how often one may publish, and take KeyPackages.
//!
//! Who sends counts, by authenticated key or else by address: authors of group messages and gift wraps are made up anew for
//! each. KeyPackages alone are counted by author, which is who they are about. Since keys cost nothing, an address has a
//! bound of its own, whoever has authenticated from there.

use super::senders::{Sender, Senders, Sent};
use crate::config::Settings;
use crate::kinds::{ADDRESSABLE_KEY_PACKAGE, GROUP_MESSAGE, KEY_PACKAGE};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::clock::Clock;
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

/// What was published lately, and by whom.
#[derive(Debug)]
pub(crate) struct Limits {
    clock: Arc<dyn Clock>,
    /// By key or else by address.
    senders: Senders,
    addresses: Senders,
    key_packages: RateLimiter,
    taken_packages: RateLimiter,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl Limits {
    pub(crate) fn new(settings: &Settings, host: &Host) -> Self {
        let rates = &settings.rate_limits;
        let (events, messages) = (
            rates.max_events_per_minute,
            rates.max_group_messages_per_minute,
        );
        Limits {
            clock: host.clock().clone(),
            senders: Senders::new(events, messages, MINUTE),
            addresses: Senders::new(rates.per_address(), u32::MAX, MINUTE),
            key_packages: host.rate_limiter(rates.max_keypackages_per_hour, HOUR),
            taken_packages: host.rate_limiter(rates.max_keypackage_reads_per_hour, HOUR),
        }
    }

    /// Counts one event.
    pub(super) fn take(&self, event: &Event, viewer: &Viewer) -> Result<(), Reason> {
        let now = self.clock.monotonic();
        let (sent, is_package) = match event.kind() {
            GROUP_MESSAGE => (Sent::Message, false),
            KEY_PACKAGE | ADDRESSABLE_KEY_PACKAGE => (Sent::Event, true),
            _ => (Sent::Event, false),
        };
        let taken = self.senders.try_take(sender(viewer), sent, now);
        let taken = taken.and_then(|()| {
            let address = Sender::Address(network(viewer));
            self.addresses.try_take(address, Sent::Event, now)
        });
        taken.map_err(|(bound, wait)| match bound {
            Sent::Event => too_many("events of private groups", wait),
            Sent::Message => too_many("group messages", wait),
        })?;
        if is_package {
            let author = event.pubkey().to_hex();
            let taken = self.key_packages.try_take(&author);
            taken.map_err(|wait| too_many("KeyPackages", wait))?;
        }
        Ok(())
    }

    /// Counts one read that takes an owner's KeyPackage: by key and by address, since keys cost nothing.
    pub(crate) fn may_take_package(&self, viewer: &Viewer, owner: &PublicKey) -> bool {
        let mut takers = vec![sender(viewer), Sender::Address(network(viewer))];
        takers.dedup();
        let of_owner = |taker: &Sender| match taker {
            Sender::Key(key) => format!("{} {}", key.to_hex(), owner.to_hex()),
            Sender::Address(address) => format!("{address} {}", owner.to_hex()),
            Sender::Others => owner.to_hex(),
        };
        takers
            .iter()
            .all(|taker| self.taken_packages.try_take(&of_owner(taker)).is_ok())
    }
}

fn too_many(what: &str, wait: Duration) -> Reason {
    let wait_s = wait.as_secs() + 1;
    Reason::rate_limited(format!("too many {what}; try again in {wait_s} s"))
}

fn sender(viewer: &Viewer) -> Sender {
    match viewer.pubkeys().first() {
        Some(key) => Sender::Key(*key),
        None => Sender::Address(network(viewer)),
    }
}

/// An IPv6 network of 64 bits is one client.
fn network(viewer: &Viewer) -> Ipv6Addr {
    match viewer.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m10_who_sends_is_a_key_or_an_address_and_never_the_author() {
        let viewer = |ip: &str| ip.parse().map(|ip| Viewer::new(1, ip));
        let sender = |ip: &str| viewer(ip).map(|it| sender(&it));
        assert_ne!(sender("192.0.2.1"), sender("192.0.2.2"));
        assert_eq!(sender("2001:db8::1:2:3:4"), sender("2001:db8::9"));
        assert_ne!(sender("2001:db8:0:1::1"), sender("2001:db8::1"));
        let key = PublicKey::from_byte_array([7; 32]);
        let known = viewer("192.0.2.1").map(|it| super::sender(&it.with_pubkey(key)));
        assert_eq!(known, Ok(Sender::Key(key)));
    }
}
