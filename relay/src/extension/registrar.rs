//! What an extension fills in `register`: its hooks, and the services it offers to others.
//!
//! Every hook is a method or a closure that is handed the instance first.

use super::audience::Audience;
use super::commit::CommitTx;
use super::failure::HookError;
use super::hook::{Call, Phase, Registration, StartAt};
use super::http::Mount;
use super::kinds::Kinds;
use super::narrow::Narrow;
use super::services::Offer;
use super::verdict::{
    Access, AccessRequest, Admit, AdmitRequest, Commit, Removal, SessionNote, Verb,
};
use super::viewer::Viewer;
use super::{Extension, http};
use crate::event::Event;
use crate::store::{Cause, Change};
use actix_web::web::ServiceConfig;
use serde_json::{Map, Value};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Collects the hooks of one instance.
///
/// Hooks run by phase, then by the extension's `priority`, then by its name. [`Registrar::phase`] sets the phase of the
/// hooks that follow it.
pub struct Registrar<E> {
    instance: Arc<E>,
    phase: Phase,
    registrations: Vec<Registration>,
    offers: Vec<Offer>,
}

impl<E: Extension> Registrar<E> {
    pub(super) fn new(instance: Arc<E>) -> Self {
        Registrar {
            instance,
            phase: Phase::default(),
            registrations: Vec::new(),
            offers: Vec::new(),
        }
    }

    pub(super) fn into_parts(self) -> (Vec<Registration>, Vec<Offer>) {
        (self.registrations, self.offers)
    }

    fn add(&mut self, kinds: Kinds, call: Call) -> &mut Self {
        self.registrations.push(Registration {
            phase: self.phase,
            kinds,
            call,
        });
        self
    }

    /// The phase of the hooks registered from here on; [`Phase::Policy`] until it is set.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks
    ///         .phase(Phase::Validate)
    ///         .admit(445, |_me, event, _viewer| match event.first_tag_value("h") {
    ///             Some(_) => Ok(Admit::Accept),
    ///             None => Ok(Reason::invalid("kind 445 needs an h tag").into()),
    ///         });
    /// }
    /// ```
    pub fn phase(&mut self, phase: Phase) -> &mut Self {
        self.phase = phase;
        self
    }

    /// May an EVENT come in? Asked after the core's own checks, before the store. From memory only: no I/O.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.admit([1, 1111], |_me, event, viewer| {
    ///         if event.content().contains("casino") && !viewer.is(event.pubkey()) {
    ///             return Ok(Admit::Shadow);
    ///         }
    ///         Ok(Admit::Accept)
    ///     });
    /// }
    /// ```
    pub fn admit<F>(&mut self, kinds: impl Into<Kinds>, hook: F) -> &mut Self
    where
        F: Fn(&E, &Event, &Viewer) -> Result<Admit, HookError> + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let call = move |event: &Event, viewer: &Viewer| hook(&me, event, viewer);
        self.add(kinds.into(), Call::Admit(Box::new(call)))
    }

    /// May an EVENT come in, if the answer needs I/O? Runs on the extension's own threads; past its timeout it is at
    /// fault. `timeout_ms` in the extension's table overrides the timeout.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.admit_async(0, Duration::from_millis(500), async |_me, request| {
    ///         tokio::task::yield_now().await; // ask a database
    ///         match request.viewer.is(request.event.pubkey()) {
    ///             true => Ok(Admit::Accept),
    ///             false => Ok(Reason::auth_required("log in as the author").into()),
    ///         }
    ///     });
    /// }
    /// ```
    pub fn admit_async<F, Fut>(
        &mut self,
        kinds: impl Into<Kinds>,
        timeout: Duration,
        hook: F,
    ) -> &mut Self
    where
        F: Fn(Arc<E>, AdmitRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Admit, HookError>> + Send + 'static,
    {
        let me = self.instance.clone();
        let call = Arc::new(move |request| -> _ { Box::pin(hook(me.clone(), request)) as _ });
        self.add(kinds.into(), Call::AdmitAsync(timeout, call))
    }

    /// The last word, inside the write transaction: sees what the event replaces or deletes, may refuse it, and writes
    /// the extension's own rows together with it. Must be repeatable and touch nothing but the transaction: a store may
    /// run it again. Change what you hold in memory in `stored`.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.commit(450, |_me, event, tx| {
    ///         let key = event.pubkey().as_bytes();
    ///         if tx.get(key)?.is_some() {
    ///             return Ok(Reason::blocked("one event each").into());
    ///         }
    ///         tx.put(key, *event.id().as_bytes())?;
    ///         Ok(Commit::Accept)
    ///     });
    /// }
    /// ```
    pub fn commit<F>(&mut self, kinds: impl Into<Kinds>, hook: F) -> &mut Self
    where
        F: Fn(&E, &Event, &mut CommitTx<'_>) -> Result<Commit, HookError> + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let call = move |event: &Event, tx: &mut CommitTx<'_>| hook(&me, event, tx);
        self.add(kinds.into(), Call::Commit(Box::new(call)))
    }

    /// May an event be removed? Asked before deletion, vanish, retention and the operator remove it; for expiry when it
    /// is inserted; for replacement a "no" refuses the new event. A fault keeps the event.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.guard_removal(450, |_me, _event, cause| match cause {
    ///         Cause::Admin => Ok(Removal::Allow),
    ///         _ => Ok(Removal::Keep),
    ///     });
    /// }
    /// ```
    pub fn guard_removal<F>(&mut self, kinds: impl Into<Kinds>, hook: F) -> &mut Self
    where
        F: Fn(&E, &Event, Cause) -> Result<Removal, HookError> + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let call = move |event: &Event, cause| hook(&me, event, cause);
        self.add(kinds.into(), Call::GuardRemoval(Box::new(call)))
    }

    /// What was committed, in commit order, in pages, from a durable cursor: after a crash it goes on where it was. The
    /// cursor moves once the hook has returned `Ok`, so a page may be repeated (after a crash or a fault) but none is
    /// skipped. An extension with several `stored` hooks must keep their order: each has a cursor of its own.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.stored(443..=450, StartAt::Beginning, async |_me, page| {
    ///         for change in page.iter() {
    ///             match change {
    ///                 Change::Stored(stored) => println!("{} is row {}", stored.event.id(), stored.row),
    ///                 Change::Removed { id, .. } => println!("{id} is gone"),
    ///                 Change::Gap { from, to } => println!("rows {from} to {to} are unknown: rebuild"),
    ///             }
    ///         }
    ///         Ok(())
    ///     });
    /// }
    /// ```
    pub fn stored<F, Fut>(
        &mut self,
        kinds: impl Into<Kinds>,
        start_at: StartAt,
        hook: F,
    ) -> &mut Self
    where
        F: Fn(Arc<E>, Arc<[Change]>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        let me = self.instance.clone();
        let call = Arc::new(move |page| -> _ { Box::pin(hook(me.clone(), page)) as _ });
        self.add(kinds.into(), Call::Stored(start_at, call))
    }

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

    /// Connections that come, authenticate and go. To do more than note it, spawn with [`super::Host::spawn`].
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.session(|_me, note, viewer| {
    ///         if note == SessionNote::Closed {
    ///             println!("connection {} is gone", viewer.session());
    ///         }
    ///         Ok(())
    ///     });
    /// }
    /// ```
    pub fn session<F>(&mut self, hook: F) -> &mut Self
    where
        F: Fn(&E, SessionNote, &Viewer) -> Result<(), HookError> + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let call = move |note, viewer: &Viewer| hook(&me, note, viewer);
        self.add(Kinds::none(), Call::Session(Box::new(call)))
    }

    /// HTTP routes, as plain actix-web writes them: under a prefix, at the root, or for a Host name. Handlers get the
    /// instance with the extractor [`http::Current`]. A handler that panics answers 500.
    ///
    /// ```
    /// use actix_web::web;
    /// use trellis_relay::extension::prelude::*;
    /// async fn hello<E: Extension>(_me: Current<E>, name: web::Path<String>) -> String {
    ///     format!("hello {name}")
    /// }
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.http(Mount::prefix("/api/hello"), |routes| {
    ///         routes.route("/{name}", web::get().to(hello::<E>));
    ///     });
    /// }
    /// ```
    pub fn http<F>(&mut self, mount: Mount, routes: F) -> &mut Self
    where
        F: Fn(&mut ServiceConfig) + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let call = move |config: &mut ServiceConfig| {
            config.app_data(http::Instance(me.clone()));
            routes(config);
        };
        self.add(Kinds::none(), Call::Http(mount, Box::new(call)))
    }

    /// Adds to the relay's NIP-11 document, which is asked for often: from memory only.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.nip11(|_me, document| {
    ///         document.insert("motto".to_owned(), "good fences".into());
    ///         Ok(())
    ///     });
    /// }
    /// ```
    pub fn nip11<F>(&mut self, hook: F) -> &mut Self
    where
        F: Fn(&E, &mut Map<String, Value>) -> Result<(), HookError> + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let call = move |document: &mut Map<String, Value>| hook(&me, document);
        self.add(Kinds::none(), Call::Nip11(Box::new(call)))
    }

    /// A method of the relay management API (NIP-86), which is for the relay's operators alone. An `Err` is shown to
    /// them.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.rpc("countmembers", async |_me, params| match params.is_empty() {
    ///         true => Ok(3.into()),
    ///         false => Err("countmembers takes no parameters".to_owned()),
    ///     });
    /// }
    /// ```
    pub fn rpc<F, Fut>(&mut self, method: impl Into<String>, hook: F) -> &mut Self
    where
        F: Fn(Arc<E>, Vec<Value>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, String>> + Send + 'static,
    {
        let me = self.instance.clone();
        let call = Arc::new(move |params| -> _ { Box::pin(hook(me.clone(), params)) as _ });
        self.add(Kinds::none(), Call::Rpc(method.into(), call))
    }

    /// A subcommand of the command line: its name, one line about it, and what it does with the words that follow. `Ok`
    /// is printed.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.command("greet", "greets whoever is named", async |_me, args| {
    ///         Ok(format!("hello {}", args.join(" and ")))
    ///     });
    /// }
    /// ```
    pub fn command<F, Fut>(
        &mut self,
        name: impl Into<String>,
        about: impl Into<String>,
        hook: F,
    ) -> &mut Self
    where
        F: Fn(Arc<E>, Vec<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, String>> + Send + 'static,
    {
        let me = self.instance.clone();
        let call = Arc::new(move |args| -> _ { Box::pin(hook(me.clone(), args)) as _ });
        self.add(
            Kinds::none(),
            Call::Command(name.into(), about.into(), call),
        )
    }

    /// Offers a service to other extensions; declared with [`super::Needs::provides`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trellis_relay::extension::prelude::*;
    /// trait Greeter: Send + Sync { fn greet(&self) -> String; }
    /// fn register<E: Extension + Greeter>(hooks: &mut Registrar<E>) {
    ///     hooks.provide(|me| me as Arc<dyn Greeter>);
    /// }
    /// ```
    pub fn provide<T>(&mut self, service: impl FnOnce(Arc<E>) -> Arc<T>) -> &mut Self
    where
        T: ?Sized + Send + Sync + 'static,
    {
        self.offers.push(Offer::new(service(self.instance.clone())));
        self
    }
}

impl<E: Extension> std::fmt::Debug for Registrar<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registrar({})", E::NAME)
    }
}
