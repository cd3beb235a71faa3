//! A relay without sockets, for the tests of extensions: the real hooks, host and store in memory, a clock that stands
//! still, and the least of a core between them.
//!
//! With feature `testing` only. Everything here panics when a test is written wrongly.

#![allow(
    clippy::unwrap_used,
    reason = "a test that is written wrongly shall end at once"
)]

use crate::clock::{Clock, FakeClock};
use crate::config::{Operation, Outbound};
use crate::event::{Event, PublicKey};
use crate::extension::*;
use crate::reason::Reason;
use crate::store::memory::MemoryStore;
use crate::store::{Outcome, Store, StoreError, Write};
use futures_util::future::{BoxFuture, FutureExt};
use nostr::event::{EventBuilder, FinalizeEvent};
use nostr::key::Keys;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A relay with some extensions.
///
/// ```
/// use nostr::event::{EventBuilder, Kind};
/// use trellis_relay::extension::{Compiled, prelude::*};
/// use trellis_relay::testing::{TestRelay, sign, stranger};
/// # struct NoNotes;
/// # #[derive(Deserialize, JsonSchema)]
/// # #[serde(deny_unknown_fields)]
/// # struct Nothing {}
/// # impl Extension for NoNotes {
/// #     const NAME: &'static str = "no_notes";
/// #     type Config = Nothing;
/// #     async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> { Ok(NoNotes) }
/// #     fn register(&self, hooks: &mut Registrar<Self>) {
/// #         hooks.admit(1, |_me, _event, _viewer| Ok(Reason::blocked("no notes").into()));
/// #     }
/// # }
/// const EXTENSIONS: &[Compiled] = &[Compiled::of::<NoNotes>()];
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let relay = TestRelay::start(EXTENSIONS, "[no_notes]").await?;
/// let keys = nostr::key::Keys::generate();
/// let note = sign(EventBuilder::new(Kind::TextNote, "hello"), &keys);
/// assert_eq!(relay.admit(&note, &stranger()), "blocked: no notes");
/// relay.host.shutdown().await;
/// # Ok::<(), ExtensionError>(()) })?;
/// # use trellis_relay::extension::ExtensionError;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TestRelay {
    /// Owns the extensions; shut it down at the end.
    pub host: ExtensionHost,
    /// What a relay's threads have.
    pub handle: HostHandle,
    /// Commits events.
    pub core: Arc<TestCore>,
    /// Stands at 1,700,000,000 s.
    pub clock: Arc<FakeClock>,
}

impl TestRelay {
    /// Starts it with the extensions' tables as TOML: `[name]` and so on.
    pub async fn start(
        compiled: &'static [Compiled],
        tables: &str,
    ) -> Result<Self, ExtensionError> {
        Self::over(Arc::default(), compiled, tables).await
    }

    /// Starts it over a store that is there already.
    pub async fn over(
        store: Arc<MemoryStore>,
        compiled: &'static [Compiled],
        tables: &str,
    ) -> Result<Self, ExtensionError> {
        let clock = Arc::new(FakeClock::at_s(1_700_000_000));
        let handle = HostHandle::new(compiled);
        let core = Arc::new(TestCore {
            store,
            handle: handle.clone(),
            clock: clock.clone(),
            keys: Keys::generate(),
            writing: Mutex::default(),
            operation: Mutex::default(),
            outbound: Mutex::default(),
            banned: Mutex::default(),
        });
        let options = HostOptions {
            clock: clock.clone(),
            backoff: Backoff {
                min: Duration::from_millis(1),
                max: Duration::from_millis(20),
            },
            deadline: Duration::from_secs(1),
            reserved_methods: crate::http::method_names(),
            ..HostOptions::default()
        };
        let tables = tables_of(tables);
        let host = ExtensionHost::start(handle.clone(), &tables, core.clone(), options);
        Ok(TestRelay {
            host: host.await?,
            handle,
            core,
            clock,
        })
    }

    /// The hooks in force.
    pub fn hooks(&self) -> Arc<Hooks> {
        self.handle.hooks().load()
    }

    /// What the sender of an event hears from `admit` hooks: `accept`, `shadow` or the reason.
    pub fn admit(&self, event: &Event, viewer: &Viewer) -> String {
        said(self.hooks().plan(event.kind()).admit(event, viewer))
    }

    /// What a stranger hears from `admit_async` hooks.
    pub async fn admit_async(&self, event: &Arc<Event>) -> String {
        let request = AdmitRequest {
            event: event.clone(),
            viewer: Arc::new(stranger()),
        };
        said(self.hooks().plan(event.kind()).admit_async(request).await)
    }

    /// Whether `deliver` hooks let each of the viewers see the event.
    pub fn visible(&self, event: &Event, viewers: &[&Viewer]) -> Vec<bool> {
        let mut show = vec![true; viewers.len()];
        let hooks = self.hooks();
        hooks.plan(event.kind()).visible(event, viewers, &mut show);
        show
    }

    /// The answer of a management method without parameters.
    pub async fn rpc(&self, method: &str) -> serde_json::Value {
        let answer = self.hooks().call_rpc(method, Vec::new());
        answer.unwrap().await.unwrap()
    }

    /// How an extension is.
    pub fn status(&self, name: &str) -> ExtensionStatus {
        let all = self.handle.status();
        all.into_iter().find(|it| it.name == name).unwrap()
    }

    /// Applies the one table of a TOML text.
    pub async fn apply(&mut self, table: &str) -> Result<Applied, ExtensionError> {
        let (name, table) = tables_of(table).pop_first().unwrap();
        self.host.apply(&name, Some(table)).await
    }
}

/// Commits where it is asked to, as the writer thread would.
#[derive(Debug)]
pub struct TestCore {
    /// Where events live.
    pub store: Arc<MemoryStore>,
    handle: HostHandle,
    clock: Arc<FakeClock>,
    keys: Keys,
    writing: Mutex<()>,
    /// `[operation]`, for extensions that keep to modes.
    pub operation: Mutex<Operation>,
    /// `[outbound]`: nothing private is allowed unless a test says so.
    pub outbound: Mutex<Outbound>,
    /// Whom the operator has banned.
    pub banned: Mutex<HashSet<PublicKey>>,
}

impl TestCore {
    /// One batch with all hooks, and the bell for `stored` hooks.
    pub fn commit(&self, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        let _one_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = CommitHooks(self.handle.hooks().load());
        let outcomes = self.store.commit(batch, &policy, self.clock.now_s())?;
        self.handle.committed(self.store.last_row()?);
        Ok(outcomes)
    }

    /// One batch of events: for each `stored`, the reason of a refusal, or the outcome's name.
    pub fn put(&self, events: &[Arc<Event>]) -> Vec<String> {
        let writes: Vec<_> = events.iter().cloned().map(Write::Put).collect();
        let outcomes = self.commit(&writes).unwrap();
        let said = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Stored(_) => "stored".to_owned(),
            Outcome::Refused(reason) => reason.to_string(),
            other => format!("{other:?}"),
        });
        said.collect()
    }

    /// A row of an extension's key space.
    pub fn row_of(&self, extension: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.store.kv_get(extension, key).unwrap()
    }
}

impl Core for TestCore {
    fn read(&self, job: ReadJob) {
        job(&*self.store);
    }

    fn submit(&self, writes: Vec<Write>) -> BoxFuture<'static, Result<Vec<Outcome>, StoreError>> {
        let outcomes = self.commit(&writes);
        async move { outcomes }.boxed()
    }

    fn publish(&self, event: Arc<Event>) -> BoxFuture<'static, Result<(), Reason>> {
        let viewer = Viewer::relay(*event.pubkey());
        let hooks = self.handle.hooks().load();
        let verdict = hooks.plan(event.kind()).admit(&event, &viewer);
        let outcome = match verdict {
            Admit::Reject(reason) => Err(reason),
            _ => match self.put(&[event]).remove(0) {
                said if said == "stored" => Ok(()),
                said => Err(Reason::error(said)),
            },
        };
        async move { outcome }.boxed()
    }

    fn operation(&self) -> Operation {
        let operation = self.operation.lock();
        operation.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn outbound(&self) -> Outbound {
        let outbound = self.outbound.lock();
        outbound.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_banned(&self, pubkey: &PublicKey) -> bool {
        let banned = self.banned.lock();
        banned
            .unwrap_or_else(PoisonError::into_inner)
            .contains(pubkey)
    }

    fn pubkey(&self) -> PublicKey {
        self.keys.public_key()
    }

    fn sign(&self, event: EventBuilder) -> Result<Event, Reason> {
        Ok((*sign(event, &self.keys)).clone())
    }
}

/// An event, signed.
pub fn sign(event: EventBuilder, keys: &Keys) -> Arc<Event> {
    let signed = event.finalize(keys).unwrap();
    let json = serde_json::to_string(&signed).unwrap();
    Arc::new(Event::parse(json.as_bytes()).unwrap())
}

/// A connection on which nobody has authenticated.
pub fn stranger() -> Viewer {
    Viewer::new(1, [192, 0, 2, 1].into())
}

/// Extensions' tables as TOML: `[name]` and so on.
pub fn tables_of(text: &str) -> Tables {
    let tables: toml::Table = text.parse().unwrap();
    let tables = tables.into_iter();
    tables
        .map(|(name, table)| (name, table.as_table().unwrap().clone()))
        .collect()
}

fn said(verdict: Admit) -> String {
    match verdict {
        Admit::Accept => "accept".to_owned(),
        Admit::Shadow => "shadow".to_owned(),
        Admit::Reject(reason) => reason.to_string(),
    }
}

/// Polls until it is so; panics with `what` after 20 s.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
