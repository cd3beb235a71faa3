//! Private groups and direct messages over Nostr: MLS groups with rosters, Noise messages, KeyPackages, mailboxes and an
//! archive for members who were offline.
//!
//! The relay never decrypts: every payload is opaque. `docs/extensions/mls-gateway.md` is for operators and for authors of
//! clients.
//!
//! Invariant: what is for members or for a recipient leaves the relay to nobody else, by any way out; where the gateway
//! cannot tell who belongs, nothing is shown.

mod acl;
mod archive;
mod asking;
mod commands;
mod config;
mod consumption;
mod delivery;
mod directory;
mod examination;
mod kinds;
mod publishing;
mod refill;
mod rest;
mod restored;
mod roster;
mod roster_events;
mod rules;
mod shorten;
mod storage;
mod sweep;
#[cfg(test)]
mod tests;
mod watch;

#[cfg(test)]
mod upkeep_tests;

pub use config::Config;

use config::Settings;
use directory::Directory;
use std::path::Path;
use std::sync::Arc;
use storage::Storage;
use trellis_relay::extension::prelude::*;

/// The extension.
pub struct MlsGateway {
    host: Host,
    settings: Settings,
    storage: Arc<dyn Storage>,
    directory: Arc<Directory>,
    processed: watch::Processed,
    limits: publishing::Limits,
    turns: publishing::Turns,
    mailbox_turns: publishing::Turns,
    told: publishing::Told,
    unstored: publishing::Unstored,
    reservations: consumption::Reservations,
    given: consumption::Given,
    counts: consumption::Counts,
    deposit_rates: rest::DepositRates,
    looked: archive::Looked,
    refill: refill::Refill,
}

impl Extension for MlsGateway {
    const NAME: &'static str = "mls_gateway";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        let settings = config.settle(|name| std::env::var(name).ok(), host.data_dir())?;
        let storage = storage::open(&settings).await?;
        restored::bring_up_to_date(&host, &settings, &*storage).await?;
        let directory = Arc::new(Directory::new(&settings, &host));
        let limits = publishing::Limits::new(&settings, &host);
        let counts = consumption::Counts::new(&settings);
        let given = consumption::Given::new(&settings);
        let unstored = publishing::Unstored::new(&settings);
        let deposit_rates = rest::DepositRates::new(&settings, &host);
        let refill = refill::Refill::plan(&host, &settings, &*storage).await?;
        trellis_relay::metrics::describe(watch::TABLE);
        Ok(MlsGateway {
            processed: watch::Processed::new(),
            deposit_rates,
            told: publishing::Told::default(),
            looked: archive::Looked::default(),
            refill,
            host,
            settings,
            storage,
            directory,
            limits,
            turns: publishing::Turns::default(),
            mailbox_turns: publishing::Turns::default(),
            unstored,
            reservations: consumption::Reservations::default(),
            given,
            counts,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        publishing::register(&self.settings, hooks);
        // What decides on seeing never fails open.
        hooks.never_open();
        consumption::register(&self.settings, hooks);
        asking::register(&self.settings, hooks);
        delivery::register(hooks);
        archive::register(hooks);
        refill::register(hooks);
        rest::register(&self.settings, hooks);
        commands::register(hooks);
    }

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        let refill_and_sweep = async {
            refill::refill(&self).await?;
            sweep::sweep_forever(&self).await
        };
        tokio::select! {
            result = directory::keep_in_step(&self) => result,
            result = refill_and_sweep => result,
            () = stop.stopped() => Ok(()),
        }
    }

    fn health(&self) -> Health {
        match self.directory.is_in_step() {
            true => Health::Ok,
            false => Health::Degraded("the gateway's database does not answer".to_owned()),
        }
    }

    async fn examine(config: Config, at: Examination) -> Findings {
        examination::examine(config, at).await
    }

    /// The SQLite file; other databases have backups of their own.
    async fn back_up(&self, into: &Path) -> Result<Vec<BackupFile>, BackupError> {
        let written = into.join("mls.sqlite");
        let restore_to = self.storage.back_up(&written).await?;
        let file = restore_to.map(|restore_to| BackupFile {
            written,
            restore_to,
        });
        Ok(file.into_iter().collect())
    }
}
