//! What a relay is made of, and how a configuration says it.

use crate::backup;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::extension::Compiled;
use crate::relay_key::{self, RelayKeyError};
use crate::store::lmdb::{LmdbOptions, LmdbStore, StoreGlance};
use crate::store::{Store, StoreError};
use std::path::{Path, PathBuf};
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
    /// The backup that the relay writes, where it has one; see [`backup::open_store`].
    pub backup: Option<backup::Opened>,
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
    /// The backup cannot be written, or what is there cannot be restored.
    #[error(transparent)]
    Backup(#[from] backup::BackupError),
}

impl Parts {
    /// What the `trellis` program runs with: the store and the key in `[data] path`, made where they are missing, and
    /// the system's clock. With a backup an empty store is restored first, which may take its time.
    pub fn from_config(
        config: Config,
        extensions: &'static [Compiled],
    ) -> Result<Self, PartsError> {
        let open = |directory: &Path| open_store_in(directory, &config);
        let (store, backup) = backup::open_store(&config, &SystemClock, &open)?;
        let keys = relay_key::load_or_make(&config.data.path)?;
        Ok(Parts {
            config: Arc::new(config),
            store: Arc::new(store),
            extensions,
            clock: Arc::new(SystemClock),
            keys,
            backup,
        })
    }
}

/// Opens the store that a configuration names, making it where there is none.
pub fn open_store(config: &Config) -> Result<LmdbStore, PartsError> {
    open_store_in(&config.data.path, config)
}

/// Looks into the store that a configuration names, and changes nothing; see [`LmdbStore::look`].
pub fn look_into_store(config: &Config) -> Result<Option<StoreGlance>, PartsError> {
    let directory = &config.data.path;
    LmdbStore::look(directory, &options(config)).map_err(|source| PartsError::Store {
        directory: directory.clone(),
        source,
    })
}

/// Opens a store as a configuration says, in another directory.
pub fn open_store_in(directory: &Path, config: &Config) -> Result<LmdbStore, PartsError> {
    LmdbStore::open(directory, options(config)).map_err(|source| PartsError::Store {
        directory: directory.to_owned(),
        source,
    })
}

fn options(config: &Config) -> LmdbOptions {
    // A reader's slot for each thread that may read: workers, the pool, an import with a thread a core and what serves it,
    // and the writer, sweeps, operators' jobs and extensions. A slot is 64 bytes; a thread that found none would fail.
    const OTHER_READERS: usize = 64;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pools = config.thread.http_threads() + config.thread.reader_threads();
    let readers = pools + 2 * cores + OTHER_READERS;
    LmdbOptions {
        quota_bytes: config.data.map_size.bytes(),
        max_readers: readers as u32,
        ..LmdbOptions::default()
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::event::{Event, EventParts};
    use crate::filter::Filter;
    use crate::store::{Budget, NoPolicy, Order, Scan, Write};
    use std::sync::Barrier;
    use std::time::Duration;
    use tempfile::TempDir;

    /// An import with a thread a core, two jobs and a dozen extensions beside small pools.
    #[test]
    fn c16_every_thread_that_reads_finds_a_slot() {
        let directory = TempDir::new().unwrap();
        let mut config = Config::default();
        config.data.path = directory.path().to_owned();
        (config.thread.http, config.thread.reader) = (1, 1);
        let store = open_store(&config).unwrap();
        let event: Event = EventParts {
            id: &[1; 32],
            pubkey: &[1; 32],
            created_at: 1,
            kind: 1,
            tags_json: "[]",
            content_json: "\"\"",
            sig: &[2; 64],
        }
        .assemble();
        let put = [Write::Put(Arc::new(event))];
        store.commit(&put, &NoPolicy, 1).unwrap();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = 2 + cores + 2 + 12;
        let all_read = Barrier::new(threads);
        let filter = Filter::default();
        let scan = Scan {
            filter: &filter,
            order: Order::NewestFirst,
            resume: None,
            max_row: u64::MAX,
            now: 1,
            budget: Budget {
                events: 10,
                entries: 10,
                bytes: usize::MAX,
                time: Duration::MAX,
            },
        };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut is_within = false;
                    let counted = store.count_authors(&scan, &mut |_| {
                        is_within = true;
                        all_read.wait();
                    });
                    if !is_within {
                        // So that the others end as well.
                        all_read.wait();
                    }
                    assert_eq!(counted.unwrap().count, 1);
                });
            }
        });
    }
}
