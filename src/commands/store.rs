//! Opens the store that a configuration names, for the commands that need one.

use trellis_relay::config::Config;
use trellis_relay::parts;
use trellis_relay::store::lmdb::LmdbStore;

/// Opens the LMDB store, making it where there is none.
pub(super) fn open(config: &Config) -> anyhow::Result<LmdbStore> {
    Ok(parts::open_store(config)?)
}

/// Opens the LMDB store for reading out. A mistyped path must not make an empty store and call the export done.
pub(super) fn open_existing(config: &Config) -> anyhow::Result<LmdbStore> {
    let path = &config.data.path;
    anyhow::ensure!(
        path.join("data.mdb").is_file(),
        "there is no database in {}, the directory that data.path names",
        path.display()
    );
    open(config)
}
