//! Which mounts a request may belong to, for one generation of the table of hooks.

use super::super::hook::{Call, Hook};
use super::super::hooks::Hooks;
use super::super::panics;
use super::Mount;
use super::dispatch::MountedApp;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// One mount on one worker.
pub(super) struct Mounted {
    pub(super) mount: Mount,
    pub(super) hook: Arc<Hook>,
    /// Made when the first request comes.
    pub(super) app: OnceCell<MountedApp>,
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
        let mounts = hooks.ordered().iter().filter_map(|hook| match &hook.call {
            Call::Http(mount, _) => Some(Rc::new(Mounted {
                mount: mount.clone(),
                hook: hook.clone(),
                app: OnceCell::new(),
            })),
            _ => None,
        });
        let mut mounted: Vec<_> = mounts.collect();
        mounted.sort_by_key(|mounted| match &mounted.mount {
            Mount::Host(_) => (0, 0),
            Mount::Prefix(path) => (1, usize::MAX - path.len()),
            Mount::Root => (2, 0),
        });
        Routes {
            generation: hooks.generation(),
            mounted,
        }
    }

    /// Whether a mount comes before the core's own routes for this request.
    pub(super) fn claims(&self, host: &str, path: &str) -> bool {
        self.candidates(host, path)
            .any(|mounted| mounted.mount != Mount::Root)
    }

    /// The mounts that may have a route for the request.
    pub(super) fn candidates(&self, host: &str, path: &str) -> impl Iterator<Item = &Rc<Mounted>> {
        self.mounted
            .iter()
            .filter(move |mounted| match &mounted.mount {
                Mount::Host(name) => host_name(host).eq_ignore_ascii_case(name),
                Mount::Prefix(prefix) => is_under(path, prefix),
                Mount::Root => true,
            })
    }
}

fn is_under(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Without the port; a bracketed IPv6 address keeps its colons.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
