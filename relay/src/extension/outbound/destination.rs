//! Where a request may go: the URL that the extension gave, and those of redirects.
//!
//! Invariant: addresses that stand in a URL are checked here, since nobody resolves them; names are left to the resolver.

use super::address::is_allowed;
use super::error::OutboundError;
use crate::config::IpRange;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use std::net::IpAddr;
use url::Host;

/// The URL, if it can be asked.
pub(super) fn parse(url: &str) -> Result<Url, OutboundError> {
    Url::parse(url).map_err(|_| OutboundError::Url("this is no absolute URL"))
}

/// Refuses other schemes than HTTP's, user names, and addresses that extensions may not reach.
pub(super) fn check(url: &Url, allow_private: &[IpRange]) -> Result<(), OutboundError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(OutboundError::Url("only http and https can be asked"));
    }
    check_host(url, allow_private)
}

/// Refuses user names, and addresses that extensions may not reach.
pub(super) fn check_host(url: &Url, allow_private: &[IpRange]) -> Result<(), OutboundError> {
    if !url.username().is_empty() || url.password().is_some() {
        let problem = "a URL with a user name or password; send an Authorization header instead";
        return Err(OutboundError::Url(problem));
    }
    let address: IpAddr = match url.host() {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => address.into(),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err(OutboundError::Url("a URL without a host")),
    };
    match is_allowed(address, allow_private) {
        true => Ok(()),
        false => Err(OutboundError::Private {
            host: url.host_str().unwrap_or_default().to_owned(),
            address,
        }),
    }
}

/// Where an answer sends the request on to, if it does.
pub(super) fn redirect(response: &Response, from: &Url) -> Result<Option<Url>, OutboundError> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let Some(location) = response.headers().get(LOCATION).filter(|_| is_redirect) else {
        return Ok(None);
    };
    let location = location.to_str().ok();
    let next = location.and_then(|location| from.join(location).ok());
    let next = next.ok_or(OutboundError::Url("a redirect to what is no URL"))?;
    if from.scheme() == "https" && next.scheme() == "http" {
        return Err(OutboundError::Downgrade);
    }
    Ok(Some(next))
}

/// Whether the request is asked again as it was, or as a GET.
pub(super) fn keeps_body(status: StatusCode, method: &Method) -> bool {
    matches!(status.as_u16(), 307 | 308) || matches!(*method, Method::GET | Method::HEAD)
}

/// Leaves what may go along to another origin: nothing that could be a secret.
pub(super) fn strip(headers: &mut HeaderMap) {
    let kept: HeaderMap = [ACCEPT, CONTENT_TYPE]
        .into_iter()
        .filter_map(|name| Some((name.clone(), headers.remove(name)?)))
        .collect();
    *headers = kept;
}
