//! A page for people who open the relay's address in a browser.

use super::markup::{self, escape};
use super::nip11::supported_nips;
use super::policy;
use crate::config::Mode;
use crate::own_host::http_url;
use crate::relay::Relay;
use actix_web::HttpResponse;
use std::fmt::Write as _;

pub(super) fn page(relay: &Relay) -> HttpResponse {
    let config = relay.config();
    let information = &config.information;
    let nips = supported_nips(&config)
        .iter()
        .map(u16::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let extensions = relay.extension_names();
    let extensions = if extensions.is_empty() {
        "none".to_owned()
    } else {
        extensions.join(", ")
    };
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = write!(rows, "<dt>{name}</dt><dd>{}</dd>", escape(value));
    };
    row("NIPs", &nips);
    row("Extensions", &extensions);
    if let Some(contact) = &information.contact {
        row("Contact", contact);
    }
    let (operation, now_s) = (&config.operation, relay.clock.now_s());
    if operation.mode_at(now_s) != Mode::Normal {
        row("Mode", operation.mode_at(now_s).as_str());
    }
    if let Some(notice) = operation.notice_at(now_s) {
        row("Notice", &notice);
    }
    row("Version", env!("CARGO_PKG_VERSION"));
    let policy = match &information.terms_of_service {
        Some(url) => Some(url.clone()),
        None => config
            .policy
            .is_published()
            .then(|| match &config.network.relay_url {
                Some(relay_url) => http_url(relay_url) + policy::PATH,
                // Below wherever a proxy has put this page.
                None => policy::PATH.trim_start_matches('/').to_owned(),
            }),
    };
    let policy = policy
        .map(|url| format!("<p><a href=\"{}\">Policy</a></p>", escape(&url)))
        .unwrap_or_default();
    let main = format!(
        "<h1>{name}</h1><p>{description}</p><dl>{rows}</dl>{policy}\
         <p class=\"hint\">This is a Nostr relay: connect to it with a Nostr client.</p>",
        name = escape(&information.name),
        description = escape(&information.description),
    );
    markup::page(&information.name, main)
}
