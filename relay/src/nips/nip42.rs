//! NIP-42: what an AUTH event must say to prove that a client holds a key.

use crate::event::{Event, PublicKey};
use crate::reason::Reason;
use url::Url;

/// Ephemeral by its number, and never stored or sent on.
pub const KIND: u16 = 22_242;

/// How far `created_at` may be from the relay's clock.
const WINDOW_S: u64 = 600;

/// What an AUTH event is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// As sent in `["AUTH", challenge]`.
    pub challenge: &'a str,
    /// The relay's public URL where it is configured, else the `Host` that the client asked for.
    pub relay: &'a str,
    /// Seconds since 1970.
    pub now: u64,
}

/// Checks everything but id and signature, which [`Event::verify`] does.
pub fn check(event: &Event, expected: &Expected<'_>) -> Result<PublicKey, Reason> {
    if event.kind() != KIND {
        return Err(Reason::invalid(format!(
            "an AUTH event has kind 22242, not {}",
            event.kind()
        )));
    }
    if event.created_at().abs_diff(expected.now) > WINDOW_S {
        return Err(Reason::invalid(
            "created_at of an AUTH event must be within 10 minutes of the relay's clock",
        ));
    }
    if event.first_tag_value("challenge").as_deref() != Some(expected.challenge) {
        return Err(Reason::invalid(
            "the challenge tag is not the challenge of this connection",
        ));
    }
    let relay = event.first_tag_value("relay").unwrap_or_default();
    if !same_relay(&relay, expected.relay) {
        return Err(Reason::invalid(format!(
            "the relay tag must name this relay, {}",
            expected.relay
        )));
    }
    Ok(*event.pubkey())
}

/// Hosts are compared without case, trailing slash or default port.
pub(super) fn same_relay(claimed: &str, ours: &str) -> bool {
    let ours = match ours.contains("://") {
        true => authority(ours),
        false => authority(&format!("ws://{ours}")), // a Host header
    };
    ours.is_some() && authority(claimed) == ours
}

/// Host and port; the default ports of ws and wss are one, since a proxy may have ended TLS.
fn authority(url: &str) -> Option<(String, Option<u16>)> {
    let url = Url::parse(url).ok()?;
    if !matches!(url.scheme(), "ws" | "wss") {
        return None;
    }
    let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
    let port = url.port().filter(|port| !matches!(port, 80 | 443));
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventParts;

    fn auth(kind: u16, created_at: u64, tags_json: &str) -> Event {
        EventParts {
            id: &[2; 32],
            pubkey: &[1; 32],
            created_at,
            kind,
            tags_json,
            content_json: "\"\"",
            sig: &[0; 64],
        }
        .assemble()
    }

    const EXPECTED: Expected<'_> = Expected {
        challenge: "c0ffee",
        relay: "Relay.example.com",
        now: 10_000,
    };

    #[test]
    fn c8_relay_urls_are_compared_without_case_slash_or_default_port() {
        for url in [
            "wss://relay.example.com",
            "wss://RELAY.example.com/",
            "ws://relay.example.com:80/",
            "wss://relay.example.com:443",
        ] {
            let tags = format!(r#"[["relay","{url}"],["challenge","c0ffee"]]"#);
            let event = auth(KIND, 10_000, &tags);
            assert_eq!(check(&event, &EXPECTED), Ok(*event.pubkey()), "{url}");
        }
        for url in [
            "wss://evil.com",
            "wss://relay.example.com:4848",
            "relay.example.com",
            "",
        ] {
            let tags = format!(r#"[["relay","{url}"],["challenge","c0ffee"]]"#);
            assert!(
                check(&auth(KIND, 10_000, &tags), &EXPECTED).is_err(),
                "{url}"
            );
        }
    }

    #[test]
    fn c8_kind_time_and_challenge_are_checked() {
        let good = r#"[["relay","ws://relay.example.com"],["challenge","c0ffee"]]"#;
        let stale = r#"[["relay","ws://relay.example.com"],["challenge","other"]]"#;
        for (event, said) in [
            (auth(1, 10_000, good), "kind 22242"),
            (auth(KIND, 10_601, good), "created_at"),
            (auth(KIND, 9_399, good), "created_at"),
            (auth(KIND, 10_000, stale), "challenge"),
            (auth(KIND, 10_000, "[]"), "challenge"),
        ] {
            let reason = check(&event, &EXPECTED).expect_err("refused").to_string();
            assert!(
                reason.starts_with("invalid: ") && reason.contains(said),
                "{reason}"
            );
        }
        assert!(check(&auth(KIND, 10_600, good), &EXPECTED).is_ok());
    }
}
