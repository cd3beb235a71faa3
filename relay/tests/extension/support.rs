//! A relay without sockets: the real store, hooks and host, and the least of a core between them.

use crate::chat::Chat;
use crate::gate::Gate;
use crate::words::Words;
use futures_util::future::{BoxFuture, FutureExt};
use nostr::event::{EventBuilder, FinalizeEvent, Kind, Tag};
use nostr::key::Keys;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use trellis_relay::clock::{Clock, FakeClock};
use trellis_relay::event::{Event, PublicKey};
use trellis_relay::extension::*;
use trellis_relay::reason::Reason;
use trellis_relay::store::memory::MemoryStore;
use trellis_relay::store::{Outcome, Store, StoreError, Write};

pub(crate) const EXTENSIONS: &[Compiled] = &[
    Compiled::of::<Words>(),
    Compiled::of::<Gate>(),
    Compiled::of::<Chat>(),
];

pub(crate) const WORDS: &str = "[words]\nbanned = ['spam']\nkinds = [1, 7]\n";
pub(crate) const GATE: &str = "[gate]\nroom = 'g'\nmembers = ['MEMBER']\n";
pub(crate) const CHAT: &str = "[chat]\nanswers = 'echo'\n";
/// What a client hears when an extension fails.
pub(crate) const INTERNAL: &str = "error: the relay could not do this now; try again later";

pub(crate) struct TestRelay {
    pub(crate) host: ExtensionHost,
    pub(crate) handle: HostHandle,
    pub(crate) core: Arc<TestCore>,
    pub(crate) clock: Arc<FakeClock>,
}

impl TestRelay {
    /// Starts it with the tables of a TOML text, in which MEMBER is Alice's key.
    pub(crate) async fn start(tables: &str) -> Self {
        Self::try_start(tables).await.unwrap()
    }

    pub(crate) async fn try_start(tables: &str) -> Result<Self, ExtensionError> {
        Self::over(Arc::default(), tables).await
    }

    /// Starts it over a store that is there already.
    pub(crate) async fn over(
        store: Arc<MemoryStore>,
        tables: &str,
    ) -> Result<Self, ExtensionError> {
        let clock = Arc::new(FakeClock::at_s(1_700_000_000));
        let handle = HostHandle::new(EXTENSIONS);
        let core = Arc::new(TestCore {
            store,
            handle: handle.clone(),
            clock: clock.clone(),
            keys: Keys::generate(),
            writing: Mutex::default(),
        });
        let options = HostOptions {
            clock: clock.clone(),
            backoff: Backoff {
                min: Duration::from_millis(1),
                max: Duration::from_millis(20),
            },
            deadline: Duration::from_secs(1),
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

    pub(crate) fn hooks(&self) -> Arc<Hooks> {
        self.handle.local().hooks().clone()
    }

    pub(crate) fn admit(&self, event: &Event, viewer: &Viewer) -> String {
        said(self.hooks().plan(event.kind()).admit(event, viewer))
    }

    pub(crate) async fn admit_async(&self, event: &Arc<Event>) -> String {
        let request = AdmitRequest {
            event: event.clone(),
            viewer: Arc::new(stranger()),
        };
        said(self.hooks().plan(event.kind()).admit_async(request).await)
    }

    /// Whether each of the viewers sees the event.
    pub(crate) fn visible(&self, event: &Event, viewers: &[&Viewer]) -> Vec<bool> {
        let mut show = vec![true; viewers.len()];
        let hooks = self.hooks();
        hooks.plan(event.kind()).visible(event, viewers, &mut show);
        show
    }

    pub(crate) async fn rpc(&self, method: &str) -> serde_json::Value {
        let answer = self.hooks().call_rpc(method, Vec::new());
        answer.unwrap().await.unwrap()
    }

    pub(crate) fn status(&self, name: &str) -> ExtensionStatus {
        let all = self.handle.status();
        all.into_iter().find(|it| it.name == name).unwrap()
    }

    /// Applies the one table of a TOML text.
    pub(crate) async fn apply(&mut self, table: &str) -> Result<Applied, ExtensionError> {
        let (name, table) = tables_of(table).pop_first().unwrap();
        self.host.apply(&name, Some(table)).await
    }
}

/// Commits where it is asked to, as the writer thread would.
pub(crate) struct TestCore {
    pub(crate) store: Arc<MemoryStore>,
    handle: HostHandle,
    clock: Arc<FakeClock>,
    keys: Keys,
    writing: Mutex<()>,
}

impl TestCore {
    pub(crate) fn commit(&self, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        let _one_writer = self.writing.lock().unwrap();
        let policy = CommitHooks(self.handle.hooks().load());
        let outcomes = self.store.commit(batch, &policy, self.clock.now_s())?;
        self.handle.committed(self.store.last_row()?);
        Ok(outcomes)
    }

    pub(crate) fn put(&self, events: &[Arc<Event>]) -> Vec<String> {
        let writes: Vec<_> = events.iter().cloned().map(Write::Put).collect();
        let outcomes = self.commit(&writes).unwrap();
        let said = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Stored(_) => "stored".to_owned(),
            Outcome::Refused(reason) => reason.to_string(),
            other => format!("{other:?}"),
        });
        said.collect()
    }

    pub(crate) fn row_of(&self, extension: &str, key: &[u8]) -> Option<Vec<u8>> {
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

    fn pubkey(&self) -> PublicKey {
        self.keys.public_key()
    }

    fn sign(&self, event: EventBuilder) -> Result<Event, Reason> {
        Ok(sign(event, &self.keys))
    }
}

pub(crate) fn sign(event: EventBuilder, keys: &Keys) -> Event {
    let signed = event.finalize(keys).unwrap();
    Event::parse(serde_json::to_string(&signed).unwrap().as_bytes()).unwrap()
}

/// An event of Alice's.
pub(crate) fn event(kind: u16, content: &str) -> Arc<Event> {
    tagged(kind, content, &[])
}

pub(crate) fn tagged(kind: u16, content: &str, tags: &[&[&str]]) -> Arc<Event> {
    let tags = tags.iter().map(|tag| Tag::parse(tag.to_vec()).unwrap());
    let event = EventBuilder::new(Kind::from(kind), content).tags(tags);
    Arc::new(sign(event, &alice()))
}

pub(crate) fn alice() -> Keys {
    Keys::parse("6b911fd37cdf5c81d4c0adb1ab7fa822ed253ab0ad9aa18d77257c88b29b718e").unwrap()
}

pub(crate) fn member() -> Viewer {
    stranger().with_pubkey(alice().public_key())
}

pub(crate) fn stranger() -> Viewer {
    Viewer::new(1, [192, 0, 2, 1].into())
}

pub(crate) fn tables_of(text: &str) -> Tables {
    let text = text.replace("MEMBER", &alice().public_key().to_hex());
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

/// Polls until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
