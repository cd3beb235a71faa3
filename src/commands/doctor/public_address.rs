//! The address by which clients know the relay: it leads somewhere, with TLS, to this relay, and takes WebSockets.

use super::certificate::{self, Certificate};
use super::ownership::is_ours;
use super::patient::Patient;
use serde_json::Value;
use std::io::ErrorKind;
use std::sync::Arc;
use trellis_relay::extension::{Endpoint, Findings};
use trellis_relay::relay_key;
use url::Url;

/// What was seen from outside.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) found: Findings,
    /// The relay's document (NIP-11), unless another relay's came.
    pub(super) information: Option<Value>,
    /// Whether it was seen to be this relay's.
    pub(super) is_ours: bool,
    /// How clients are served there.
    pub(super) certificate: Option<Certificate>,
    /// Where that is, as a page.
    pub(super) address: Option<Url>,
    /// Whether the proxy has browsers insist on TLS.
    pub(super) has_hsts: bool,
}

/// What the parts are called in the document of the relay.
pub(super) const PARTS: &str = "synchrono_city";

impl Seen {
    /// Where clients are sent by the relay's document.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let parts = self.information.as_ref().map(|it| &it[PARTS]);
        let told = ["sidecar_url", "livekit_url", "blossom_url"].map(|key| {
            Some(Endpoint {
                name: format!("{key} in NIP-11"),
                url: parts?[key].as_str()?.to_owned(),
            })
        });
        told.into_iter().flatten().collect()
    }
}

const ADDRESS: &str = "public address";
pub(super) const INFORMATION: &str = "relay at the public address";
pub(super) const WEBSOCKET: &str = "WebSockets at the public address";

pub(super) async fn look(patient: &Arc<Patient>) -> Seen {
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
    seen.certificate = Some(certificate::of_url(patient, "the relay", text, found).await);
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
    let theirs = document["self"].as_str().unwrap_or("none").to_owned();
    let compare = move |it: &Patient, found: &mut Findings| whose(it, &theirs, found);
    match patient.within(INFORMATION, found, compare).await {
        Some(Whose::Ours) => seen.is_ours = true,
        Some(Whose::Another) => return seen,
        Some(Whose::Unknown) | None => {}
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

/// Which relay answers.
enum Whose {
    Ours,
    Another,
    /// One with a key that could not be compared.
    Unknown,
}

/// Whether the relay that answers has the key that lies here.
fn whose(patient: &Patient, theirs: &str, found: &mut Findings) -> Whose {
    let data = &patient.loaded.config.data.path;
    // Where the directory or its key is another user's, or may not be entered.
    let is_closed = match data.join("relay.key").symlink_metadata() {
        Ok(_) => !is_ours(&data.join("relay.key")),
        Err(error) => error.kind() != ErrorKind::NotFound || data.exists() && !is_ours(data),
    };
    if is_closed {
        let advice = "run trellis doctor as the user that the relay runs as, to compare it with this relay's";
        found.by_hand(
            INFORMATION,
            format!("a relay answers, with the key {theirs}"),
            advice,
        );
        return Whose::Unknown;
    }
    match relay_key::load(data) {
        Ok(Some(keys)) if keys.public_key().to_hex() == theirs => {
            found.ok(INFORMATION, format!("it is this one, {theirs}"));
            Whose::Ours
        }
        Ok(Some(keys)) => {
            let ours = keys.public_key().to_hex();
            found.fail(
                INFORMATION,
                format!("another relay answers: its key (self) is {theirs}, this one's {ours}"),
                "have network.relay_url, DNS and proxy lead to this relay",
            );
            Whose::Another
        }
        Ok(None) => {
            let advice = "start this relay, which has no key in data.path yet";
            found.fail(
                INFORMATION,
                format!("another relay answers, with the key {theirs}"),
                advice,
            );
            Whose::Another
        }
        Err(error) => {
            found.fail(INFORMATION, error.to_string(), "restore the key");
            Whose::Unknown
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
