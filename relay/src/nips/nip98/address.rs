//! Which URLs a signed request may name: those of the address by which clients know the relay.
//!
//! Invariant: no URL counts that may be another relay's, or that one could pass on what its users signed for it. The
//! scheme does not matter, since a proxy in front may have taken TLS off.

use crate::own_host::own_host;
use std::net::IpAddr;

/// The address by which clients know the relay, as URL or as host alone: `network.relay_url`, or without it the `Host` that
/// a request names where that cannot be anybody else's. `local` is the address at which the connection came in.
pub fn known_as<'a>(
    relay_url: Option<&'a str>,
    host: &'a str,
    local: Option<IpAddr>,
) -> Option<&'a str> {
    relay_url.or_else(|| own_host(host, local))
}

/// Whether a signed URL is that of a path, query included, below an address ([`known_as`]). Of the schemes `http` and `ws`
/// any will do, with or without TLS; an empty path is `/`.
pub fn is_url_of(signed: &str, address: &str, path_and_query: &str) -> bool {
    let Some((scheme, signed)) = signed.split_once("://") else {
        return false;
    };
    let ports = match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => ":443",
        "http" | "ws" => ":80",
        _ => return false,
    };
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (host, base) = parts(address);
    let (signed_host, signed_path) = parts(signed);
    let bare = |host: &str| {
        host.strip_suffix(ports)
            .unwrap_or(host)
            .to_ascii_lowercase()
    };
    if bare(host) != bare(signed_host) {
        return false;
    }
    let Some(path) = signed_path.strip_prefix(base.trim_end_matches('/')) else {
        return false;
    };
    // An empty path is `/`, whatever the query.
    let is_bare = path.is_empty() || path.starts_with('?');
    path == path_and_query || (is_bare && path_and_query.strip_prefix('/') == Some(path))
}

/// The host with its port, and what follows.
fn parts(address: &str) -> (&str, &str) {
    let end = address.find(['/', '?', '#']).unwrap_or(address.len());
    address.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_the_relay_is_known_by_every_scheme() {
        for signed in [
            "https://relay.example",
            "wss://relay.example/",
            "http://Relay.Example/",
            "https://relay.example:443/",
            "WS://relay.example:80",
        ] {
            assert!(is_url_of(signed, "wss://relay.example/", "/"), "{signed}");
        }
        assert!(is_url_of("http://127.0.0.1:80/", "127.0.0.1:80", "/"));
        assert!(is_url_of("https://r.example", "wss://r.example:443", "/"));
    }

    #[test]
    fn e11_a_signed_url_is_the_whole_url_of_the_request() {
        let is = |signed: &str| is_url_of(signed, "wss://relay.example", "/api/x?a=1");
        assert!(is("https://relay.example/api/x?a=1"));
        for other in [
            "https://relay.example/api/x",
            "https://relay.example/api/x?a=2",
            "https://relay.example/api/x?a=1&b=2",
            "https://relay.example/API/x?a=1",
            "https://relay.example:8443/api/x?a=1",
            "https://relay.example.evil.example/api/x?a=1",
            "https://evil.example/api/x?a=1",
            "https://user@relay.example/api/x?a=1",
            "ftp://relay.example/api/x?a=1",
            "/api/x?a=1",
        ] {
            assert!(!is(other), "{other}");
        }
    }

    #[test]
    fn e11_an_address_may_have_a_path() {
        let is = |signed: &str, path: &str| is_url_of(signed, "wss://host.example/relay/", path);
        assert!(is("https://host.example/relay/api", "/api"));
        assert!(is("https://host.example/relay", "/"));
        assert!(is("https://host.example/relay?limit=5", "/?limit=5"));
        assert!(is("https://host.example/relay/?limit=5", "/?limit=5"));
        assert!(!is("https://host.example/relay?limit=5", "/"));
        assert!(!is("https://host.example/relay?limit=5", "/api?limit=5"));
        assert!(!is("https://host.example/api", "/api"));
        assert!(!is("https://host.example/relayapi", "/api"));
    }
}
