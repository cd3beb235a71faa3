//! `/.well-known/security.txt` (RFC 9116): to whom weaknesses are reported. Without a contact there is no such file.

use super::nothing;
use crate::config::{Config, SecurityContact};
use crate::own_host::http_url;
use crate::relay::Relay;
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use std::fmt::Write as _;
use std::sync::Arc;

/// Where it is.
pub(super) const PATH: &str = "/.well-known/security.txt";

pub(super) async fn security_txt(relay: web::Data<Arc<Relay>>) -> HttpResponse {
    let config = relay.config();
    if !config.security_contact.is_published() {
        return nothing();
    }
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(file(&config))
}

fn file(config: &Config) -> String {
    let SecurityContact {
        contact,
        expires,
        policy,
        encryption,
        acknowledgments,
        preferred_languages,
    } = &config.security_contact;
    let mut file = String::new();
    let mut field = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(file, "{name}: {value}");
    };
    for address in contact {
        field("Contact", address);
    }
    if let Some(expires) = expires {
        field("Expires", &expires.to_string());
    }
    for (name, value) in [
        ("Encryption", encryption),
        ("Acknowledgments", acknowledgments),
        ("Policy", policy),
    ] {
        if let Some(value) = value {
            field(name, value);
        }
    }
    if !preferred_languages.is_empty() {
        field("Preferred-Languages", &preferred_languages.join(", "));
    }
    if let Some(url) = canonical(config) {
        field("Canonical", &url);
    }
    file
}

/// The file's own address, which has to be `https:` and at the root of the host.
fn canonical(config: &Config) -> Option<String> {
    let url = http_url(config.network.relay_url.as_deref()?);
    let host = url.strip_prefix("https://")?;
    let is_root = !host.contains(['/', '?', '#']);
    is_root.then(|| format!("{url}{PATH}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Timestamp;

    #[test]
    fn c29_security_txt_has_the_fields_of_rfc_9116() {
        let mut config = Config::default();
        config.network.relay_url = Some("wss://relay.example.com/".to_owned());
        config.security_contact = SecurityContact {
            contact: vec![
                "mailto:security@example.com".to_owned(),
                "https://example.com/report".to_owned(),
            ],
            expires: Some(Timestamp::from_unix_secs(1_900_000_000)),
            policy: Some("https://example.com/disclosure".to_owned()),
            preferred_languages: vec!["en".to_owned(), "pt-BR".to_owned()],
            ..SecurityContact::default()
        };
        let wanted = "Contact: mailto:security@example.com\n\
                      Contact: https://example.com/report\n\
                      Expires: 2030-03-17T17:46:40Z\n\
                      Policy: https://example.com/disclosure\n\
                      Preferred-Languages: en, pt-BR\n\
                      Canonical: https://relay.example.com/.well-known/security.txt\n";
        assert_eq!(file(&config), wanted);
        for (url, canonical_url) in [
            (None, None),
            (Some("ws://relay.example.com"), None),
            (Some("wss://example.com/relay"), None),
            (
                Some("wss://example.com:8443"),
                Some("https://example.com:8443/.well-known/security.txt"),
            ),
        ] {
            config.network.relay_url = url.map(str::to_owned);
            assert_eq!(canonical(&config).as_deref(), canonical_url, "{url:?}");
        }
    }
}
