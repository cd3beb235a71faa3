//! What clients call this server: the URLs they are given, and the names a token may be for.
//!
//! Invariant: what a token is for is compared with names that the operator has set, or with an address that can be nobody
//! else's, and never with the client's own word (`Host`).

use crate::config::Config;
use actix_web::{FromRequest, HttpRequest};
use trellis_relay::extension::http::OwnUrl;
use url::Url;

/// The URL of the routes, without a slash at its end. Where nobody has set it, it is what the client has asked for: whoever
/// lies about that is told a URL of no use.
pub(crate) fn base_url(request: &HttpRequest) -> String {
    own_url(request).unwrap_or_else(|| format!("http://{}", request.connection_info().host()))
}

/// The domain names that this server is known by, in lower case.
pub(crate) fn own_names(config: &Config, request: &HttpRequest) -> Vec<String> {
    let own = own_url(request).as_deref().and_then(host_of);
    let mounted = config.host.as_deref().map(str::to_ascii_lowercase);
    let mut names: Vec<String> = own.into_iter().chain(mounted).collect();
    names.dedup();
    names
}

/// What a `server` tag names (BUD-11): a domain name in whatever case, or that of a URL.
pub(crate) fn named(server: &str) -> Option<String> {
    match server.contains("://") {
        true => host_of(server),
        false => Some(server.to_ascii_lowercase()),
    }
}

fn own_url(request: &HttpRequest) -> Option<String> {
    OwnUrl::extract(request).into_inner().ok()?.0
}

/// The name alone, without a port.
fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.host_str().map(str::to_ascii_lowercase)
}
