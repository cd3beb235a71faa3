//! HTTP routes of extensions, written as plain actix-web scopes and handlers.
//!
//! An actix App cannot change its routes, but extensions come, go and change. So each worker keeps a small App of each
//! mount beside the server's own and makes it anew when the table of hooks has changed: a mount of an extension that is
//! off is simply not there, and answers 404. The passing of requests is in `dispatch`, the choice of a mount in `routes`.

mod body;
mod dispatch;
mod routes;

use super::Extension;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, ResponseError};
use std::fmt;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

pub use dispatch::configure;
pub(crate) use dispatch::{MountedAt, look_again};

/// Where routes are mounted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mount {
    /// Under a path, `/api/groups`; the routes are written without it. The longest prefix is asked first.
    Prefix(String),
    /// At the root, for what neither a prefix nor the core's own routes take.
    Root,
    /// For requests to this Host name, before everything else. A port is not looked at.
    Host(String),
}

impl Mount {
    /// Under a path; the routes are written without it.
    pub fn prefix(path: impl Into<String>) -> Self {
        Mount::Prefix(path.into())
    }

    /// At the root, after every prefix and the core's own routes.
    pub fn root() -> Self {
        Mount::Root
    }

    /// For requests to this Host name, before everything else.
    pub fn host(name: impl Into<String>) -> Self {
        Mount::Host(name.into())
    }

    /// What is wrong with it, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        let (what, is_good) = match self {
            Mount::Root => return None,
            Mount::Prefix(path) => (
                "a prefix is a path such as \"/api/groups\"",
                path.len() > 1 && path.starts_with('/') && !path.ends_with('/'),
            ),
            Mount::Host(name) => (
                "a host is a name such as \"media.example\"",
                !name.is_empty() && !name.contains(['/', ':']),
            ),
        };
        (!is_good).then(|| format!("cannot mount routes at {self}: {what}"))
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mount::Prefix(path) => f.write_str(path),
            Mount::Root => f.write_str("/"),
            Mount::Host(name) => write!(f, "//{name}/"),
        }
    }
}

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
    type Error = NotMounted;
    type Future = Ready<Result<Self, NotMounted>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let instance = request.app_data::<Instance<E>>();
        ready(match instance {
            Some(Instance(instance)) => Ok(Current(instance.clone())),
            None => Err(NotMounted),
        })
    }
}

/// The handler is mounted by another extension than the one whose instance it asks for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this handler belongs to another extension")]
pub struct NotMounted;

impl ResponseError for NotMounted {}
