//! The address by which clients know the relay: it leads somewhere, with TLS, to this relay, and takes WebSockets.

use super::Patient;
use super::certificate;
use super::disk;
use serde_json::Value;
use trellis_relay::extension::Findings;
use trellis_relay::relay_key;
use url::Url;

/// What was seen from outside.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) found: Findings,
    /// The relay's document (NIP-11), where this relay's came.
    pub(super) information: Option<Value>,
    /// Where that is, as a page.
    pub(super) address: Option<Url>,
    /// Whether the proxy has browsers insist on TLS.
    pub(super) has_hsts: bool,
}

const ADDRESS: &str = "public address";
const INFORMATION: &str = "relay at the public address";
const WEBSOCKET: &str = "WebSockets at the public address";

pub(super) async fn look(patient: &Patient) -> Seen {
    let mut seen = Seen::default();
    let found = &mut seen.found;
    let Some(text) = &patient.loaded.config.network.relay_url else {
        found.warn(
            ADDRESS,
            "network.relay_url is not set, so nobody but this machine can log in (NIP-42, NIP-98)",
            "set it to the address that clients use, wss://HOST",
        );
        return seen;
    };
    let Ok(url) = Url::parse(text) else {
        found.fail(
            ADDRESS,
            format!("{text} is no address"),
            "set network.relay_url to wss://HOST",
        );
        return seen;
    };
    if !resolve(patient, &url, found).await {
        return seen;
    }
    certificate::of_url(patient, "the relay", text, found).await;
    let mut page = url.clone();
    // From one special scheme to another, which is always possible.
    let _ = page.set_scheme(if url.scheme() == "wss" {
        "https"
    } else {
        "http"
    });
    let answer = match patient.web.get(&url, "application/nostr+json").await {
        Ok(answer) => answer,
        Err(why) => {
            let advice = "start the relay, and the proxy before it with a good certificate";
            found.fail(INFORMATION, format!("{text}: {why}"), advice);
            return seen;
        }
    };
    seen.has_hsts = answer.header("strict-transport-security").is_some();
    let document: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let Some(document) = document.filter(|it| answer.status == 200 && it.is_object()) else {
        let status = answer.status;
        let advice = match status {
            300..400 => "clients follow no redirect: set network.relay_url to where it leads",
            _ => "start the relay, and have the proxy pass everything on, the Accept header too",
        };
        found.fail(
            INFORMATION,
            format!("{text} answers {status} and not as a relay does (NIP-11)"),
            advice,
        );
        return seen;
    };
    if !is_ours(patient, &document, found) {
        return seen;
    }
    upgrade(patient, &url, found).await;
    seen.information = Some(document);
    seen.address = Some(page);
    seen
}

async fn resolve(patient: &Patient, url: &Url, found: &mut Findings) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    let resolving = tokio::time::timeout(patient.patience, tokio::net::lookup_host((host, port)));
    let addresses: Vec<String> = match resolving.await {
        Ok(Ok(addresses)) => addresses.map(|address| address.ip().to_string()).collect(),
        Ok(Err(_)) => Vec::new(),
        Err(_) => {
            found.fail(
                ADDRESS,
                format!("{host}: the name server does not answer"),
                "look at this machine's DNS",
            );
            return false;
        }
    };
    match addresses.is_empty() {
        true => found.fail(
            ADDRESS,
            format!("{host} leads to no address"),
            "make an A or AAAA record for it, or mend network.relay_url",
        ),
        false => found.ok(ADDRESS, format!("{host} leads to {}", addresses.join(", "))),
    }
    !addresses.is_empty()
}

/// Whether the relay that answers has the key that lies here.
fn is_ours(patient: &Patient, document: &Value, found: &mut Findings) -> bool {
    let data = &patient.loaded.config.data.path;
    let theirs = document["self"].as_str().unwrap_or("none");
    if !disk::is_ours(data) {
        let advice = "run trellis doctor as the user that the relay runs as, to compare it with this relay's";
        found.by_hand(
            INFORMATION,
            format!("a relay answers, with the key {theirs}"),
            advice,
        );
        return true;
    }
    match relay_key::load(data) {
        Ok(Some(keys)) if keys.public_key().to_hex() == theirs => {
            found.ok(INFORMATION, format!("it is this one, {theirs}"));
            true
        }
        Ok(Some(keys)) => {
            let ours = keys.public_key().to_hex();
            found.fail(
                INFORMATION,
                format!("another relay answers: its key (self) is {theirs}, this one's {ours}"),
                "have network.relay_url, DNS and proxy lead to this relay",
            );
            false
        }
        Ok(None) => {
            let advice = "start this relay, which has no key in data.path yet";
            found.fail(
                INFORMATION,
                format!("another relay answers, with the key {theirs}"),
                advice,
            );
            false
        }
        Err(error) => {
            found.fail(INFORMATION, error.to_string(), "restore the key");
            true
        }
    }
}

async fn upgrade(patient: &Patient, url: &Url, found: &mut Findings) {
    match patient.web.upgrade(url).await {
        Ok(101) => found.ok(WEBSOCKET, "they are taken"),
        Ok(status @ 300..400) => found.fail(
            WEBSOCKET,
            format!("a handshake is answered {status}, and clients follow no redirect"),
            "set network.relay_url to where it leads, or have the proxy pass it on",
        ),
        Ok(status) => found.fail(
            WEBSOCKET,
            format!("a handshake is answered {status}"),
            "have the proxy pass Upgrade and Connection on (deploy/nginx, deploy/Caddyfile)",
        ),
        Err(why) => found.fail(WEBSOCKET, why, "look at the proxy's log"),
    }
}
