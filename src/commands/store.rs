//! Opens the store that a configuration names, for the commands that need one.

use trellis_relay::config::Config;
use trellis_relay::store::StoreError;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};

/// Opens the LMDB store, making it where there is none.
pub(super) fn open(config: &Config) -> Result<LmdbStore, StoreError> {
    // A reader slot for each thread that reads: workers, the pool, the writer, and a few to spare.
    const SPARE_READERS: usize = 8;
    let readers = config.thread.http_threads() + config.thread.reader_threads() + SPARE_READERS;
    let options = LmdbOptions {
        quota_bytes: config.data.map_size.bytes(),
        max_readers: readers as u32,
        ..LmdbOptions::default()
    };
    LmdbStore::open(&config.data.path, options)
}
