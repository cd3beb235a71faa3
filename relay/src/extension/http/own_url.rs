//! Extractor: the URL by which clients know a mount.

use super::describe::Describe;
use super::error::ApiError;
use super::surroundings::Surroundings;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// Extractor: the URL by which clients know the mount, without a slash at its end, for answers that tell addresses: what
/// [`Api::known_as`](super::Api::known_as) says, the Host name of the mount, or the relay's own address
/// (`network.relay_url`) and the mount's path. Nothing where only the client's word says what the relay is called.
///
/// ```
/// use trellis_relay::extension::http::OwnUrl;
/// use trellis_relay::extension::prelude::*;
/// async fn link(url: OwnUrl) -> Result<String, ApiError> {
///     let unknown = "the operator must set network.relay_url";
///     let url = url.0.ok_or_else(|| ApiError::unavailable(unknown))?;
///     Ok(format!("{url}/latest"))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnUrl(pub Option<String>);

impl FromRequest for OwnUrl {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Surroundings::of(request).map(|surroundings| OwnUrl(surroundings.own_url(request))))
    }
}

impl Describe for OwnUrl {}
