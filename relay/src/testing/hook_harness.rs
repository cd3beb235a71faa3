//! Hooks without a relay: the real hooks, host and store in memory, a clock that stands still, and the least of a core
//! between them ([`BareCore`]).
//!
//! For tests that ask one hook one thing. What depends on the order of the flows, on sockets or on HTTP wants a whole
//! relay: [`super::TestRelay`].

use super::{BareCore, START_S};
use crate::clock::FakeClock;
use crate::event::Event;
use crate::extension::*;
use crate::store::memory::MemoryStore;
use std::sync::Arc;
use std::time::Duration;

/// Asks the hooks of some extensions, one at a time and without a relay.
///
/// ```
/// use nostr::event::{EventBuilder, Kind};
/// use trellis_relay::extension::{Compiled, prelude::*};
/// use trellis_relay::testing::{HookHarness, sign, stranger};
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
/// let hooks = HookHarness::start(EXTENSIONS, "[no_notes]").await?;
/// let keys = nostr::key::Keys::generate();
/// let note = sign(EventBuilder::new(Kind::TextNote, "hello"), &keys);
/// assert_eq!(hooks.admit(&note, &stranger()), "blocked: no notes");
/// hooks.host.shutdown().await;
/// # Ok::<(), ExtensionError>(()) })?;
/// # use trellis_relay::extension::ExtensionError;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HookHarness {
    /// Owns the extensions; shut it down at the end.
    pub host: ExtensionHost,
    /// What a relay's threads have.
    pub handle: HostHandle,
    /// Commits events.
    pub core: Arc<BareCore>,
    /// Stands at [`START_S`].
    pub clock: Arc<FakeClock>,
}

impl HookHarness {
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
        let clock = Arc::new(FakeClock::at_s(START_S));
        let handle = HostHandle::new(compiled);
        let core = Arc::new(BareCore::new(store, handle.clone(), clock.clone()));
        let options = HostOptions {
            clock: clock.clone(),
            backoff: Backoff {
                min: Duration::from_millis(1),
                max: Duration::from_millis(20),
            },
            deadline: Duration::from_secs(1),
            reserved_methods: crate::http::method_names(),
            reserved_paths: crate::http::own_paths(),
            ..HostOptions::default()
        };
        let tables = tables_of(tables);
        let host = ExtensionHost::start(handle.clone(), &tables, core.clone(), options);
        Ok(HookHarness {
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
