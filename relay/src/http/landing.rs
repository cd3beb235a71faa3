//! A page for people who open the relay's address in a browser.

use super::nip11::supported_nips;
use crate::config::Mode;
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
    let policy = information
        .terms_of_service
        .as_deref()
        .map(|url| format!("<p><a href=\"{}\">Policy</a></p>", escape(url)))
        .unwrap_or_default();
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'",
        ))
        .body(format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{name}</title><style>{STYLE}</style></head><body><main>\
             <h1>{name}</h1><p>{description}</p><dl>{rows}</dl>{policy}\
             <p class=\"hint\">This is a Nostr relay: connect to it with a Nostr client.</p>\
             </main></body></html>",
            name = escape(&information.name),
            description = escape(&information.description),
        ))
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#fafaf7;color:#222}\
    main{max-width:38rem;margin:12vh auto;padding:0 1.5rem}h1{margin:0}dl{display:grid;\
    grid-template-columns:7rem 1fr;gap:.4rem}dt{color:#777}dd{margin:0}.hint{color:#777}\
    @media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}}";

/// Text of the configuration as text of the page.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn c24_text_of_the_configuration_is_no_markup() {
        assert_eq!(
            super::escape("<a href=\"x\">&"),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
    }
}
