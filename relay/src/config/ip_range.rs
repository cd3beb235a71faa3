//! A range of IP addresses in the configuration: CIDR notation, or a single address.
//!
//! Invariant: an IPv4 address matches whether it comes plain or mapped into IPv6, as dual-stack sockets report it.

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What a range may look like; error messages and the JSON Schema quote it.
pub(crate) const ALLOWED: &str =
    r#"an IP address or CIDR range, such as "203.0.113.7", "10.0.0.0/8", "2001:db8::/32""#;

/// A range of IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpRange(IpNet);

impl IpRange {
    /// True if `ip` lies in the range.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip.to_canonical())
    }

    /// The range as a network without host bits.
    pub fn network(&self) -> IpNet {
        self.0.trunc()
    }
}

impl From<IpNet> for IpRange {
    fn from(net: IpNet) -> Self {
        Self(net)
    }
}

impl FromStr for IpRange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self(IpNet::from(ip.to_canonical())));
        }
        text.parse::<IpNet>()
            .map(|net| Self(to_canonical(net.trunc())))
            .map_err(|_| ALLOWED)
    }
}

/// Mapped addresses are looked up as IPv4 ones, so networks of them have to be written so, too.
fn to_canonical(net: IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    match (
        net.addr().to_canonical(),
        net.prefix_len().checked_sub(MAPPED_BITS),
    ) {
        (v4 @ IpAddr::V4(_), Some(bits)) if net.addr().is_ipv6() => {
            IpNet::new(v4, bits).unwrap_or(net)
        }
        _ => net,
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            return write!(f, "{}", self.0.addr());
        }
        write!(f, "{}", self.0)
    }
}

impl Serialize for IpRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IpRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl JsonSchema for IpRange {
    fn schema_name() -> Cow<'static, str> {
        "IpRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-allowed": ALLOWED })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c15_ranges_hold_single_addresses_nets_and_mapped_ones() {
        let holds = |range: &str, ip: &str| {
            range
                .parse::<IpRange>()
                .expect(range)
                .contains(ip.parse().expect(ip))
        };
        assert!(holds("10.0.0.0/8", "10.255.1.2"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.1.2.3/8", "10.9.9.9"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(holds("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(holds("::ffff:198.51.100.0/120", "198.51.100.7"));
        assert!(!holds("::ffff:198.51.100.0/120", "198.51.101.7"));
        assert!(holds("::ffff:0:0/96", "192.0.2.1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!("10.0.0.0/33".parse::<IpRange>().is_err());
        assert!("localhost".parse::<IpRange>().is_err());
    }
}
