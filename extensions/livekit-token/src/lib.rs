//! Calls: LiveKit tokens for those who belong, rooms that follow events, and the authority on MLS epochs.

mod config;
mod failure;
mod livekit;
mod single_use;

pub use config::Config;

use trellis_relay::extension::prelude::*;

/// The extension.
pub struct LivekitToken {}

impl Extension for LivekitToken {
    const NAME: &'static str = "livekit_token";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(_config: Config, _host: Host) -> Result<Self, BuildError> {
        trellis_jwt::install();
        Ok(LivekitToken {})
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}
}
