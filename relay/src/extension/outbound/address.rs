//! Which addresses are of the public Internet, and lead to no cloud's metadata.
//!
//! Invariant: an address that leads to an IPv4 one (mapped, translated, tunnelled) is judged by that one as well.

use crate::config::IpRange;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an extension may connect there.
pub(super) fn is_allowed(address: IpAddr, allow_private: &[IpRange]) -> bool {
    let is_listed = |address| allow_private.iter().any(|range| range.contains(address));
    !is_private(address)
        || is_listed(address)
        || embedded(address).is_some_and(|inner| is_listed(inner.into()))
}

/// Whether it is anything but a public unicast address.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(v6) => match embedded(address) {
            Some(inner) => is_private_v4(inner),
            None => is_private_v6(v6),
        },
    }
}

/// The registry of special-purpose addresses (RFC 6890), multicast, what is reserved, and clouds' own.
fn is_private_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        [0 | 10 | 127, ..] => true,
        [100, second, ..] => second & 0xc0 == 64,
        // Link-local, where clouds have their metadata.
        [169, 254, ..] | [192, 168, ..] => true,
        // The host's own services in Azure, at an address that routes nowhere else.
        [168, 63, 129, 16] => true,
        [172, second, ..] => second & 0xf0 == 16,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        [first, ..] => first >= 224,
    }
}

/// Only 2000::/3 is handed out; of that, what is for protocols and examples is left out.
fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    let is_protocol = first == 0x2001 && second < 0x200;
    let is_example = (first, second) == (0x2001, 0xdb8) || first & 0xfff0 == 0x3ff0;
    !is_global || is_protocol || is_example
}

/// The IPv4 address to which an IPv6 one leads: mapped (::ffff:0:0/96), compatible (::/96), NAT64 (64:ff9b::/96),
/// 6to4 (2002::/16).
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let from =
        |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => from(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => from(high, low),
        [0x2002, high, low, ..] => from(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str, ranges: &[&str]) -> bool {
        let ranges: Vec<IpRange> = ranges
            .iter()
            .map(|it| it.parse().expect("a range"))
            .collect();
        is_allowed(address.parse().expect("an address"), &ranges)
    }

    #[test]
    fn e1_outbound_knows_every_kind_of_private_address() {
        let private = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.9.9.9 169.254.169.254 \
            168.63.129.16 ::ffff:168.63.129.16 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 \
            203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 \
            :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:0 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe \
            64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 2002:c0a8:101:: 3fff::1 5f00::1 fc00::1 fd12::1 \
            fe80::1 fec0::1 ff02::1";
        let let_through: Vec<_> = private
            .split_whitespace()
            .filter(|it| allowed(it, &[]))
            .collect();
        assert_eq!(let_through, Vec::<&str>::new());
    }

    #[test]
    fn e1_outbound_knows_public_addresses() {
        let public = "1.1.1.1 9.9.9.9 99.255.255.255 100.63.0.1 100.128.0.1 126.0.0.1 128.0.0.1 168.63.129.15 168.63.129.17 169.253.0.1 172.15.0.1 \
            172.32.0.1 192.0.1.1 192.167.0.1 192.169.0.1 198.17.0.1 198.20.0.1 203.0.112.1 223.255.255.255 \
            2606:4700::1111 2a00:1450::1 2001:4860:4860::8888 ::ffff:1.1.1.1 64:ff9b::1.1.1.1 2002:101:101::1";
        let refused: Vec<_> = public
            .split_whitespace()
            .filter(|it| !allowed(it, &[]))
            .collect();
        assert_eq!(refused, Vec::<&str>::new());
    }

    #[test]
    fn e1_outbound_allows_what_is_listed_and_nothing_beside_it() {
        assert!(allowed("127.0.0.1", &["127.0.0.1"]));
        assert!(allowed("::ffff:127.0.0.1", &["127.0.0.1"]));
        assert!(allowed("64:ff9b::10.1.2.3", &["10.0.0.0/8"]));
        assert!(allowed("fd00::7", &["10.0.0.0/8", "fd00::/8"]));
        assert!(!allowed("127.0.0.2", &["127.0.0.1"]));
        assert!(!allowed("::1", &["127.0.0.0/8"]));
        assert!(!allowed("10.0.0.1", &["fd00::/8"]));
    }
}
