//! The pages beside the WebSocket: NIP-11, a landing page, management, health, metrics, and the extensions' scopes.
//!
//! Invariant: an error is JSON `{error, code}`, and nothing internal stands in it.

mod cors;
mod health;
mod landing;
mod management;
mod metrics_page;
mod nip11;

pub use cors::allow_origins;
pub use metrics_page::install_recorder;
pub use nip11::document as nip11_document;

use crate::extension::http as extensions;
use crate::relay::Relay;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, guard, web};
use std::sync::Arc;

/// The relay's own routes, for the server and for embedding.
pub fn pages(relay: Arc<Relay>) -> impl Fn(&mut web::ServiceConfig) + Clone {
    move |config| {
        config
            .app_data(web::Data::new(relay.clone()))
            // First, since what extensions mount under a prefix or a Host name comes before the core's own pages; it
            // answers 404 for what nobody mounts.
            .configure(extensions::configure(&relay.extensions))
            .route("/", get().to(root))
            .route(
                "/",
                web::post().guard(management::IsCall).to(management::call),
            )
            .route("/livez", get().to(health::livez))
            .route("/health", get().to(health::health))
            .route("/ready", get().to(health::ready))
            .route("/metrics", get().to(metrics_page::metrics));
    }
}

/// HEAD is answered as GET is; the server leaves the body out.
fn get() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// NIP-11 for who accepts it, a page for everybody else.
async fn root(request: HttpRequest, relay: web::Data<Arc<Relay>>) -> HttpResponse {
    let accepts = |kind: &str| {
        request
            .headers()
            .get_all("accept")
            .any(|value| value.to_str().is_ok_and(|value| value.contains(kind)))
    };
    if accepts("application/nostr+json") {
        return nip11::page(&relay);
    }
    landing::page(&relay)
}

/// An error as every page of the core answers it.
pub(crate) fn error(status: StatusCode, text: &str) -> HttpResponse {
    HttpResponse::build(status).json(serde_json::json!({"error": text, "code": status.as_u16()}))
}
