//! Opens the store that a configuration names, for the commands that need one.

use trellis_relay::config::Config;
use trellis_relay::parts;
use trellis_relay::store::lmdb::LmdbStore;

/// Opens the LMDB store, making it where there is none.
pub(super) fn open(config: &Config) -> anyhow::Result<LmdbStore> {
    Ok(parts::open_store(config)?)
}
