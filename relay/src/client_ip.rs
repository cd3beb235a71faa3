//! Which address a request comes from: the peer's, unless the peer is a trusted proxy that names another.

use crate::config::Network;
use actix_http::header::HeaderMap;
use std::net::IpAddr;

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
        let Ok(ip) = value.trim().parse::<IpAddr>() else {
            break;
        };
        claimed = ip.to_canonical();
        if !trusted(claimed) {
            break;
        }
    }
    claimed
}
