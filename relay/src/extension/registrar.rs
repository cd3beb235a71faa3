//! What an extension fills in `register`: its hooks, and the services it offers to others.
//!
//! Every hook is a method or a closure that is handed the instance first. Here are those that decide about an event on its
//! way in and out of the store.

mod reading;
mod surface;

use super::Extension;
use super::commit::CommitTx;
use super::failure::HookError;
use super::hook::{AdmitLater, Call, Following, Phase, Registration, StartAt};
use super::services::Offer;
use super::verdict::{Admit, AdmitRequest, Commit, Removal};
use super::viewer::Viewer;
use crate::event::Event;
use crate::kinds::Kinds;
use crate::store::{Cause, Change};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// An extension may have so many hooks. One hook takes any set of kinds, so more are a mistake.
pub const HOOKS_MAX: usize = 1_000;
/// Names of methods and subcommands may have so many characters.
const NAME_CHARS_MAX: usize = 64;
/// What is longer is cut off.
const LABEL_CHARS_MAX: usize = 64;
/// Changes wait for a `stored` hook no longer than this.
const GATHER_MAX: Duration = Duration::from_secs(60);

/// What is wrong with what `register` asked for, if anything can be told without looking at other extensions.
pub(super) fn problem(registrations: &[Registration]) -> Option<String> {
    if registrations.len() > HOOKS_MAX {
        return Some(format!("it registers more than {HOOKS_MAX} hooks"));
    }
    registrations
        .iter()
        .find_map(|registration| match &registration.call {
            Call::Rpc(name, _) => bad_name("a management method", name),
            Call::Command(name, ..) => bad_name("a subcommand", name),
            _ => None,
        })
}

fn bad_name(what: &str, name: &str) -> Option<String> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    let is_bad = !begins_well || name.len() > NAME_CHARS_MAX || !name.bytes().all(is_good);
    is_bad.then(|| {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        format!(
            "{name:?} cannot be the name of {what}: 1 to {NAME_CHARS_MAX} letters, digits, '_', '-' and '.' are allowed, the \
             first a letter or digit"
        )
    })
}

/// Collects the hooks of one instance, at most [`HOOKS_MAX`].
///
/// Hooks run by phase, then by the extension's `priority`, then by its name. [`Registrar::phase`] sets the phase of the
/// hooks that follow it.
pub struct Registrar<E> {
    instance: Arc<E>,
    phase: Phase,
    label: Option<Arc<str>>,
    never_open: bool,
    gather: Duration,
    registrations: Vec<Registration>,
    offers: Vec<Offer>,
}

impl<E: Extension> Registrar<E> {
    pub(super) fn new(instance: Arc<E>) -> Self {
        Registrar {
            instance,
            phase: Phase::default(),
            label: None,
            never_open: false,
            gather: Duration::ZERO,
            registrations: Vec::new(),
            offers: Vec::new(),
        }
    }

    pub(super) fn into_parts(self) -> (Vec<Registration>, Vec<Offer>) {
        (self.registrations, self.offers)
    }

    fn add(&mut self, kinds: Kinds, call: Call) -> &mut Self {
        // One too many is enough to be refused.
        if self.registrations.len() <= HOOKS_MAX {
            self.registrations.push(Registration {
                phase: self.phase,
                label: self.label.clone(),
                never_open: self.never_open,
                kinds,
                call,
            });
        }
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

    /// What tells the hooks registered from here on from others of the extension, for people: in `trellis config explain
    /// --hooks` and in the log of a fault. One line of at most 64 characters; an empty one ends it.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     for list in ["spam", "scams"] {
    ///         hooks
    ///             .label(list)
    ///             .admit(1, |_me, _event, _viewer| Ok(Admit::Accept));
    ///     }
    /// }
    /// ```
    pub fn label(&mut self, label: &str) -> &mut Self {
        let label: String = label.chars().take(LABEL_CHARS_MAX).collect();
        let label = label.replace(char::is_control, " ");
        self.label = (!label.is_empty()).then(|| label.into());
        self
    }

    /// The hooks registered from here on refuse when they fail, whatever `on_fault` says: for those that protect, so that an
    /// operator who prefers that things go on cannot open what has to stay closed. (`deliver` and `guard_removal` are so
    /// without being told.)
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.never_open().request(445, |_me, _viewer, _verb, filter| {
    ///         filter.retain_events(&445.into(), |event| event.first_tag_value("h").is_some());
    ///         Ok(Access::Allow)
    ///     });
    /// }
    /// ```
    pub fn never_open(&mut self) -> &mut Self {
        self.never_open = true;
        self
    }

    /// May an EVENT come in? Asked after the core's own checks, before the store. From memory only: no I/O. Not asked for a
    /// request to vanish (kind 62), to which everybody has a right (NIP-62); `guard_removal` has its say on what goes.
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
        let later = AdmitLater {
            timeout,
            needs: None,
            call: Arc::new(move |request| -> _ { Box::pin(hook(me.clone(), request)) as _ }),
        };
        self.add(kinds.into(), Call::AdmitAsync(later))
    }

    /// As [`Registrar::admit_async`], for hooks that few events need: `needs` is asked first, from memory only, and where
    /// it says no, the hook accepts without being called. It costs what [`Registrar::admit`] costs, may be asked more
    /// than once about an event, and where it panics the hook is asked.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trellis_relay::extension::prelude::*;
    /// struct Groups { known: std::collections::HashSet<String> }
    /// fn register<E: Extension + AsRef<Groups>>(hooks: &mut Registrar<E>) {
    ///     let is_unknown = |me: &E, event: &Event, _viewer: &Viewer| {
    ///         let group = event.first_tag_value("h");
    ///         group.is_some_and(|group| !me.as_ref().known.contains(&*group))
    ///     };
    ///     hooks.admit_async_if(445, Duration::from_secs(1), is_unknown, async |_me, _request| {
    ///         tokio::task::yield_now().await; // ask a database
    ///         Ok(Reason::restricted("unknown group").into())
    ///     });
    /// }
    /// ```
    pub fn admit_async_if<N, F, Fut>(
        &mut self,
        kinds: impl Into<Kinds>,
        timeout: Duration,
        needs: N,
        hook: F,
    ) -> &mut Self
    where
        N: Fn(&E, &Event, &Viewer) -> bool + Send + Sync + 'static,
        F: Fn(Arc<E>, AdmitRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Admit, HookError>> + Send + 'static,
    {
        let (me, asking) = (self.instance.clone(), self.instance.clone());
        let later = AdmitLater {
            timeout,
            needs: Some(Box::new(move |event, viewer| needs(&asking, event, viewer))),
            call: Arc::new(move |request| -> _ { Box::pin(hook(me.clone(), request)) as _ }),
        };
        self.add(kinds.into(), Call::AdmitAsync(later))
    }

    /// The last word, inside the write transaction: sees what the event replaces or deletes, may refuse it, and writes
    /// the extension's own rows together with it. Must be repeatable and touch nothing but the transaction: a store may
    /// run it again. Change what you hold in memory in `stored`. A request to vanish (NIP-62) that is addressed to this
    /// relay cannot be refused.
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

    /// The `stored` hooks registered from here on are in no hurry: after a page that is not full the next comes this much
    /// later at the earliest, at most a minute, with all that was committed meanwhile, which is up to 4,096 changes or about
    /// 4 MiB of events. A page that is full is followed by the next at once, and what fills one is not waited for to the
    /// end, so nobody falls behind. Saves reads, calls and writes of cursors on a busy relay; zero, which it is
    /// until it is set, is for hooks in a hurry. A relay that stops does not wait for it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks
    ///         .gather(Duration::from_millis(250))
    ///         .stored(1, StartAt::Now, async |_me, page| {
    ///             println!("{} changes of the last quarter of a second", page.len());
    ///             Ok(())
    ///         });
    /// }
    /// ```
    pub fn gather(&mut self, time: Duration) -> &mut Self {
        self.gather = time.min(GATHER_MAX);
        self
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
        let following = Following {
            start_at,
            gather: self.gather,
        };
        self.add(kinds.into(), Call::Stored(following, call))
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
