//! A Blossom media server under the operator's rules: who may store what, how much of it, and for how long.
//!
//! `docs/extensions/blossom-policy.md` is for operators and for authors of clients.
//!
//! Invariant: what is given out was let in by `policy` as it is now, byte for byte; nothing is logged that joins a key or an
//! address with a blob.

mod address;
mod administration;
mod archive;
mod auth;
mod backup;
mod blob;
mod block_lists;
mod commands;
mod config;
mod examination;
#[cfg(test)]
mod ground;
mod holdings;
mod index;
mod information;
mod intake;
mod mirroring;
mod opening;
mod payment;
mod place;
mod places;
mod policy;
mod prefix_check;
mod quota;
mod rates;
mod recovery;
mod refusal;
mod rescan;
mod retention;
mod routes;
mod rpc;
mod showing;
mod sniffing;
mod spool;
mod standing;
mod storage;
mod stripping;
#[cfg(test)]
mod tests;
mod turns;
mod watch;

pub use config::Config;

use block_lists::BlockLists;
use holdings::Holdings;
use places::Places;
use prefix_check::PrefixCheck;
use rates::Rates;
use rescan::Rescan;
use spool::Spool;
use standing::Standing;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use trellis_relay::extension::HttpClient;
use trellis_relay::extension::prelude::*;

/// Archives under way at a time.
const EXPORTS_MAX: usize = 8;

/// The extension.
pub struct BlossomPolicy {
    host: Host,
    config: RwLock<Arc<Config>>,
    rates: Rates,
    /// Of uploads under way.
    places: Places,
    /// Of mirrors among them.
    mirrors: Places,
    /// Of archives under way.
    exports: Places,
    spool: Spool,
    holdings: Holdings,
    block_lists: Arc<BlockLists>,
    prefix_check: PrefixCheck,
    /// Asks where strangers say.
    strangers: HttpClient,
    rescan: Rescan,
    standing: Standing,
}

impl Extension for BlossomPolicy {
    const NAME: &'static str = "blossom_policy";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        config.check()?;
        trellis_relay::metrics::describe(watch::TABLE);
        let block_lists = opening::block_lists(&config).await?;
        let place = opening::place(&config, &host).await?;
        let me = BlossomPolicy {
            rates: Rates::new(&config.rates, &config.reports, &host),
            places: Places::new(
                &place.uploads,
                config.max_uploads,
                config.max_uploads_per_ip,
            ),
            mirrors: Places::new(
                &place.mirrors,
                config.max_uploads.div_ceil(2),
                config.max_uploads_per_ip,
            ),
            exports: Places::new(&place.exports, EXPORTS_MAX, 1),
            spool: Spool::new(&place.incoming(), config.max_uploads)
                .counted_by(&place.incoming_files),
            holdings: opening::holdings(&config, place, &host).await?,
            block_lists,
            prefix_check: PrefixCheck::new(&config.prefix_check, &host),
            strangers: host
                .http_client()
                .narrowed(config.mirror.allow_private.clone()),
            rescan: Rescan::default(),
            standing: Standing::default(),
            config: RwLock::new(Arc::new(config)),
            host,
        };
        mirroring::tell_bounds(&me.strangers, &me.config());
        standing::look(&me).await;
        Ok(me)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        routes::register(&self.config(), hooks);
        commands::register(hooks);
        rpc::register(hooks);
        information::register(hooks);
    }

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        let every = self.config().block_lists.reload_interval.duration();
        let lists = block_lists::keep_looking(self.block_lists.clone(), every, |read| match read {
            Ok(true) => {
                watch::lists_read("changed");
                watch::list_hashes(self.block_lists.hashes());
                self.rescan.ask();
            }
            Ok(false) => watch::lists_read("unchanged"),
            Err(error) => {
                tracing::error!("the block lists stay as they were: {error}");
                watch::lists_read("failed");
            }
        });
        tokio::select! {
            () = stop.stopped() => {}
            () = standing::keep_looking(&self) => {}
            () = retention::keep_removing(&self) => {}
            () = recovery::keep_recovering(&self.holdings) => {}
            () = lists => {}
            () = rescan::keep_scanning(&self) => {}
        }
        Ok(())
    }

    fn health(&self) -> Health {
        self.standing.health()
    }

    async fn examine(config: Config, at: Examination) -> Findings {
        examination::examine(config, at).await
    }

    fn reload(&self, new: &Config) -> Reload {
        if new.check().is_err() || !new.can_follow(&self.config()) {
            return Reload::Rebuild;
        }
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        *config = Arc::new(new.clone());
        Reload::Applied
    }

    async fn back_up(&self, into: &Path) -> Result<Vec<BackupFile>, BackupError> {
        self.back_up_index(into).await
    }

    async fn back_up_blobs(
        &self,
        after: Option<[u8; 32]>,
        max: usize,
    ) -> Result<Vec<BackupBlob>, BackupError> {
        self.back_up_files(after, max).await
    }
}

impl BlossomPolicy {
    /// What is in force at the moment; ask again for every request.
    fn config(&self) -> Arc<Config> {
        let config = self.config.read();
        config.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
