//! Every hook of every running extension, found by kind in one step.
//!
//! Invariant: a table never changes. A new one is published with a higher generation ([`super::SharedHooks`]).

use super::hook::{AbortOnDrop, Call, Fault, Hook};
use super::narrow::{Narrow, Narrowed};
use super::panics::{self, Ended};
use super::plan::Plan;
use super::verdict::{Access, AccessRequest, SessionNote, Verb};
use super::viewer::Viewer;
use super::{information, json_size};
use crate::filter::Filter;
use crate::kinds::Kinds;
use crate::reason::Reason;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

const KINDS: usize = 1 << 16;

/// The hooks of all running extensions.
pub struct Hooks {
    generation: u64,
    /// For each kind the place of its plan.
    slots: Box<[u16]>,
    /// Kinds that the same hooks want share a plan, as those do that nobody wants.
    plans: Box<[Plan]>,
    /// All of them, in their final order.
    ordered: Box<[Arc<Hook>]>,
    request: Box<[Arc<Hook>]>,
    request_async: Arc<[Arc<Hook>]>,
    /// The kinds of each `deliver` hook.
    deliver: Box<[Kinds]>,
    session: Box<[Arc<Hook>]>,
    /// Hooks that had a say in requests are gone.
    closes_requests: bool,
}

impl Hooks {
    /// No extension has anything to say.
    pub fn none() -> Self {
        Self::compile(0, Vec::new())
    }

    /// Orders hooks by phase, priority and name, and indexes them by kind. Hooks of one extension keep the order in
    /// which it registered them.
    pub(super) fn compile(generation: u64, mut hooks: Vec<Arc<Hook>>) -> Self {
        hooks.sort_by_key(|hook| (hook.phase, hook.owner.priority, hook.owner.name));
        let (slots, plans) = index_by_kind(&hooks);
        let pick = |is: fn(&Call) -> bool| -> Vec<Arc<Hook>> {
            let wanted = hooks.iter().filter(|hook| is(&hook.call));
            wanted.cloned().collect()
        };
        Hooks {
            generation,
            slots,
            plans,
            request: pick(|call| matches!(call, Call::Request(_))).into(),
            request_async: pick(|call| matches!(call, Call::RequestAsync(..))).into(),
            deliver: pick(|call| matches!(call, Call::Deliver(_)))
                .iter()
                .map(|hook| hook.kinds.clone())
                .collect(),
            session: pick(|call| matches!(call, Call::Session(_))).into(),
            ordered: hooks.into(),
            closes_requests: false,
        }
    }

    /// For the end of the relay, when nobody of this table can be asked any more: it refuses what they would have judged,
    /// shows nothing that they guarded and lets go of nothing. What extensions publish themselves passes.
    pub(super) fn closed(&self, generation: u64) -> Self {
        Hooks {
            generation,
            slots: self.slots.clone(),
            plans: self.plans.iter().map(Plan::closed).collect(),
            ordered: Box::default(),
            request: Box::default(),
            request_async: Arc::new([]),
            deliver: self.deliver.clone(),
            session: Box::default(),
            closes_requests: self.closes_requests
                || !self.request.is_empty()
                || !self.request_async.is_empty(),
        }
    }

    /// Rises with every change of what is switched on and how.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What extensions have to say about events of a kind.
    #[inline]
    pub fn plan(&self, kind: u16) -> &Plan {
        &self.plans[usize::from(self.slots[usize::from(kind)])]
    }

    /// Whether a `deliver` hook may hide something from what a filter with these `kinds` asks for. If none does, a
    /// count need not look at single events.
    pub fn any_deliver_overlaps(&self, kinds: Option<&[u16]>) -> bool {
        self.deliver.iter().any(|guarded| guarded.overlaps(kinds))
    }

    /// Kinds of which a `deliver` hook may hide events.
    pub fn delivered_kinds(&self) -> Kinds {
        let kinds = self.deliver.iter().cloned();
        kinds.fold(Kinds::none(), |all, kinds| all | kinds)
    }

    /// Asks the `request` hooks about the client's own filter: what is left of it, or why the request is closed. Every
    /// hook whose kinds the client asks for is heard, whatever earlier hooks took away.
    pub fn request(&self, viewer: &Viewer, verb: Verb, filter: Filter) -> Result<Narrowed, Reason> {
        self.request_again(0, viewer, verb, filter)
    }

    /// The same after `request_async` hooks were asked under this number.
    pub fn request_again(
        &self,
        request_id: u64,
        viewer: &Viewer,
        verb: Verb,
        filter: Filter,
    ) -> Result<Narrowed, Reason> {
        if self.closes_requests {
            return Err(Reason::stopping());
        }
        let mut narrowed = Narrowed::new(filter);
        if self.request.is_empty() {
            return Ok(narrowed);
        }
        let asked = narrowed.filter.kinds.clone();
        for hook in &self.request {
            let Call::Request(call) = &hook.call else {
                continue;
            };
            if !hook.kinds.overlaps(asked.as_deref()) {
                continue;
            }
            let ask = || {
                let mut narrow = Narrow::by(hook, request_id, &mut narrowed);
                let answer = call(viewer, verb, &mut narrow)?;
                narrow.finish().map(|()| answer)
            };
            match hook.guard(ask) {
                Ok(Access::Allow) => {}
                Ok(Access::Close(reason)) => return Err(reason),
                Err(_) if hook.fails_open() => {}
                Err(_) => return Err(Reason::internal()),
            }
        }
        Ok(narrowed)
    }

    /// Whether [`Hooks::request_async`] has anybody to ask about this filter.
    pub fn wants_request_async(&self, filter: &Filter) -> bool {
        let kinds = filter.kinds.as_deref();
        self.request_async
            .iter()
            .any(|hook| hook.kinds.overlaps(kinds))
    }

    /// Asks the `request_async` hooks, each on its extension's own runtime and with its own timeout. They load what
    /// `request` and `deliver` will need, so they come first. Wants a tokio runtime with time.
    pub fn request_async(
        &self,
        request: AccessRequest,
    ) -> impl Future<Output = Access> + Send + 'static {
        let hooks = self.request_async.clone();
        async move {
            for hook in &*hooks {
                let Call::RequestAsync(timeout, call) = &hook.call else {
                    continue;
                };
                if !hook.kinds.overlaps(request.filter.kinds.as_deref()) {
                    continue;
                }
                let timeout = hook.owner.timeout.unwrap_or(*timeout);
                let (call, request) = (call.clone(), request.clone());
                match hook.run(timeout, move || call(request)).await {
                    Ok(Access::Allow) => {}
                    Ok(close) => return close,
                    Err(Fault::Busy) => return Access::Close(Reason::busy()),
                    Err(_) if hook.fails_open() => {}
                    Err(_) => return Access::Close(Reason::internal()),
                }
            }
            Access::Allow
        }
    }

    /// Tells the `session` hooks; a fault is theirs alone.
    pub fn session(&self, note: SessionNote, viewer: &Viewer) {
        for hook in &self.session {
            if let Call::Session(call) = &hook.call {
                let _ = hook.guard(|| call(note, viewer));
            }
        }
    }

    /// Tells the `session` hooks that were not in the `old` table of a connection that is open already.
    pub fn introduce(&self, old: &Hooks, viewer: &Viewer) {
        let is_new = |hook: &&Arc<Hook>| !old.session.iter().any(|known| Arc::ptr_eq(known, hook));
        for hook in self.session.iter().filter(is_new) {
            if let Call::Session(call) = &hook.call {
                let _ = hook.guard(|| call(SessionNote::Connected, viewer));
                if viewer.is_authenticated() {
                    let _ = hook.guard(|| call(SessionNote::Authenticated, viewer));
                }
            }
        }
    }

    /// Lets extensions add to the NIP-11 document. What a hook at fault did to it is undone, and to change what is there
    /// is a fault.
    pub fn nip11(&self, document: &mut Map<String, Value>) {
        for hook in &self.ordered {
            let Call::Nip11(call) = &hook.call else {
                continue;
            };
            let mut changed = document.clone();
            let _ = hook.guard(|| {
                let answer = call(&mut changed);
                let extended = information::extended(document, std::mem::take(&mut changed));
                answer?;
                *document = extended?;
                Ok(())
            });
            // Empty, unless the hook panicked.
            json_size::dismantle(Value::Object(changed));
        }
    }

    /// Names of the NIP-86 methods that extensions add, in order.
    pub fn rpc_methods(&self) -> Vec<&str> {
        let methods = self.ordered.iter().filter_map(|hook| match &hook.call {
            Call::Rpc(method, _) => Some(method.as_str()),
            _ => None,
        });
        methods.collect()
    }

    /// Calls a NIP-86 method on its extension's runtime; `None` if no extension has it. An `Err` is for the caller.
    pub fn call_rpc(
        &self,
        method: &str,
        params: Vec<Value>,
    ) -> Option<impl Future<Output = Result<Value, String>> + Send + 'static> {
        let is_wanted = |call: &Call| matches!(call, Call::Rpc(name, _) if name == method);
        let hook = Arc::clone(self.ordered.iter().find(|hook| is_wanted(&hook.call))?);
        Some(async move {
            let Call::Rpc(_, call) = &hook.call else {
                return Err(Reason::internal().to_string());
            };
            let call = call.clone();
            let answer = hook.run(hook.owner.patience(), async move || Ok(call(params).await));
            answer
                .await
                .unwrap_or_else(|_| Err(Reason::internal().to_string()))
        })
    }

    /// The subcommands that extensions add to the command line: name and one line about it.
    pub fn commands(&self) -> Vec<(&str, &str)> {
        let commands = self.ordered.iter().filter_map(|hook| match &hook.call {
            Call::Command(name, about, _) => Some((name.as_str(), about.as_str())),
            _ => None,
        });
        commands.collect()
    }

    /// Runs a subcommand on its extension's runtime, without a timeout: what it prints, or what went wrong. `None` if no
    /// extension has it. Dropping the future ends the command.
    pub fn call_command(
        &self,
        name: &str,
        args: Vec<String>,
    ) -> Option<impl Future<Output = Result<String, String>> + Send + 'static> {
        let hook = self.ordered.iter().find_map(|hook| match &hook.call {
            Call::Command(command, _, call) if command == name => {
                Some((hook.owner.clone(), call.clone()))
            }
            _ => None,
        });
        let (owner, call) = hook?;
        Some(async move {
            let task = owner.runtime.spawn(async move { call(args).await });
            let mut task = AbortOnDrop(task);
            panics::joined((&mut task.0).await).unwrap_or_else(|ended| match ended {
                Ended::Panicked => {
                    owner.count_fault("command");
                    Err("the command panicked; the log says where".to_owned())
                }
                Ended::CutOff => Err("the command was cut off".to_owned()),
            })
        })
    }

    /// All hooks in their final order.
    pub(super) fn ordered(&self) -> &[Arc<Hook>] {
        &self.ordered
    }
}

/// Cuts the kinds where any hook's wishes begin or end; between two cuts the same hooks are wanted.
fn index_by_kind(hooks: &[Arc<Hook>]) -> (Box<[u16]>, Box<[Plan]>) {
    let by_kind: Vec<&Arc<Hook>> = hooks
        .iter()
        .filter(|hook| hook.call.is_asked_by_kind())
        .collect();
    let ranges = by_kind.iter().flat_map(|hook| hook.kinds.ranges());
    let mut cuts: Vec<usize> = ranges
        .flat_map(|&(first, last)| [usize::from(first), usize::from(last) + 1])
        .chain([0, KINDS])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();

    let mut slots = vec![0u16; KINDS];
    // No more than there are kinds, so that a place of the last one fits.
    let mut plans = Vec::new();
    let mut known: HashMap<Vec<usize>, u16> = HashMap::new();
    for cut in cuts.windows(2) {
        let kind = cut[0] as u16;
        let wanted: Vec<usize> = (0..by_kind.len())
            .filter(|&i| by_kind[i].kinds.contains(kind))
            .collect();
        let slot = known.get(&wanted).copied().unwrap_or_else(|| {
            let hooks: Vec<_> = wanted.iter().map(|&i| by_kind[i]).collect();
            plans.push(Plan::of(&hooks));
            let slot = (plans.len() - 1) as u16;
            known.insert(wanted, slot);
            slot
        });
        slots[cut[0]..cut[1]].fill(slot);
    }
    (slots.into(), plans.into())
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks")
            .field("generation", &self.generation)
            .field("plans", &self.plans.len())
            .field("hooks", &self.ordered.len())
            .finish()
    }
}
