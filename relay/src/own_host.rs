//! Whether the `Host` that a client asked for is surely this relay's.
//!
//! The header is the client's word. Were it believed, another relay could pass our challenge on to its own users and log
//! in here as them: their answers name that relay, and it would write its own name into `Host`. So without
//! `network.relay_url` only names that cannot be anybody else's count.

use actix_http::RequestHead;
use actix_http::header;
use actix_web::{HttpMessage as _, HttpRequest};
use std::net::IpAddr;

/// The `Host` that a client asked for, port and all; HTTP/2 has it in the address. Empty where there is none.
pub(crate) fn named_host(head: &RequestHead) -> &str {
    let header = head.headers.get(header::HOST);
    let header = header.and_then(|host| host.to_str().ok());
    header.or(head.uri.host()).unwrap_or_default()
}

/// In the data of a connection: the address at which it came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalAddress(pub(crate) IpAddr);

/// The address at which a request came in: that of its connection, where the server has noted it, or the one it listens on.
pub(crate) fn local_address(request: &HttpRequest) -> IpAddr {
    let of_connection = request.conn_data::<LocalAddress>().copied();
    let noted = || request.extensions().get::<LocalAddress>().copied();
    match of_connection.or_else(noted) {
        Some(LocalAddress(ip)) => ip,
        None => request.app_config().local_addr().ip(),
    }
}

/// The host, where it is a loopback name or address, or the address `local` at which the connection came in.
pub fn own_host(host: &str, local: Option<IpAddr>) -> Option<&str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    if name.eq_ignore_ascii_case("localhost") {
        return Some(host);
    }
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let ip = bare.parse::<IpAddr>().ok()?.to_canonical();
    let is_ours = ip.is_loopback() || local.is_some_and(|local| local.to_canonical() == ip);
    is_ours.then_some(host)
}

/// The address for HTTP, without a slash at its end, of a relay that is known as `wss://...` or by a host alone.
pub fn http_url(known_as: &str) -> String {
    let url = known_as.trim_end_matches('/');
    match url.split_once("://") {
        Some(("wss", rest)) => format!("https://{rest}"),
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(_) => url.to_owned(),
        None => format!("http://{url}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e11_the_address_is_one_for_http() {
        for (known_as, url) in [
            ("wss://relay.example/", "https://relay.example"),
            ("ws://[::1]:8080", "http://[::1]:8080"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(http_url(known_as), url);
        }
    }

    #[test]
    fn c8_a_host_that_may_be_another_relays_is_not_believed() {
        let local = Some(IpAddr::from([192, 168, 1, 5]));
        for ours in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1:8080",
            "127.0.0.1",
            "[::1]:8080",
            "[::1]",
            "192.168.1.5:8080",
        ] {
            assert_eq!(own_host(ours, local), Some(ours));
        }
        for theirs in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.6",
            "0.0.0.0",
        ] {
            assert_eq!(own_host(theirs, local), None, "{theirs}");
        }
        assert_eq!(own_host("192.168.1.5", None), None);
    }
}
