//! An extension for tests: every hook counts its calls and does what the configuration, the event or the filter asks for.
//!
//! ```toml
//! [extensions.probe]
//! hooks = ["admit", "deliver"]          # which are registered
//! kinds = [[7000, 7100]]                # for which kinds
//! always = { deliver = "panic" }        # what a hook does where nothing else is asked of it
//! mounts = ["/a", "//media.example/"]   # where else it has routes
//! ```
//!
//! Its rows are one for each stored event that its `commit` hook saw (`e` and the id, then the content), and one for each
//! that its `stored` hook was told of (`s` and the id).

mod action;
mod api;
mod hooks;
mod nonsense;
mod routes;

use action::Action;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

/// The extension.
#[derive(Debug)]
pub struct Probe {
    hooks: BTreeSet<String>,
    kinds: Kinds,
    always: BTreeMap<String, Action>,
    host: Host,
    seen: Mutex<Seen>,
    mounts: Vec<String>,
    any_origin: bool,
    known_as: Option<String>,
    service_tokens: ServiceTokens,
    limiter: RateLimiter,
}

/// Whether those that wait may go on; of the process, so that an instance that is replaced can be let go as well.
static RELEASED: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// `[extensions.probe]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The hooks to register, by name; `start` runs a task.
    #[serde(default)]
    hooks: BTreeSet<String>,
    /// The kinds they are asked about.
    #[serde(default)]
    kinds: Kinds,
    /// What hooks do where nothing else is asked of them, by name; `build`, `register`, `reload`, `health`, `shutdown`,
    /// `drop` and `spawn` (a task that `build` leaves behind) have names, too.
    #[serde(default)]
    always: BTreeMap<String, String>,
    /// Where else it has routes: a path, `//name/` for a Host name, or `/` for the root.
    #[serde(default)]
    mounts: Vec<String>,
    /// Whether all of these are open to pages of all origins; those for a Host name are anyway.
    #[serde(default)]
    any_origin: bool,
    /// The address under which clients know these.
    #[serde(default)]
    known_as: Option<String>,
    /// Services that may call what is for services.
    #[serde(default)]
    service_tokens: ServiceTokens,
}

/// What hooks were told.
#[derive(Debug, Default)]
struct Seen {
    calls: BTreeMap<&'static str, u64>,
    /// `stored ID`, `removed ID` or `gap`, in the order in which they came.
    changes: Vec<String>,
    /// `connected SESSION` and so on.
    notes: Vec<String>,
    /// Keys that `request_async` has loaded.
    loaded: HashSet<PublicKey>,
    /// Hooks that have been flaky already.
    failed_once: HashSet<&'static str>,
    /// What leaks.
    kept: Vec<Vec<u8>>,
}

impl Extension for Probe {
    const NAME: &'static str = "probe";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        let mut always = BTreeMap::new();
        for (hook, word) in config.always {
            let action = Action::parse(&word);
            always.insert(
                hook,
                action.ok_or_else(|| format!("always: found {word:?}"))?,
            );
        }
        let probe = Probe {
            hooks: config.hooks,
            kinds: config.kinds,
            always,
            limiter: host.rate_limiter(2, Duration::from_secs(3600)),
            host,
            seen: Mutex::default(),
            mounts: config.mounts,
            any_origin: config.any_origin,
            known_as: config.known_as,
            service_tokens: config.service_tokens,
        };
        let built = probe.run("build", None).await;
        built.map_err(|error| BuildError(error.0))?;
        if probe.always.contains_key("spawn") {
            probe.spawn_without_end();
        }
        Ok(probe)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        match self.sync("register", None) {
            Ok(Action::Flood) => nonsense::register(hooks),
            Ok(Action::Nonsense) => {
                hooks.rpc(nonsense::text(), async |_me, _params| Ok(true.into()));
            }
            _ => {}
        }
        self.register_events(hooks);
        self.register_requests(hooks);
        self.register_surface(hooks);
        routes::register(hooks);
        self.register_api(hooks);
    }

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        if !self.hooks.contains("start") {
            return Ok(());
        }
        self.run("start", None)
            .await
            .map_err(|error| TaskError(error.0))?;
        stop.stopped().await;
        Ok(())
    }

    fn reload(&self, _new: &Config) -> Reload {
        match self.always.contains_key("reload") && self.sync("reload", None).is_ok() {
            true => Reload::Applied,
            false => Reload::Rebuild,
        }
    }

    fn health(&self) -> Health {
        match self.sync("health", None) {
            Ok(Action::Nonsense) => Health::Down(nonsense::text()),
            Ok(_) => Health::Ok,
            Err(error) => Health::Degraded(error.0),
        }
    }

    async fn shutdown(&self) {
        if self.always.contains_key("shutdown") {
            let done = self.run("shutdown", None).await;
            if let Err(error) = done {
                eprintln!("probe: shutdown: {error}");
            }
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.sync("drop", None);
    }
}

impl Probe {
    /// Tasks that nobody ends.
    fn spawn_without_end(&self) {
        for _ in 0..100 {
            let kept = vec![1_u8; 1 << 16];
            self.host.spawn(async move {
                std::future::pending::<()>().await;
                drop(kept);
            });
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, hook: &'static str) {
        *self.seen().calls.entry(hook).or_default() += 1;
        self.host
            .metrics()
            .counter("probe_calls_total")
            .increment(1);
    }

    /// Counts a call and says what to do.
    fn called(&self, hook: &'static str, asked: Option<Action>) -> Action {
        self.count(hook);
        let always = || self.always.get(hook).copied();
        match asked.or_else(always).unwrap_or(Action::Pass) {
            Action::Flaky if self.seen().failed_once.insert(hook) => Action::Error,
            Action::Flaky => Action::Pass,
            action => action,
        }
    }

    /// For hooks that cannot wait: does what hurts, and returns what is left to be said.
    fn sync(&self, hook: &'static str, asked: Option<Action>) -> Result<Action, HookError> {
        let action = self.called(hook, asked);
        match action {
            Action::Panic => panic!("as asked"),
            Action::Bomb => std::panic::panic_any(nonsense::Bomb),
            Action::Leak => self.leak(),
            Action::Error => return Err("as asked".into()),
            Action::Hang | Action::Block => std::thread::sleep(action::HELD),
            Action::Wait => block_on(released())?,
            Action::PublishBlocking => {
                let published = block_on(self.publish_with_patience())?;
                self.seen().changes.push(match published {
                    Ok(()) => "published".to_owned(),
                    Err(reason) => reason.to_string(),
                });
            }
            _ => {}
        }
        Ok(action)
    }

    /// The same for hooks that can.
    async fn run(&self, hook: &'static str, asked: Option<Action>) -> Result<Action, HookError> {
        let action = self.called(hook, asked);
        match action {
            Action::Panic => panic!("as asked"),
            Action::Bomb => std::panic::panic_any(nonsense::Bomb),
            Action::Leak => self.leak(),
            Action::Error => return Err("as asked".into()),
            Action::Block => std::thread::sleep(action::HELD),
            Action::Hang => std::future::pending().await,
            Action::Wait => released().await,
            Action::Publish => self.publish(hook, &[]).await?,
            Action::Echo => self.publish(hook, &["probe", hook, "echo"]).await?,
            _ => {}
        }
        Ok(action)
    }

    /// Publishes an event of kind 7099, as the relay.
    async fn publish(&self, hook: &str, tag: &[&str]) -> Result<(), HookError> {
        use nostr::event::{EventBuilder, Kind, Tag};
        // Two in a millisecond would be one event.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let unique = format!("{} {number}", self.host.clock().now_ms());
        let mut answer = EventBuilder::new(Kind::from(7099), format!("{hook} {unique}"));
        if !tag.is_empty() {
            answer = answer.tag(Tag::parse(tag.iter().copied())?);
        }
        let published = self.host.publish(answer).await;
        published
            .map(drop)
            .map_err(|reason| reason.to_string().into())
    }

    /// What authors must not do in a `commit` hook: it would never end.
    async fn publish_with_patience(&self) -> Result<(), HookError> {
        let patience = Duration::from_secs(20);
        match tokio::time::timeout(patience, self.publish("commit", &[])).await {
            Ok(published) => published,
            Err(_) => Err("it took too long".into()),
        }
    }
}

async fn released() {
    // The sender is never dropped.
    let _ = RELEASED.subscribe().wait_for(|released| *released).await;
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T, HookError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}
