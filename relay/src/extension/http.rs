//! HTTP routes of extensions.

use super::Extension;
use std::sync::Arc;

/// Where routes are mounted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mount {
    /// Under a path, `/api/groups`; the routes are written without it.
    Prefix(String),
    /// At the root, after every prefix and the core's own routes.
    Root,
    /// For requests to this Host name, before everything else.
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
}

/// The instance as `app_data`.
pub(super) struct Instance<E>(pub(super) Arc<E>);

/// Extractor: the instance of extension `E` that is in force.
#[derive(Debug)]
pub struct Current<E: Extension>(Arc<E>);
