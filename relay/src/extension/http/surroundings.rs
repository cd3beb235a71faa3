//! What the extractors of a mounted scope know of the relay around them.

use super::super::host::Host;
use super::error::ApiError;
use super::limits::DEFAULT_BODY_BYTES;
use crate::client_ip::client_ip;
use crate::nips::nip98::address::{self, Target};
use crate::nips::nip98::{self, Asked, Nip98Error, Signed};
use crate::own_host::{local_address, named_host};
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};
use std::borrow::Cow;
use std::net::IpAddr;

/// How an extension wants a scope to be.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The absolute URL under which clients know the mount, where it is not the relay's.
    pub(super) known_as: Option<String>,
    pub(super) nip98_window_s: u64,
    pub(super) max_body_bytes: usize,
    /// Web pages of all origins may call it, whatever the operator's list says.
    pub(super) any_origin: bool,
    /// Errors say why in this header, too.
    pub(super) reason_header: Option<HeaderName>,
    /// The mount's path, which `known_as` stands for.
    pub(super) prefix_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            known_as: None,
            nip98_window_s: nip98::WINDOW_S,
            max_body_bytes: DEFAULT_BODY_BYTES,
            any_origin: false,
            reason_header: None,
            prefix_bytes: 0,
        }
    }
}

/// Stands in the `app_data` of every mounted scope.
pub(super) struct Surroundings {
    pub(super) host: Host,
    /// Mounted for a Host name, which the request has then.
    pub(super) is_at_host_name: bool,
    pub(super) settings: Settings,
}

impl Surroundings {
    pub(super) fn of(request: &HttpRequest) -> Result<&Self, ApiError> {
        let found = request.app_data::<Surroundings>();
        found.ok_or_else(|| ApiError::internal(super::NotMounted))
    }

    /// The client's address, as `[network]` says.
    pub(super) fn client_ip(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?;
        let network = self.host.network();
        Some(client_ip(peer.ip(), request.headers(), &network))
    }

    /// Who signed a request (NIP-98). What is known of its body must be covered.
    pub(super) fn check_signed(
        &self,
        request: &HttpRequest,
        body_sha256: Option<&[u8; 32]>,
    ) -> Result<Signed, Nip98Error> {
        let text = |name| request.headers().get(name)?.to_str().ok();
        let header = text(header::AUTHORIZATION).ok_or(Nip98Error::Header)?;
        let uri = request.uri();
        let path = uri.path_and_query().map_or("/", |it| it.as_str());
        let host = named_host(request.head());
        let network = self.host.network();
        let local = local_address(request);
        let relay_url = network.relay_url.as_deref();
        let (known_as, path) = match &self.settings.known_as {
            Some(url) => (Some(url.as_str()), self.below_mount(path)),
            None if self.is_at_host_name => (Some(host), Cow::Borrowed(path)),
            None => {
                let known_as = address::known_as(relay_url, host, Some(local));
                (known_as, Cow::Borrowed(path))
            }
        };
        let known_as = known_as.ok_or(Nip98Error::NoAddress)?;
        let asked = Asked {
            method: request.method().as_str(),
            target: Target::Below {
                address: known_as,
                path: &path,
            },
            body_sha256,
            window_s: self.settings.nip98_window_s,
        };
        self.host
            .check_signed(header, asked, self.client_ip(request))
    }

    /// The URL by which clients know the mount, without a slash at its end.
    pub(super) fn own_url(&self, request: &HttpRequest) -> Option<String> {
        let without_slash = |url: &str| url.trim_end_matches('/').to_owned();
        if let Some(url) = &self.settings.known_as {
            return Some(without_slash(url));
        }
        let host = named_host(request.head());
        if self.is_at_host_name {
            return Some(format!("https://{host}"));
        }
        let network = self.host.network();
        let relay_url = network.relay_url.as_deref();
        let known_as = address::known_as(relay_url, host, Some(local_address(request)))?;
        let path = request.path().get(..self.settings.prefix_bytes);
        let path = path.unwrap_or_default();
        let target = Target::Below {
            address: known_as,
            path,
        };
        Some(without_slash(&target.to_string()))
    }

    fn below_mount<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let below = path.get(self.settings.prefix_bytes..).unwrap_or(path);
        match below.starts_with('/') {
            true => below.into(),
            false => format!("/{below}").into(),
        }
    }
}
