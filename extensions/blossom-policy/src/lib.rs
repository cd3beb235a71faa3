//! A Blossom media server under the operator's rules: who may store what, how much of it, and for how long.
//!
//! `docs/extensions/blossom-policy.md` is for operators and for authors of clients.
//!
//! Invariant: what is given out was let in by `policy` as it is now, byte for byte; nothing is logged that joins a key or an
//! address with a blob.

mod address;
mod auth;
mod blob;
mod block_lists;
mod config;
mod holdings;
mod index;
mod place;
mod policy;
mod quota;
mod rates;
mod recovery;
mod refusal;
mod sniffing;
mod spool;
mod storage;
mod turns;

pub use config::Config;

use rates::Rates;
use std::sync::{Arc, PoisonError, RwLock};
use trellis_relay::extension::prelude::*;

/// The extension.
pub struct BlossomPolicy {
    host: Host,
    config: RwLock<Arc<Config>>,
    rates: Rates,
}

impl Extension for BlossomPolicy {
    const NAME: &'static str = "blossom_policy";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        config.check()?;
        Ok(BlossomPolicy {
            rates: Rates::new(&config.rates, &host),
            config: RwLock::new(Arc::new(config)),
            host,
        })
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}

    fn reload(&self, new: &Config) -> Reload {
        if new.check().is_err() || !new.can_follow(&self.config()) {
            return Reload::Rebuild;
        }
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        *config = Arc::new(new.clone());
        Reload::Applied
    }
}

impl BlossomPolicy {
    /// What is in force at the moment; ask again for every request.
    fn config(&self) -> Arc<Config> {
        let config = self.config.read();
        config.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
