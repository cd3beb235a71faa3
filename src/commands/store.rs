//! Opens the store that a configuration names, for the commands that need one.

use anyhow::Context as _;
use trellis_relay::config::Config;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};

/// Opens the LMDB store, making it where there is none.
pub(super) fn open(config: &Config) -> anyhow::Result<LmdbStore> {
    // A reader slot for each thread that reads: workers, the pool, the writer, and a few to spare.
    const SPARE_READERS: usize = 8;
    let readers = config.thread.http_threads() + config.thread.reader_threads() + SPARE_READERS;
    let options = LmdbOptions {
        quota_bytes: config.data.map_size.bytes(),
        max_readers: readers as u32,
        ..LmdbOptions::default()
    };
    let path = &config.data.path;
    LmdbStore::open(path, options)
        .with_context(|| format!("cannot open the data directory {}", path.display()))
}
