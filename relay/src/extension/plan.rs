//! The hooks that want events of one kind, in their final order.
//!
//! Invariant: a fault is the extension's `on_fault` for `admit` and `commit`, but never shows an event (`deliver`), never
//! lets one go (`guard_removal`) and never keeps anybody from vanishing (NIP-62).

use super::audience::Audience;
use super::commit::CommitTx;
use super::hook::{AdmitLater, Call, Fault, Hook};
use super::loops;
use super::verdict::{Admit, AdmitRequest, Commit, Removal};
use super::viewer::Viewer;
use crate::event::Event;
use crate::reason::Reason;
use crate::store::{Cause, KvWrites, TxnRead};
use std::future::Future;
use std::sync::Arc;

/// What extensions have to say about events of one kind.
#[derive(Default)]
pub struct Plan {
    admit: Box<[Arc<Hook>]>,
    admit_async: Arc<[Arc<Hook>]>,
    commit: Box<[Arc<Hook>]>,
    guard_removal: Box<[Arc<Hook>]>,
    deliver: Box<[Arc<Hook>]>,
    gone: Gone,
}

/// What hooks had a say in that are gone with the end of the relay.
#[derive(Clone, Copy, Debug, Default)]
struct Gone {
    publishing: bool,
    removal: bool,
    delivery: bool,
}

impl Plan {
    /// From the hooks that want a kind, in their final order.
    pub(super) fn of(hooks: &[&Arc<Hook>]) -> Self {
        fn pick<L: FromIterator<Arc<Hook>>>(hooks: &[&Arc<Hook>], is: fn(&Call) -> bool) -> L {
            let wanted = hooks.iter().filter(|hook| is(&hook.call));
            wanted.map(|hook| Arc::clone(hook)).collect()
        }
        Plan {
            admit: pick(hooks, |call| matches!(call, Call::Admit(_))),
            admit_async: pick(hooks, |call| matches!(call, Call::AdmitAsync(..))),
            commit: pick(hooks, |call| matches!(call, Call::Commit(_))),
            guard_removal: pick(hooks, |call| matches!(call, Call::GuardRemoval(_))),
            deliver: pick(hooks, |call| matches!(call, Call::Deliver(_))),
            gone: Gone::default(),
        }
    }

    /// The same without its hooks: what they would have judged is refused, hidden and kept.
    pub(super) fn closed(&self) -> Self {
        let judges = !self.admit.is_empty() || !self.admit_async.is_empty() || self.wants_commit();
        Plan {
            gone: Gone {
                publishing: self.gone.publishing || judges,
                removal: self.guards_removal(),
                delivery: self.has_deliver(),
            },
            ..Plan::default()
        }
    }

    /// Whether hooks that would have judged an event of this kind are gone with the end of the relay.
    pub(crate) fn refuses_all(&self) -> bool {
        self.gone.publishing
    }

    /// Asks the `admit` hooks; the first that does not accept decides.
    #[inline]
    pub fn admit(&self, event: &Event, viewer: &Viewer) -> Admit {
        if self.gone.publishing && !viewer.is_relay() {
            return Admit::Reject(Reason::stopping());
        }
        for hook in &self.admit {
            let Call::Admit(call) = &hook.call else {
                continue;
            };
            match hook.guard(|| call(event, viewer)) {
                Ok(Admit::Accept) => {}
                Ok(verdict) => return verdict,
                Err(_) if hook.fails_open() => {}
                Err(_) => return Admit::Reject(Reason::internal()),
            }
        }
        Admit::Accept
    }

    /// Whether [`Plan::admit_async`] has anybody to ask about this event.
    #[inline]
    pub fn wants_async(&self, event: &Event, viewer: &Viewer) -> bool {
        let mut hooks = self.admit_async.iter();
        hooks.any(|hook| matches!(&hook.call, Call::AdmitAsync(later) if is_needed(hook, later, event, viewer)))
    }

    /// Asks the `admit_async` hooks that the event needs, one after the other, each on its extension's own runtime and with its own timeout.
    /// Wants a tokio runtime with time. Dropping the future calls the hook off.
    pub fn admit_async(
        &self,
        request: AdmitRequest,
    ) -> impl Future<Output = Admit> + Send + 'static {
        let hooks = self.admit_async.clone();
        async move {
            for hook in &*hooks {
                let Call::AdmitAsync(later) = &hook.call else {
                    continue;
                };
                if !is_needed(hook, later, &request.event, &request.viewer) {
                    continue;
                }
                let timeout = hook.owner.timeout.unwrap_or(later.timeout);
                let (call, request) = (later.call.clone(), request.clone());
                // What an extension publishes may be what its own hook waits for.
                let is_nested = request.viewer.is_relay();
                let depth = match is_nested {
                    true => hook.owner.depths.of(request.event.id()),
                    false => 0,
                };
                let call = move || loops::at_depth(depth, call(request));
                let answer = match is_nested {
                    true => hook.run_nested(timeout, call).await,
                    false => hook.run(timeout, call).await,
                };
                match answer {
                    Ok(Admit::Accept) => {}
                    Ok(verdict) => return verdict,
                    Err(Fault::Busy) => return Admit::Reject(Reason::busy()),
                    Err(_) if hook.fails_open() => {}
                    Err(_) => return Admit::Reject(Reason::internal()),
                }
            }
            Admit::Accept
        }
    }

    /// Whether [`Plan::commit`] has anybody to ask.
    pub fn wants_commit(&self) -> bool {
        !self.commit.is_empty()
    }

    /// Asks the `commit` hooks. All or nothing: the rows of all of them, or the reason of the first that refuses.
    pub fn commit(
        &self,
        event: &Event,
        removes: &[Arc<Event>],
        txn: &dyn TxnRead,
    ) -> Result<KvWrites, Reason> {
        let mut writes = KvWrites::new();
        for hook in &self.commit {
            match ask_commit(hook, event, removes, txn, &writes) {
                Ok(Ok(own)) => writes.extend(own),
                Ok(Err(reason)) => return Err(reason),
                // The event passes without the rows of the hook that failed.
                Err(_) if hook.fails_open() => {}
                Err(_) => return Err(Reason::internal()),
            }
        }
        Ok(writes)
    }

    /// Asks the `commit` hooks about a request to vanish (NIP-62), which no extension can stop: the rows of those that
    /// accept it.
    pub fn commit_anyway(&self, request: &Event, txn: &dyn TxnRead) -> KvWrites {
        let mut writes = KvWrites::new();
        for hook in &self.commit {
            match ask_commit(hook, request, &[], txn, &writes) {
                Ok(Ok(own)) => writes.extend(own),
                Ok(Err(_)) => tracing::warn!(
                    extension = hook.owner.name,
                    "a commit hook refused a request to vanish, which is stored all the same"
                ),
                // Logged as every fault is.
                Err(_) => {}
            }
        }
        writes
    }

    /// Whether [`Plan::may_remove`] has anybody to ask.
    pub fn guards_removal(&self) -> bool {
        !self.guard_removal.is_empty() || self.gone.removal
    }

    /// Whether every `guard_removal` hook lets the event go. A fault keeps it, whatever `on_fault` says: nothing is lost
    /// by mistake.
    pub fn may_remove(&self, event: &Event, cause: Cause) -> bool {
        !self.gone.removal
            && self.guard_removal.iter().all(|hook| match &hook.call {
                Call::GuardRemoval(call) => {
                    hook.guard(|| call(event, cause)) == Ok::<_, Fault>(Removal::Allow)
                }
                _ => true,
            })
    }

    /// Whether any `deliver` hook guards the kind.
    #[inline]
    pub fn has_deliver(&self) -> bool {
        !self.deliver.is_empty() || self.gone.delivery
    }

    /// Asks the `deliver` hooks which viewers may see the event: `show[i]` becomes false where `viewers[i]` may not. They
    /// can only hide: a `false` stays false. A fault hides from all, whatever `on_fault` says: nothing leaks by mistake.
    #[inline]
    pub fn visible(&self, event: &Event, viewers: &[&Viewer], show: &mut [bool]) {
        if self.gone.delivery {
            show.fill(false);
        }
        for hook in &self.deliver {
            let Call::Deliver(call) = &hook.call else {
                continue;
            };
            if hook
                .guard(|| call(event, &mut Audience::new(viewers, show)))
                .is_err()
            {
                show.fill(false);
                return;
            }
        }
    }
}

/// Whether this `admit_async` hook has to be asked.
#[inline]
fn is_needed(hook: &Hook, later: &AdmitLater, event: &Event, viewer: &Viewer) -> bool {
    let needs = later.needs.as_ref();
    needs.is_none_or(|needs| hook.is_needed(|| needs(event, viewer)))
}

/// One hook's rows, or its reason to refuse.
fn ask_commit(
    hook: &Hook,
    event: &Event,
    removes: &[Arc<Event>],
    txn: &dyn TxnRead,
    before: &KvWrites,
) -> Result<Result<KvWrites, Reason>, Fault> {
    let Call::Commit(call) = &hook.call else {
        return Ok(Ok(KvWrites::new()));
    };
    let mut tx = CommitTx::new(hook.owner.name, removes, txn, before);
    let verdict = hook.guard(|| match call(event, &mut tx) {
        // The store's failure is not the hook's fault.
        Err(_) if tx.store_failed() => Ok(Commit::Veto(Reason::internal())),
        // It has not heard that a row is missing.
        Ok(Commit::Accept) if tx.is_overfull() => {
            Err("it went on after a row that was refused".into())
        }
        verdict => verdict,
    });
    Ok(match verdict? {
        Commit::Accept => Ok(tx.into_writes()),
        Commit::Veto(reason) => Err(reason),
    })
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("admit", &self.admit.len())
            .field("admit_async", &self.admit_async.len())
            .field("commit", &self.commit.len())
            .field("guard_removal", &self.guard_removal.len())
            .field("deliver", &self.deliver.len())
            .finish()
    }
}
