//! A Blossom media server under the operator's rules: who may store what, how much of it, and for how long.

mod block_lists;
mod config;
mod sniffing;

pub use config::Config;

use trellis_relay::extension::prelude::*;

/// The extension.
pub struct BlossomPolicy {}

impl Extension for BlossomPolicy {
    const NAME: &'static str = "blossom_policy";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(_config: Config, _host: Host) -> Result<Self, BuildError> {
        Ok(BlossomPolicy {})
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}
}
