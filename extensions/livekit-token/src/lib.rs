//! Calls: LiveKit tokens for those who belong, rooms that follow events, and the authority on MLS epochs.
//!
//! Media flow between clients and LiveKit and never through the relay, which decides who gets a token and what rooms there
//! are. `docs/extensions/livekit-token.md` is for operators and for authors of clients.
//!
//! Invariant: nothing here stores or logs who was in which call; no token, secret or signature is logged.

mod config;
mod epochs;
mod failure;
mod livekit;
mod presence;
mod room_facts;
mod signer;
mod single_use;

pub use config::Config;

use config::Settings;
use livekit::LiveKit;
use single_use::TokenCache;
use std::sync::{Arc, PoisonError, RwLock};
use trellis_relay::extension::prelude::*;

/// The extension.
pub struct LivekitToken {
    host: Host,
    settings: RwLock<Arc<Settings>>,
    livekit: LiveKit,
    tokens: Arc<dyn TokenCache>,
}

impl Extension for LivekitToken {
    const NAME: &'static str = "livekit_token";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        trellis_jwt::install();
        let settings = config.settle(|name| std::env::var(name).ok())?;
        let secret = settings.livekit_api_secret.reveal();
        let livekit = LiveKit::new(&settings.livekit_url, &settings.livekit_api_key, secret);
        Ok(LivekitToken {
            tokens: single_use::open(&settings, &host).await?,
            livekit,
            settings: RwLock::new(settings),
            host,
        })
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        stop.stopped().await;
        Ok(())
    }

    fn reload(&self, new: &Config) -> Reload {
        let Ok(new) = new.settle(|name| std::env::var(name).ok()) else {
            return Reload::Rebuild;
        };
        if !new.can_follow(&self.settings()) {
            return Reload::Rebuild;
        }
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = new;
        Reload::Applied
    }
}

impl LivekitToken {
    /// What is in force at the moment; ask again for every request.
    fn settings(&self) -> Arc<Settings> {
        let settings = self.settings.read();
        settings.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
