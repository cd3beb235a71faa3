//! Calls: LiveKit tokens for those who belong, rooms that follow events, and the authority on MLS epochs.
//!
//! Media flow between clients and LiveKit and never through the relay, which decides who gets a token and what rooms there
//! are. `docs/extensions/livekit-token.md` is for operators and for authors of clients.
//!
//! Invariant: nothing here stores or logs who was in which call; no token, secret or signature is logged.

mod announcing;
mod block_lists;
mod calls;
mod commands;
mod communities;
mod config;
mod decisions;
mod epoch_routes;
mod epochs;
mod examination;
mod failure;
mod federation;
mod information;
mod issuing;
mod livekit;
mod maintenance;
mod minting;
mod offers;
mod operator;
mod porter;
mod presence;
mod proxy;
mod rates;
mod reach;
#[cfg(test)]
mod real_livekit;
mod room_facts;
mod rooms;
mod routes;
mod signer;
mod single_use;
#[cfg(test)]
mod tests;
mod watch;
mod webhook;
mod work;

pub use config::Config;

use calls::Calls;
use communities::Communities;
use config::Settings;
use livekit::LiveKit;
use offers::Offers;
use proxy::Proxy;
use rates::Rates;
use reach::Reach;
use rooms::Rooms;
use single_use::TokenCache;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::task::JoinSet;
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

/// The extension.
pub struct LivekitToken {
    host: Host,
    settings: RwLock<Arc<Settings>>,
    livekit: LiveKit,
    tokens: Arc<dyn TokenCache>,
    offers: Offers,
    rates: Rates,
    reach: Reach,
    maintenance_seen: maintenance::Seen,
    communities: Arc<Communities>,
    rooms: Rooms,
    proxy: Proxy,
    calls: Calls,
    webhooks: webhook::Seen,
    /// To `POST /mls/commit`, by key.
    commits: RateLimiter,
}

impl Extension for LivekitToken {
    const NAME: &'static str = "livekit_token";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        trellis_jwt::install();
        trellis_relay::metrics::describe(watch::TABLE);
        let settings = config.settle(|name| std::env::var(name).ok())?;
        let secret = settings.livekit_api_secret.reveal();
        let livekit = LiveKit::new(&settings.livekit_url, &settings.livekit_api_key, secret);
        let communities = Arc::new(Communities::new(&host, &settings));
        Ok(LivekitToken {
            rooms: Rooms::load(&host, &settings, &communities).await?,
            communities,
            tokens: single_use::open(&settings, &host).await?,
            livekit,
            offers: Offers::new(settings.bounds.offers, settings.offer_ttl_s),
            rates: Rates::new(&settings, &host),
            proxy: Proxy::new(&host, &settings),
            calls: Calls::of(&settings),
            webhooks: webhook::Seen::new(settings.bounds.webhooks),
            commits: epoch_routes::limiter(&settings, &host),
            reach: Reach::default(),
            maintenance_seen: maintenance::Seen::default(),
            settings: RwLock::new(settings),
            host,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        offers::register(hooks);
        rooms::register(hooks);
        commands::register(hooks);
        information::register(hooks);
        routes::register(&self.settings(), hooks);
        announcing::register(hooks);
    }

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        let rooms = async {
            self.rooms.keep(&self.livekit, &stop).await;
            stop.stopped().await;
            Ok(())
        };
        // A task of its own, since it judges much at a time that others say; it ends with this one.
        let me = self.clone();
        let mut federation = JoinSet::new();
        federation.spawn(async move { federation::run(&me).await });
        let beside = async {
            if let Some(ended) = federation.join_next().await {
                ended?;
            }
            stop.stopped().await;
            Ok::<(), TaskError>(())
        };
        tokio::select! {
            result = beside => result,
            result = reach::watch(&self) => result,
            result = rooms => result,
            () = porter::keep_looking(&self) => Ok(()),
        }
    }

    fn health(&self) -> Health {
        match self.reach.is_up() {
            true => Health::Ok,
            false => Health::Down("LiveKit does not answer".to_owned()),
        }
    }

    async fn examine(config: Config, _at: Examination) -> Findings {
        examination::examine(config).await
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
