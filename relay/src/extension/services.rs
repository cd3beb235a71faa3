//! Traits that one extension provides and another looks up.
//!
//! Invariant: a service is resolved at every use, so its provider may be rebuilt or switched off in between.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

/// What an extension offers and cannot do without; it orders the builds.
///
/// ```
/// use trellis_relay::extension::Needs;
/// trait Membership: Send + Sync {}
/// fn services(needs: &mut Needs) {
///     needs.requires::<dyn Membership>();
/// }
/// ```
#[derive(Debug, Default)]
pub struct Needs {
    pub(super) provides: Vec<TypeId>,
    pub(super) requires: Vec<(TypeId, &'static str)>,
}

impl Needs {
    /// This extension provides `T` (a `dyn Trait`, usually).
    pub fn provides<T: ?Sized + 'static>(&mut self) -> &mut Self {
        self.provides.push(TypeId::of::<T>());
        self
    }

    /// This extension is built after the one that provides `T`, and not without it.
    pub fn requires<T: ?Sized + 'static>(&mut self) -> &mut Self {
        self.requires.push((TypeId::of::<T>(), type_name::<T>()));
        self
    }
}

/// A service that may or may not be there at the moment.
pub struct ServiceRef<T: ?Sized> {
    services: Services,
    service: PhantomData<fn() -> Box<T>>,
}

impl<T: ?Sized + Send + Sync + 'static> ServiceRef<T> {
    /// The service, if an extension that is on provides it. Do not keep it: ask again.
    pub fn get(&self) -> Option<Arc<T>> {
        let slots = self.services.slots.read();
        let slots = slots.unwrap_or_else(PoisonError::into_inner);
        // The box holds an `Arc<dyn Trait>`.
        let service = slots.get(&TypeId::of::<T>())?.downcast_ref::<Arc<T>>();
        service.cloned()
    }
}

impl<T: ?Sized> Clone for ServiceRef<T> {
    fn clone(&self) -> Self {
        ServiceRef {
            services: self.services.clone(),
            service: PhantomData,
        }
    }
}

impl<T: ?Sized> std::fmt::Debug for ServiceRef<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServiceRef({})", type_name::<T>())
    }
}

type Slots = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// One service of an instance.
#[derive(Clone)]
pub(super) struct Offer {
    id: TypeId,
    service: Arc<dyn Any + Send + Sync>,
}

impl Offer {
    pub(super) fn new<T: ?Sized + Send + Sync + 'static>(service: Arc<T>) -> Self {
        Offer {
            id: TypeId::of::<T>(),
            service: Arc::new(service),
        }
    }

    pub(super) fn is(&self, service: &TypeId) -> bool {
        self.id == *service
    }
}

/// The services of all running extensions.
#[derive(Clone, Default)]
pub(super) struct Services {
    slots: Arc<RwLock<Slots>>,
}

impl Services {
    pub(super) fn reference<T: ?Sized>(&self) -> ServiceRef<T> {
        ServiceRef {
            services: self.clone(),
            service: PhantomData,
        }
    }

    pub(super) fn replace<'o>(&self, offers: impl Iterator<Item = &'o Offer>) {
        let slots = offers.map(|offer| (offer.id, offer.service.clone()));
        *self.slots.write().unwrap_or_else(PoisonError::into_inner) = slots.collect();
    }
}
