//! How a relay under test is to be: its extensions, configuration, store and clock.
//!
//! Invariant: what a test does not say is the default of the relay, but for what would reach out of the test: the port is
//! free, the address the loopback one, there is no admin socket, the data directory is a temporary one, and threads are
//! few.

use super::relay_thread::RelayThread;
use super::{Faults, FaultyStore, START_S, TestRelay};
use crate::clock::FakeClock;
use crate::config::{self, Config, ConfigError, Environment};
use crate::extension::{Compiled, Extension};
use crate::parts::{self, Parts, PartsError};
use crate::server::StartError;
use crate::store::Store;
use crate::store::memory::MemoryStore;
use nostr::key::Keys;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// How a relay is to be. [`TestRelay::of`] and [`TestRelay::setup`] begin one.
#[derive(Default)]
#[must_use = "start it"]
pub struct Setup {
    compiled: Vec<Compiled>,
    /// Switched on though no table names them.
    on: Vec<&'static str>,
    config: String,
    store: Kept,
    starts_at_s: Option<u64>,
}

/// Where events are to live.
#[derive(Clone, Default)]
enum Kept {
    #[default]
    Memory,
    Lmdb,
    Given(Arc<dyn Store>),
}

/// Why a relay did not start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store on disk could not be made.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// There is no temporary directory.
    #[error("no temporary directory: {0}")]
    Directory(std::io::Error),
    /// An extension refused its table, or the relay did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// What stays the same over restarts.
pub(super) struct Ground {
    pub(super) compiled: &'static [Compiled],
    on: Vec<&'static str>,
    pub(super) store: Arc<dyn Store>,
    pub(super) faults: Faults,
    pub(super) clock: Arc<FakeClock>,
    keys: Keys,
    /// The relay's data directory. Removed when the relay is gone.
    directory: TempDir,
    /// Those that were lost; an LMDB store is still in the first.
    lost: Vec<TempDir>,
}

impl Setup {
    /// With this extension compiled in and switched on, whether a table names it or not; `enabled = false` in its table
    /// switches it off.
    pub fn extension<E: Extension>(mut self) -> Self {
        self.compiled.push(Compiled::of::<E>());
        self.on.push(E::NAME);
        self
    }

    /// With these extensions compiled in, as a program has them. Those with a table are on.
    pub fn extensions(mut self, compiled: &[Compiled]) -> Self {
        self.compiled.extend_from_slice(compiled);
        self
    }

    /// With this TOML, any key of `config/trellis.toml`; extensions' tables are `[extensions.NAME]`. Several calls add up.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// With LMDB in a temporary directory instead of a store in memory.
    pub fn lmdb(mut self) -> Self {
        self.store = Kept::Lmdb;
        self
    }

    /// With this store. Nothing else may write to it.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Kept::Given(store);
        self
    }

    /// With a clock that begins at these seconds since 1970 instead of [`START_S`].
    pub fn starts_at_s(mut self, seconds: u64) -> Self {
        self.starts_at_s = Some(seconds);
        self
    }

    /// Starts the relay; panics with the reason where it does not start.
    pub async fn start(self) -> TestRelay {
        match self.try_start().await {
            Ok(relay) => relay,
            Err(error) => panic!("the relay did not start: {error}"),
        }
    }

    /// Starts the relay, or says why not: for tests of configurations that are refused.
    pub async fn try_start(self) -> Result<TestRelay, SetupError> {
        let (ground, text) = self.prepare()?;
        crate::http::install_recorder();
        TestRelay::start(ground, text, || ()).await
    }

    pub(super) fn prepare(self) -> Result<(Ground, String), SetupError> {
        let directory = TempDir::with_prefix("trellis-test-").map_err(SetupError::Directory)?;
        let store: Arc<dyn Store> = match self.store {
            Kept::Memory => Arc::new(MemoryStore::default()),
            Kept::Given(store) => store,
            Kept::Lmdb => {
                let mut config = Config::default();
                config.data.path = directory.path().to_owned();
                Arc::new(parts::open_store(&config)?)
            }
        };
        let ground = Ground {
            // Some bytes a relay, for as long as the tests run.
            compiled: self.compiled.leak(),
            on: self.on,
            store,
            faults: Faults::default(),
            clock: Arc::new(FakeClock::at_s(self.starts_at_s.unwrap_or(START_S))),
            keys: Keys::generate(),
            directory,
            lost: Vec::new(),
        };
        Ok((ground, self.config))
    }
}

impl Ground {
    /// The relay's data directory.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Has the relay begin with an empty data directory, beside the store that it has.
    pub(super) fn lose_directory(&mut self) {
        let directory = TempDir::with_prefix("trellis-test-").expect("a temporary directory");
        self.lost
            .push(std::mem::replace(&mut self.directory, directory));
    }

    /// A whole configuration from what a test says.
    pub(super) fn config(&self, toml: &str) -> Result<Config, ConfigError> {
        let loaded = config::load_text(Path::new("the test's TOML"), toml, &Environment::new())?;
        let mut config = loaded.config;
        config.network.host = "127.0.0.1".to_owned();
        config.network.port = 0;
        config.data.admin_socket = "".into();
        config.data.path = self.directory.path().to_owned();
        if config.thread.http == 0 {
            // More than one, so that connections live on different threads.
            config.thread.http = 2;
        }
        if config.thread.reader == 0 {
            config.thread.reader = 2;
        }
        for name in &self.on {
            config.extensions.entry((*name).to_owned()).or_default();
        }
        Ok(config)
    }

    /// Starts a relay here; see [`RelayThread::start`] for `before`.
    pub(super) async fn start<T>(
        &self,
        config: Config,
        before: impl FnOnce() -> T + Send + 'static,
    ) -> Result<RelayThread, StartError> {
        self.faults.uncut();
        let store = FaultyStore::with_faults(self.store.clone(), self.faults.clone());
        let parts = Parts {
            config: Arc::new(config),
            store: Arc::new(store),
            extensions: self.compiled,
            clock: self.clock.clone(),
            keys: self.keys.clone(),
            backup: None,
        };
        RelayThread::start(parts, self.faults.clone(), before).await
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Setup({:?})", self.compiled)
    }
}

impl std::fmt::Debug for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ground({:?}, {:?})", self.compiled, self.directory)
    }
}
