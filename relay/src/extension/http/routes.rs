//! Which mounts a request may belong to, for one generation of the table of hooks.

use super::super::hook::{Call, Hook};
use super::super::hooks::Hooks;
use super::super::panics;
use super::dispatch::MountedApp;
use super::scope::Scope;
use super::{EVERYWHERE, Mount};
use actix_web::http::Method;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// One mount on one worker.
pub(super) struct Mounted {
    pub(super) hook: Arc<Hook>,
    /// Made when the first request comes.
    pub(super) app: OnceCell<MountedApp>,
}

impl Mounted {
    pub(super) fn scope(&self) -> Option<&Scope> {
        scope_of(&self.hook)
    }

    fn takes(&self, host: &str, path: &str) -> bool {
        self.scope()
            .is_some_and(|scope| scope.mount.takes(host, path))
    }
}

impl Drop for Mounted {
    /// What an author's App holds may panic when it goes, and the request that found it out of date is not to blame.
    fn drop(&mut self) {
        if let Some(app) = self.app.take()
            && panics::contain_as(self.hook.owner.name, || drop(app)).is_err()
        {
            self.hook.owner.count_fault("drop");
        }
    }
}

/// All mounts of a generation, in the order in which they are asked.
pub(super) struct Routes {
    pub(super) generation: u64,
    mounted: Vec<Rc<Mounted>>,
}

impl Routes {
    pub(super) fn of(hooks: &Hooks) -> Self {
        let mounted = mounting(hooks).into_iter().map(|(hook, _)| {
            Rc::new(Mounted {
                hook: hook.clone(),
                app: OnceCell::new(),
            })
        });
        Routes {
            generation: hooks.generation(),
            mounted: mounted.collect(),
        }
    }

    /// Whether a mount comes before the core's own routes for this request.
    pub(super) fn claims(&self, host: &str, path: &str) -> bool {
        !EVERYWHERE.contains(&path)
            && self.mounted.iter().any(|mounted| {
                let scope = mounted.scope();
                scope.is_some_and(|it| it.mount != Mount::Root && it.mount.takes(host, path))
            })
    }

    /// The mounts that may have a route for the request.
    pub(super) fn candidates(&self, host: &str, path: &str) -> impl Iterator<Item = &Rc<Mounted>> {
        self.mounted
            .iter()
            .filter(move |mounted| mounted.takes(host, path))
    }
}

/// Whether the scope that will answer a request is open to web pages of all origins, as far as can be told before. Of
/// `own_paths` the core answers those that only a root mount could take.
pub(crate) fn is_open_to_all(
    hooks: &Hooks,
    (method, host, path): (&Method, &str, &str),
    own_paths: &[&str],
) -> bool {
    if EVERYWHERE.contains(&path) {
        return false;
    }
    let mut mounting = mounting(hooks);
    mounting.retain(|(_, scope)| {
        let is_root = scope.mount == Mount::Root;
        scope.mount.takes(host, path) && !(is_root && own_paths.contains(&path))
    });
    let answers = |(_, scope): &&(&Arc<Hook>, &Scope)| scope.may_route(method, path);
    let refuses = |(_, scope): &&(&Arc<Hook>, &Scope)| scope.mount != Mount::Root;
    let mounting = mounting.iter();
    let answers = mounting.clone().find(answers);
    answers
        .or_else(|| mounting.clone().find(refuses))
        .is_some_and(|(_, scope)| scope.settings.any_origin)
}

/// The hooks that have routes, in the order in which they are asked.
pub(super) fn mounting(hooks: &Hooks) -> Vec<(&Arc<Hook>, &Scope)> {
    let hooks = hooks.ordered().iter();
    let mut mounting: Vec<_> = hooks
        .filter_map(|hook| Some((hook, scope_of(hook)?)))
        .collect();
    mounting.sort_by_key(|(_, scope)| scope.mount.rank());
    mounting
}

fn scope_of(hook: &Hook) -> Option<&Scope> {
    match &hook.call {
        Call::Http(scope) => Some(scope),
        _ => None,
    }
}
