//! `/openapi.json`: what can be called over HTTP, the relay's own routes and those of the extensions that are on, as an
//! OpenAPI 3.1 document. `/openapi`: the same as a page for people.
//!
//! Both are made when they are asked for, so they change with what is switched on. `network.openapi` switches them off.
//! What is mounted for another Host name than the one that was asked for is not told.

mod own;

use super::nothing;
use crate::extension::http::openapi as extensions;
use crate::own_host::{http_url, named_host};
use crate::relay::Relay;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};

pub(super) async fn document(request: HttpRequest, relay: web::Data<Arc<Relay>>) -> HttpResponse {
    if !relay.config().network.openapi {
        return nothing();
    }
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .json(describe(&relay, named_host(request.head())))
}

pub(super) async fn page(relay: web::Data<Arc<Relay>>) -> HttpResponse {
    if !relay.config().network.openapi {
        return nothing();
    }
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, PAGE.policy.as_str()))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(PAGE.html.as_str())
}

/// The document for who asked for this host.
fn describe(relay: &Relay, host: &str) -> Value {
    let config = relay.config();
    let mounts = extensions::describe(&relay.hooks.load(), host);
    let mut tags = mounts.tags;
    let mut paths = serde_json::Map::new();
    // At a Host name that an extension has, the relay's own pages are not to be found.
    if !mounts.is_host_taken {
        tags.push(json!({ "name": own::TAG, "description": "The relay's own pages." }));
        paths.extend(own::paths(config.information.pubkey.is_some()));
    }
    for (path, operations) in mounts.paths {
        // What cannot be reached behind the relay's own pages was refused at the start.
        match (paths.get_mut(&path), operations) {
            (Some(Value::Object(own)), Value::Object(operations)) => {
                for (method, operation) in operations {
                    own.entry(method).or_insert(operation);
                }
            }
            (_, operations) => {
                paths.insert(path, operations);
            }
        }
    }
    let mut schemas = mounts.schemas;
    schemas.insert("Error".to_owned(), own::error_schema());
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": config.information.name,
            "description": config.information.description,
            "version": env!("CARGO_PKG_VERSION"),
        },
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Error": own::error_response() },
            "securitySchemes": own::security_schemes(),
        },
    });
    if let (Some(url), false) = (&config.network.relay_url, mounts.is_host_taken) {
        document["servers"] = json!([{ "url": http_url(url) }]);
    }
    document
}

/// A page in one piece, and the policy under which nothing else can run in it.
struct Page {
    html: String,
    policy: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let (style, script) = (
        include_str!("openapi/page.css"),
        include_str!("openapi/page.js"),
    );
    let html = include_str!("openapi/page.html")
        .replace("/*style*/", style)
        .replace("/*script*/", script);
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(style),
        hash(script)
    );
    Page { html, policy }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e11_the_page_is_whole_and_asks_nobody_else() {
        assert!(!PAGE.html.contains("/*style*/") && !PAGE.html.contains("/*script*/"));
        for outside in [
            "http://",
            "https://",
            "src=",
            "@import",
            ": url(",
            "innerHTML",
        ] {
            assert!(!PAGE.html.contains(outside), "{outside}");
        }
    }
}
