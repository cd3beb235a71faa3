//! The HTTP routes: those of the BUDs at the root, and the operator's below `/admin`.
//!
//! Invariant: every answer may be read by web pages of all origins, and every refusal is a [`Refusal`](crate::refusal), since
//! handlers take nothing but what cannot fail before they begin.

mod admin;
mod blob;
mod delete;
mod export;
mod health;
mod list;
mod media;
mod mirror;
mod report;
mod totals;
mod upload;

use crate::BlossomPolicy;
use crate::blob::{BlobHash, NoHash};
use crate::config::Config;
use crate::refusal::Refusal;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use trellis_relay::extension::prelude::*;

/// A blob's name in a path, as the routes have it: whether it is lower case is the handler's to say.
const BLOB: &str = "/{sha256:[0-9a-fA-F]{64}}";
/// Bodies that are read whole: a report, a URL, an order of the operator's.
const SHORT_BODY_BYTES: usize = 64 << 10;

/// Mounts the routes.
pub(crate) fn register(config: &Config, hooks: &mut Registrar<BlossomPolicy>) {
    let mount = match &config.host {
        Some(name) => Mount::host(name),
        None => Mount::root(),
    };
    hooks.api(mount, |api| {
        api.about("A Blossom server: blobs by their sha256.")
            .any_origin()
            .reason_header(HeaderName::from_static("x-reason"))
            .service_tokens(&config.service_tokens)
            .max_body_bytes(SHORT_BODY_BYTES);
        if let Some(url) = &config.url {
            api.known_as(url);
        }
        blob::declare(api);
        upload::declare(api);
        mirror::declare(api);
        media::declare(api);
        delete::declare(api);
        list::declare(api);
        totals::declare(api);
        report::declare(api);
        export::declare(api);
        admin::declare(api);
        if config.host.is_some() {
            // Elsewhere it is the relay's own.
            health::declare(api);
        }
    });
}

/// The blob that a path names.
fn hash_in(request: &HttpRequest) -> Result<BlobHash, Refusal> {
    let name = request.match_info().get("sha256").unwrap_or_default();
    name.parse()
        .map_err(|error: NoHash| Refusal::bad_request(error.to_string()))
}
