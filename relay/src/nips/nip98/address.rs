//! Which URLs a signed request may name: those of the address by which clients know the relay.
//!
//! Invariant: no URL counts that may be another relay's, or that one could pass on what its users signed for it. The
//! scheme does not matter, since a proxy in front may have taken TLS off.

use crate::own_host::own_host;
use std::fmt;
use std::net::IpAddr;

/// The URL for which a request must be signed. Displayed, it is the one that a client would most likely sign.
#[derive(Clone, Copy, Debug)]
pub enum Target<'r> {
    /// This one, to the letter.
    Exact(&'r str),
    /// That of a path below an address: see [`is_url_of`].
    Below {
        /// URL, or host alone.
        address: &'r str,
        /// With its query.
        path: &'r str,
    },
}

impl Target<'_> {
    /// Whether a signed URL is it.
    pub fn is(&self, signed: &str) -> bool {
        match self {
            Target::Exact(url) => signed == *url,
            Target::Below { address, path } => is_url_of(signed, address, path),
        }
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Exact(url) => f.write_str(url),
            Target::Below { address, path } => {
                let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
                let scheme = match scheme.eq_ignore_ascii_case("wss") {
                    true => "https",
                    false if scheme.eq_ignore_ascii_case("ws") => "http",
                    false => scheme,
                };
                write!(f, "{scheme}://{}{path}", rest.trim_end_matches('/'))
            }
        }
    }
}

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

    #[test]
    fn e11_the_url_that_is_wanted_would_be_right() {
        for (address, path, wanted) in [
            (
                "wss://relay.example",
                "/a?b=1",
                "https://relay.example/a?b=1",
            ),
            ("ws://relay.example:80/", "/", "http://relay.example:80/"),
            (
                "https://host.example/relay/",
                "/a",
                "https://host.example/relay/a",
            ),
            ("127.0.0.1:8080", "/a", "http://127.0.0.1:8080/a"),
        ] {
            let target = Target::Below { address, path };
            assert_eq!(target.to_string(), wanted);
            assert!(target.is(wanted), "{wanted}");
        }
        assert_eq!(Target::Exact("x").to_string(), "x");
    }
}
