//! What a relay is made of, and how a configuration says it.

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::extension::Compiled;
use crate::relay_key::{self, RelayKeyError};
use crate::store::lmdb::{LmdbOptions, LmdbStore};
use crate::store::{Store, StoreError};
use std::path::PathBuf;
use std::sync::Arc;

/// What a relay is made of.
pub struct Parts {
    /// The configuration to start with.
    pub config: Arc<Config>,
    /// Where events live.
    pub store: Arc<dyn Store>,
    /// The extensions that are compiled in.
    pub extensions: &'static [Compiled],
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The key of the relay itself.
    pub keys: nostr::key::Keys,
}

/// Why there are no parts to start with.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// The store cannot be opened.
    #[error("cannot open the data directory {}", directory.display())]
    Store {
        /// `[data] path`.
        directory: PathBuf,
        /// What is wrong with it.
        source: StoreError,
    },
    /// The relay's own key cannot be had.
    #[error(transparent)]
    Key(#[from] RelayKeyError),
}

impl Parts {
    /// What the `trellis` program runs with: the store and the key in `[data] path`, made where they are missing, and
    /// the system's clock.
    pub fn from_config(
        config: Config,
        extensions: &'static [Compiled],
    ) -> Result<Self, PartsError> {
        let store = open_store(&config)?;
        let keys = relay_key::load_or_make(&config.data.path)?;
        Ok(Parts {
            config: Arc::new(config),
            store: Arc::new(store),
            extensions,
            clock: Arc::new(SystemClock),
            keys,
        })
    }
}

/// Opens the store that a configuration names, making it where there is none.
pub fn open_store(config: &Config) -> Result<LmdbStore, PartsError> {
    // A reader slot for each thread that reads: workers, the pool, the writer, and a few to spare.
    const SPARE_READERS: usize = 8;
    let readers = config.thread.http_threads() + config.thread.reader_threads() + SPARE_READERS;
    let options = LmdbOptions {
        quota_bytes: config.data.map_size.bytes(),
        max_readers: readers as u32,
        ..LmdbOptions::default()
    };
    let path = &config.data.path;
    LmdbStore::open(path, options).map_err(|source| PartsError::Store {
        directory: path.clone(),
        source,
    })
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}
