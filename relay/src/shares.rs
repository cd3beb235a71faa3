//! A bounded good that clients share: no address can have so much of it that nothing is left for the others.
//!
//! Invariant: an address holds at most a quarter of what is free, so the more is held, the less one more may have, and
//! with twenty greedy addresses there is still room for somebody new. Not here: what is shared, and what a refusal says.

use crate::rate_limit::Client;
use std::collections::HashMap;
use std::net::IpAddr;

/// Who holds how much of a whole.
#[derive(Debug)]
pub(crate) struct Shares {
    free: usize,
    /// By address, of IPv6 the subscriber's.
    held: HashMap<IpAddr, usize>,
}

impl Shares {
    pub(crate) fn of(whole: usize) -> Self {
        Shares {
            free: whole,
            held: HashMap::new(),
        }
    }

    /// Takes so much, or nothing where that would be too much. Who has no address has no share, and may take all.
    pub(crate) fn take(&mut self, ip: Option<IpAddr>, amount: usize) -> bool {
        let holder = ip.map(subscriber);
        let held = holder.and_then(|holder| self.held.get(&holder).copied());
        let most = match holder {
            Some(_) => (self.free / 4).saturating_sub(held.unwrap_or_default()),
            None => self.free,
        };
        if amount > most {
            return false;
        }
        self.free -= amount;
        if let Some(holder) = holder {
            *self.held.entry(holder).or_default() += amount;
        }
        true
    }

    /// Gives back what was taken with the same address.
    pub(crate) fn give_back(&mut self, ip: Option<IpAddr>, amount: usize) {
        self.free += amount;
        let Some(holder) = ip.map(subscriber) else {
            return;
        };
        if let Some(held) = self.held.get_mut(&holder) {
            *held = held.saturating_sub(amount);
            if *held == 0 {
                self.held.remove(&holder);
            }
        }
    }
}

fn subscriber(ip: IpAddr) -> IpAddr {
    match Client::from_address(ip) {
        Client::Address(ip) => ip,
        Client::Key(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> Option<IpAddr> {
        Some([192, 0, 2, last].into())
    }

    fn take_all(shares: &mut Shares, ip: Option<IpAddr>) -> usize {
        std::iter::repeat_with(|| shares.take(ip, 1))
            .take_while(|taken| *taken)
            .count()
    }

    #[test]
    fn e11_greedy_addresses_leave_room_for_others() {
        let mut shares = Shares::of(1_000);
        assert_eq!(take_all(&mut shares, ip(1)), 200);
        for greedy in 2..10 {
            assert!(take_all(&mut shares, ip(greedy)) > 0);
        }
        assert!(shares.take(ip(10), 1) && !shares.take(ip(1), 1));
        shares.give_back(ip(1), 200);
        assert!(take_all(&mut shares, ip(1)) > 0);
    }

    #[test]
    fn e11_what_is_given_back_leaves_nothing_behind() {
        let mut shares = Shares::of(100);
        for last in 0..=255 {
            assert!(shares.take(ip(last), 10));
            shares.give_back(ip(last), 10);
        }
        assert!(shares.held.is_empty() && shares.free == 100);
        assert_eq!(take_all(&mut shares, None), 100);
    }

    #[test]
    fn e11_a_subscriber_of_ipv6_is_one() {
        let mut shares = Shares::of(40);
        let ip = |text: &str| text.parse().ok();
        assert!(shares.take(ip("2001:db8::1"), 8));
        assert!(!shares.take(ip("2001:db8::2"), 1) && shares.take(ip("2001:db8:0:1::1"), 1));
    }
}
