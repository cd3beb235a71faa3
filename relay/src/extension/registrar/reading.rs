//! Hooks for what clients ask and see.

use super::super::Extension;
use super::super::audience::Audience;
use super::super::failure::HookError;
use super::super::hook::Call;
use super::super::narrow::Narrow;
use super::super::verdict::{Access, AccessRequest, Verb};
use super::super::viewer::Viewer;
use super::Registrar;
use crate::event::Event;
use crate::kinds::Kinds;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

impl<E: Extension> Registrar<E> {
    /// May a client ask this? Runs for REQ, COUNT and NEG-OPEN whose filter may touch the kinds, and again when the
    /// client authenticates. A courtesy, never the protection: what it hides, `deliver` must hide as well.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.request(1059, |_me, viewer, _verb, filter| {
    ///         if !viewer.is_authenticated() && filter.asks_only_for(&1059.into()) {
    ///             return Ok(Reason::auth_required("gift wraps are for their recipients").into());
    ///         }
    ///         if !viewer.is_authenticated() {
    ///             filter.drop_kinds(&1059.into());
    ///         }
    ///         Ok(Access::Allow)
    ///     });
    /// }
    /// ```
    pub fn request<F>(&mut self, kinds: impl Into<Kinds>, hook: F) -> &mut Self
    where
        F: Fn(&E, &Viewer, Verb, &mut Narrow<'_>) -> Result<Access, HookError>
            + Send
            + Sync
            + 'static,
    {
        let me = self.instance.clone();
        let call = move |viewer: &Viewer, verb, narrow: &mut Narrow<'_>| {
            hook(&me, viewer, verb, narrow) //
        };
        self.add(kinds.into(), Call::Request(Box::new(call)))
    }

    /// Before `request`, with I/O: load into memory what `request` and `deliver` will ask for. May close the request.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.request_async(445, Duration::from_secs(1), async |_me, request| {
    ///         tokio::task::yield_now().await; // load the groups of request.viewer.pubkeys()
    ///         match request.viewer.is_authenticated() {
    ///             true => Ok(Access::Allow),
    ///             false => Ok(Reason::auth_required("log in to read groups").into()),
    ///         }
    ///     });
    /// }
    /// ```
    pub fn request_async<F, Fut>(
        &mut self,
        kinds: impl Into<Kinds>,
        timeout: Duration,
        hook: F,
    ) -> &mut Self
    where
        F: Fn(Arc<E>, AccessRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Access, HookError>> + Send + 'static,
    {
        let me = self.instance.clone();
        let call = Arc::new(move |request| -> _ { Box::pin(hook(me.clone(), request)) as _ });
        self.add(kinds.into(), Call::RequestAsync(timeout, call))
    }

    /// May this viewer see this event? Asked whenever an event is about to leave the relay, by any exit. From memory
    /// only; a fault hides the event, whatever `on_fault` says.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.deliver(4, |_me, event, viewer| {
    ///         let recipients = event.tag_values(b'p');
    ///         Ok(viewer.is(event.pubkey())
    ///             || recipients.filter_map(|p| PublicKey::from_hex(&p).ok()).any(|p| viewer.is(&p)))
    ///     });
    /// }
    /// ```
    pub fn deliver<F>(&mut self, kinds: impl Into<Kinds>, hook: F) -> &mut Self
    where
        F: Fn(&E, &Event, &Viewer) -> Result<bool, HookError> + Send + Sync + 'static,
    {
        self.deliver_many(kinds, move |me, event, audience| {
            audience.try_retain(|viewer| hook(me, event, viewer))
        })
    }

    /// As [`Registrar::deliver`], for all viewers of a worker at once: what depends on the event alone is looked up once.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.deliver_many(445, |_me, event, audience| {
    ///         let author = *event.pubkey(); // look up the members of event's group, once
    ///         audience.retain(|viewer| viewer.is(&author));
    ///         Ok(())
    ///     });
    /// }
    /// ```
    pub fn deliver_many<F>(&mut self, kinds: impl Into<Kinds>, hook: F) -> &mut Self
    where
        F: Fn(&E, &Event, &mut Audience<'_>) -> Result<(), HookError> + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let call = move |event: &Event, audience: &mut Audience<'_>| hook(&me, event, audience);
        self.add(kinds.into(), Call::Deliver(Box::new(call)))
    }
}
