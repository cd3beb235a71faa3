//! Which address a request comes from: the peer's, unless the peer is a trusted proxy that names another.

use crate::config::Network;
use actix_http::header::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// The client's address. `network.real_ip_header` counts only where the peer is within `network.trusted_proxies`; of a
/// list (`X-Forwarded-For`) the last address that is no trusted proxy counts, since a client can write the ones before.
pub fn client_ip(peer: IpAddr, headers: &HeaderMap, network: &Network) -> IpAddr {
    let peer = peer.to_canonical();
    let trusted = |ip: IpAddr| {
        network
            .trusted_proxies
            .iter()
            .any(|range| range.contains(ip))
    };
    let Some(name) = network.real_ip_header.as_deref() else {
        return peer;
    };
    if !trusted(peer) {
        return peer;
    }
    let mut claimed = peer;
    let values: Vec<&str> = headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for value in values.iter().rev() {
        let Some(ip) = address(value) else {
            break;
        };
        claimed = ip.to_canonical();
        if !trusted(claimed) {
            break;
        }
    }
    claimed
}

/// An address as proxies write it: alone, in quotes, in brackets, with a port, or as the `for` of RFC 7239.
fn address(text: &str) -> Option<IpAddr> {
    let named = text.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let text = named.unwrap_or(text).trim().trim_matches('"').trim();
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|it| it.ip());
    text.parse().ok().or_else(bare).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c15_addresses_are_read_in_every_form_that_proxies_write() {
        for (text, wanted) in [
            ("192.0.2.1", "192.0.2.1"),
            (" 192.0.2.1:4711", "192.0.2.1"),
            ("\"192.0.2.1:4711\"", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("proto=https; For=\"[2001:db8::1]\"", "2001:db8::1"),
        ] {
            assert_eq!(address(text), wanted.parse().ok(), "{text}");
        }
        for text in [
            "",
            "unknown",
            "_hidden",
            "192.0.2.1:port",
            "for=",
            "[192.0.2",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
