//! `trellis serve`: runs the relay until it is told to stop.

use super::{ConfigFile, logging};
use anyhow::Context as _;
use clap::Args;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use trellis_relay::clock::SystemClock;
use trellis_relay::extension::SharedHooks;
use trellis_relay::server::{Parts, Server};
use trellis_relay::store::memory::MemoryStore;

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Take over changes of the configuration file while running.
    #[arg(long)]
    watch: bool,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let loaded = self.file.load()?;
        logging::start(&loaded.config.log)?;
        for note in &loaded.notes {
            tracing::info!("{note}");
        }
        trellis_relay::http::install_recorder();
        let parts = Parts {
            config: Arc::new(loaded.config.clone()),
            store: Arc::new(MemoryStore::default()),
            hooks: SharedHooks::new(),
            clock: Arc::new(SystemClock),
            keys: nostr::key::Keys::generate(),
        };
        actix_rt::System::new().block_on(async move {
            let server = Server::start(parts)?;
            tracing::info!("listening on http://{}", server.address);
            let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
            let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping");
            server.stop().await;
            tracing::info!("stopped");
            Ok(())
        })
    }
}
