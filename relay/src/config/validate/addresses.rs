//! Web addresses, hosts and headers in `[information]` and `[network]`.

use super::{Rules, quoted};
use crate::config::Config;
use crate::config::information::COMPUTED_FIELDS;
use std::net::IpAddr;

pub(super) fn information(config: &Config, rules: &mut Rules<'_>) {
    let information = &config.information;
    for (key, address) in [
        ("icon", &information.icon),
        ("banner", &information.banner),
        ("software", &information.software),
        ("terms_of_service", &information.terms_of_service),
        ("privacy_policy", &information.privacy_policy),
        ("posting_policy", &information.posting_policy),
    ] {
        if let Some(address) = address {
            let fits = host_of(address, &["https://", "http://"]).is_some();
            rules.want(
                fits,
                &format!("information.{key}"),
                quoted(address),
                "a web address, http:// or https://",
            );
        }
    }
    let typed = [
        "name",
        "description",
        "pubkey",
        "contact",
        "icon",
        "banner",
        "software",
    ];
    let policies = ["terms_of_service", "privacy_policy", "posting_policy"];
    for field in information.extra.keys() {
        let key = format!("information.extra.{field}");
        let computed = COMPUTED_FIELDS.contains(&field.as_str());
        rules.want(
            !computed,
            &key,
            field,
            "fields that the relay does not work out itself",
        );
        let ours = typed.contains(&field.as_str()) || policies.contains(&field.as_str());
        rules.want(
            !ours,
            &key,
            field,
            format!("fields without a key of their own; this one is information.{field}"),
        );
    }
}

pub(super) fn network(config: &Config, rules: &mut Rules<'_>) {
    let network = &config.network;
    let is_name = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    let host_fits = network.host.parse::<IpAddr>().is_ok() || is_name(&network.host);
    rules.want(
        host_fits,
        "network.host",
        quoted(&network.host),
        "an IP address or host name to listen on, without port",
    );
    if let Some(url) = &network.relay_url {
        let fits = host_of(url, &["wss://", "ws://"]).is_some();
        rules.want(
            fits,
            "network.relay_url",
            quoted(url),
            r#"an address such as "wss://relay.example.com""#,
        );
    }
    for origin in &network.allowed_origins {
        let host = host_of(origin, &["https://", "http://"]);
        let fits =
            origin == "*" || origin == "null" || host.is_some_and(|host| origin.ends_with(host));
        rules.want(
            fits,
            "network.allowed_origins",
            quoted(origin),
            r#""*" or origins such as "https://app.example.com""#,
        );
    }
    if let Some(header) = &network.real_ip_header {
        let fits = !header.is_empty()
            && header
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        rules.want(
            fits,
            "network.real_ip_header",
            quoted(header),
            "the name of a header",
        );
    }
}

/// Host and port of an address with one of these schemes.
fn host_of<'a>(address: &'a str, schemes: &[&str]) -> Option<&'a str> {
    let rest = schemes
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let fits = !host.is_empty() && !address.contains(|c: char| c.is_whitespace() || c.is_control());
    fits.then_some(host)
}
