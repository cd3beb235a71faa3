//! A set of networks that is asked about one address in a few look-ups, however many networks there are.

use super::key_set::KeySet;
use crate::config::IpRange;
use ipnet::IpNet;
use std::net::IpAddr;

/// The set.
#[derive(Clone, Debug, Default)]
pub struct AddressSet {
    networks: KeySet<IpNet>,
    /// How many networks have each length of prefix; lengths of IPv6 count from 33 on.
    lengths: Vec<(u8, usize)>,
}

/// Lengths of IPv6 follow those of IPv4, 0 to 32.
const V6_FROM: u8 = 33;

impl AddressSet {
    /// Whether the address lies in one of the networks.
    pub fn contains(&self, ip: IpAddr) -> bool {
        if self.networks.is_empty() {
            return false;
        }
        let ip = ip.to_canonical();
        self.lengths.iter().any(|(length, _)| {
            let prefix = match (ip, length.checked_sub(V6_FROM)) {
                (IpAddr::V4(_), None) => *length,
                (IpAddr::V6(_), Some(prefix)) => prefix,
                _ => return false,
            };
            IpNet::new(ip, prefix).is_ok_and(|network| self.networks.contains(&network.trunc()))
        })
    }

    /// Whether this very network is one of them.
    pub fn has(&self, range: &IpRange) -> bool {
        self.networks.contains(&range.network())
    }

    /// Puts a network into the set or takes it out.
    pub fn set(&mut self, range: IpRange, present: bool) {
        let network = range.network();
        if self.networks.contains(&network) == present {
            return;
        }
        self.networks.set(network, present);
        let length = match network {
            IpNet::V4(v4) => v4.prefix_len(),
            IpNet::V6(v6) => v6.prefix_len() + V6_FROM,
        };
        match self.lengths.iter().position(|(known, _)| *known == length) {
            Some(at) if present => self.lengths[at].1 += 1,
            Some(at) if self.lengths[at].1 == 1 => drop(self.lengths.swap_remove(at)),
            Some(at) => self.lengths[at].1 -= 1,
            None => self.lengths.push((length, 1)),
        }
    }

    /// How many networks there are.
    pub fn len(&self) -> usize {
        self.networks.len()
    }

    /// True if there is no network.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c15_an_address_is_found_in_networks_of_any_length() {
        let mut set = AddressSet::default();
        let range = |text: &str| text.parse::<IpRange>().expect(text);
        let holds = |set: &AddressSet, ip: &str| set.contains(ip.parse().expect(ip));
        for text in ["203.0.113.7", "10.0.0.0/8", "2001:db8::/32", "10.0.0.0/9"] {
            set.set(range(text), true);
        }
        for ip in [
            "203.0.113.7",
            "10.200.1.1",
            "2001:db8:9::1",
            "::ffff:10.1.1.1",
        ] {
            assert!(holds(&set, ip), "{ip}");
        }
        assert!(set.has(&range("10.0.0.0/8")) && !set.has(&range("10.0.0.0/10")));
        for ip in ["203.0.113.8", "11.0.0.1", "2001:db9::1", "::1"] {
            assert!(!holds(&set, ip), "{ip}");
        }
        set.set(range("10.0.0.0/8"), false);
        assert!(holds(&set, "10.1.1.1"), "the smaller network is left");
        set.set(range("10.0.0.0/9"), false);
        assert!(!holds(&set, "10.1.1.1"));
        assert_eq!(set.len(), 2);
    }
}
