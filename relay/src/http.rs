//! The pages beside the WebSocket: NIP-11, a landing page, management, health, metrics, the description of all of it, and
//! the extensions' scopes.
//!
//! Invariant: an error is JSON `{error, code}`, and nothing internal stands in it.

mod blocked;
mod cors;
mod health;
mod landing;
mod management;
mod markup;
mod metrics_page;
mod nip11;
mod openapi;
mod own_events;
mod policy;
mod security_txt;
mod status;
mod timing;

pub(crate) use crate::extension::http::error;
pub(crate) use blocked::BLOCKED;
pub use blocked::keep_out;
pub use cors::allow_origins;
pub use management::method_names;
pub use metrics_page::install_recorder;
pub use nip11::document as nip11_document;
pub use timing::record_times;

use crate::extension::http as extensions;
use crate::relay::Relay;
use crate::ws;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use std::sync::Arc;

/// Mounts the relay in an actix-web application: WebSocket handshakes at `/`, and [`pages`] beside them.
///
/// What no route of the application takes is answered by the relay, with 404 as JSON. Web pages of other origins need
/// the application to be wrapped in [`allow_origins`], and blocked addresses are kept from the pages by [`keep_out`];
/// clients that stop reading are dropped in time where
/// [`keep_socket`](crate::ws::actor::keep_socket) is given to `HttpServer::on_connect`.
///
/// ```no_run
/// use actix_web::{App, HttpServer, web};
/// use trellis_relay::running::RunningRelay;
/// fn serve(running: &RunningRelay) -> std::io::Result<()> {
///     let relay = running.mount();
///     let app = move || {
///         App::new()
///             .route("/hello", web::get().to(async || "hello"))
///             .configure(relay.clone())
///     };
///     let server = HttpServer::new(app).on_connect(trellis_relay::ws::actor::keep_socket);
///     actix_web::rt::spawn(server.bind("127.0.0.1:8080")?.run());
///     Ok(())
/// }
/// ```
pub fn mount(relay: Arc<Relay>) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    let pages = pages(relay);
    move |config| {
        config.route(
            "/",
            web::get()
                .guard(guard::fn_guard(wants_websocket))
                .to(ws::actor::accept),
        );
        pages(config);
    }
}

fn wants_websocket(context: &guard::GuardContext<'_>) -> bool {
    context.head().headers().get_all("upgrade").any(|upgrade| {
        upgrade.to_str().is_ok_and(|upgrade| {
            upgrade
                .split(',')
                .any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
        })
    })
}

/// The pages alone, for a server that takes WebSocket handshakes by itself.
pub fn pages(relay: Arc<Relay>) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
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
            .service(page("/livez", get().to(health::livez)))
            .service(page("/health", get().to(health::health)))
            .service(page("/status", get().to(status::status)))
            .service(page("/ready", get().to(health::ready)))
            .service(page("/metrics", get().to(metrics_page::metrics)))
            .service(page(own_events::PATH, get().to(own_events::own_events)))
            .service(page(policy::PATH, get().to(policy::policy)))
            .service(page(
                security_txt::PATH,
                get().to(security_txt::security_txt),
            ))
            .service(page("/openapi.json", get().to(openapi::document)))
            .service(page("/openapi", get().to(openapi::page)));
    }
}

/// HEAD is answered as GET is; the server leaves the body out.
fn get() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A path that knows GET and HEAD, and says so where it is asked with another method.
fn page(path: &str, route: actix_web::Route) -> actix_web::Resource {
    let others =
        web::route().to(async |method: Method| extensions::refuse_method(&method, &[&Method::GET]));
    web::resource(path).route(route).route(others)
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
        return nip11::page(&request, &relay);
    }
    landing::page(&relay)
}

/// For a page that is not there, or switched off.
fn nothing() -> HttpResponse {
    error(StatusCode::NOT_FOUND, "there is nothing here")
}

/// Paths at which the relay itself answers; at `/` to GET, HEAD and calls of the management API.
pub fn own_paths() -> Vec<&'static str> {
    vec![
        "/",
        "/livez",
        "/health",
        "/status",
        "/ready",
        "/metrics",
        "/openapi.json",
        "/openapi",
        own_events::PATH,
        policy::PATH,
        security_txt::PATH,
    ]
}
