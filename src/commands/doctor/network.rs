//! Where the relay listens, and whose word about clients' addresses it takes.

use super::database::Relay;
use super::ownership::AS_ITS_USER;
use std::net::IpAddr;
use trellis_relay::config::{Config, IpRange};
use trellis_relay::extension::Findings;
use trellis_relay::server::listen;
use url::Url;

pub(super) fn look(config: &Config, relay: Relay, found: &mut Findings) {
    let network = &config.network;
    if !relay.is_running() {
        let address = format!("{}:{}", network.host, network.port);
        match listen(network) {
            Ok(_) => found.ok("listening", format!("{address} is free")),
            Err(error) if !relay.is_stopped() => found.by_hand(
                "listening",
                format!("{error}: whether by this relay, this user may not see"),
                AS_ITS_USER,
            ),
            Err(error) => found.fail(
                "listening",
                error.to_string(),
                "end what listens there, or set network.host and network.port; ports below 1024 need a right of their own",
            ),
        }
    }
    forwarded(config, found);
}

/// Behind a proxy everybody has the proxy's address unless its header is believed; and a header that anybody may set is
/// worth nothing.
fn forwarded(config: &Config, found: &mut Findings) {
    const CHECK: &str = "clients' addresses";
    let network = &config.network;
    let proxies = &network.trusted_proxies;
    let anybody = proxies.iter().find(|range| is_everybody(range));
    let url = network
        .relay_url
        .as_deref()
        .and_then(|url| Url::parse(url).ok());
    // The relay itself speaks no TLS.
    let has_proxy = url.is_some_and(|url| url.scheme() == "wss");
    match (&network.real_ip_header, anybody) {
        (Some(header), Some(range)) => found.fail(
            CHECK,
            format!("{header} is believed from {range}, which is everybody"),
            "set network.trusted_proxies to the addresses of your proxies alone",
        ),
        (Some(header), None) if proxies.is_empty() => found.fail(
            CHECK,
            format!("{header} is never believed, since network.trusted_proxies is empty"),
            "set network.trusted_proxies to the addresses of your proxies",
        ),
        (Some(header), None) => {
            let ranges: Vec<String> = proxies.iter().map(ToString::to_string).collect();
            found.ok(CHECK, format!("{header} is believed from {}", ranges.join(", ")));
        }
        (None, _) if has_proxy => found.warn(
            CHECK,
            "network.relay_url is wss, so a proxy stands before the relay, and all clients have its address: limits and \
             blocks by address hit everybody",
            "set network.real_ip_header and network.trusted_proxies, and have the proxy set that header \
             (deploy/nginx, deploy/Caddyfile)",
        ),
        (None, _) => found.ok(CHECK, "those of the connections; no proxy is believed"),
    }
}

/// Whether a range holds addresses that have nothing in common.
fn is_everybody(range: &IpRange) -> bool {
    let far_apart = |one: &str, other: &str| {
        [one, other].iter().all(|address| {
            address
                .parse()
                .is_ok_and(|address: IpAddr| range.contains(address))
        })
    };
    far_apart("1.1.1.1", "100.64.0.1") || far_apart("2600::1", "2a00::1")
}
