//! HTTP routes of extensions, written as plain actix-web scopes and handlers, and what their handlers share.
//!
//! An actix App cannot change its routes, but extensions come, go and change. So each worker keeps a small App of each
//! mount beside the server's own and makes it anew when the table of hooks has changed: a mount of an extension that is
//! off is simply not there, and answers 404. The passing of requests is in `dispatch`, the choice of a mount in `routes`.
//! Routes may describe themselves (`api`, `describe`, `operation`), which `openapi` puts together. Extractors have a file
//! each.

mod answer;
mod api;
mod body;
mod caller;
mod client_ip;
mod describe;
mod dispatch;
mod error;
mod limits;
mod mount;
mod nip98;
pub(crate) mod openapi;
mod operation;
mod own_url;
mod page;
mod path;
mod reading;
mod routes;
mod scope;
mod service_token;
mod surroundings;

use super::Extension;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::fmt;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

pub(crate) use answer::{error, refuse_method};
pub use api::{Api, Route};
pub use caller::{Caller, CallerJson};
pub use client_ip::ClientIp;
pub use describe::Describe;
pub use dispatch::configure;
pub(crate) use dispatch::{MountedAt, OpenToAll, look_again};
pub use error::ApiError;
pub use mount::Mount;
pub use nip98::{Nip98, Nip98Bytes, Nip98Json, Nip98Stream};
pub use operation::Inputs;
pub use own_url::OwnUrl;
pub use page::{Page, PageOf};
pub(crate) use routes::is_open_to_all;
pub(super) use scope::Scope;
pub use service_token::{ServiceToken, ServiceTokens};

/// Where the relay describes its routes: at every Host name, so that no extension can have these paths.
pub(crate) const EVERYWHERE: [&str; 2] = ["/openapi.json", "/openapi"];

/// The instance as `app_data`.
pub(super) struct Instance<E>(pub(super) Arc<E>);

/// Extractor: the instance of extension `E` that is in force. It derefs to the extension.
///
/// ```
/// use trellis_relay::extension::prelude::*;
/// async fn name<E: Extension>(me: Current<E>) -> String {
///     let _me: &E = &me;
///     E::NAME.to_owned()
/// }
/// ```
pub struct Current<E>(Arc<E>);

impl<E> Current<E> {
    /// To keep it beyond the request.
    pub fn into_inner(self) -> Arc<E> {
        self.0
    }
}

impl<E> Deref for Current<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.0
    }
}

impl<E> fmt::Debug for Current<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl<E: Extension> FromRequest for Current<E> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let instance = request.app_data::<Instance<E>>();
        ready(match instance {
            Some(Instance(instance)) => Ok(Current(instance.clone())),
            None => Err(ApiError::internal(NotMounted)),
        })
    }
}

/// The handler is mounted by another extension than the one whose instance it asks for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this handler belongs to another extension")]
pub struct NotMounted;
