//! What the relay offers to an extension.

use super::services::{ServiceRef, Services};
use crate::clock::Clock;
use std::sync::Arc;

/// An extension's view of the relay. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    name: &'static str,
    clock: Arc<dyn Clock>,
    services: Services,
}

impl Host {
    /// The extension's own name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// A service of another extension, resolved whenever it is used.
    pub fn service<T: ?Sized + Send + Sync + 'static>(&self) -> ServiceRef<T> {
        self.services.reference()
    }
}
