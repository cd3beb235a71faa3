//! The running agent: connects, and has one node a network work until it is asked to stop.

use crate::clock::Clock;
use crate::config::Config;
use crate::download::Downloader;
use crate::lock::Lock;
use crate::node::Surroundings;
use crate::pages::Pages;
use crate::secret;
use crate::stop;
use crate::upkeep::{Histories, keep_up};
use crate::watch::Watch;
use anyhow::Context as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use trellis_qube_client::Relays;

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    make_private_folder(&config)
        .with_context(|| format!("data_dir {}", config.data_dir.display()))?;
    let _lock = Lock::take(&config.data_dir)?;
    let keys = secret::load(&config.key_file)?;
    let downloader = Downloader::new(&config.download)?;
    let relays = Relays::connect(&config.relays, Some(&keys)).await?;
    let (stopper, stop) = stop::wish();
    let config = Arc::new(config);
    let around = Surroundings {
        config: config.clone(),
        keys,
        relays: relays.clone(),
        downloader,
        clock: Clock::system(),
        stop: stop.clone(),
        watch: Watch::new(),
    };
    let histories = Histories::default();
    let mut networks = JoinSet::new();
    for network in &config.networks {
        networks.spawn(keep_up(around.clone(), network.clone(), histories.clone()));
    }
    let pages = Pages {
        watch: around.watch.clone(),
        relays: relays.clone(),
        histories,
        dry_run: config.dry_run,
    };
    let server = match config.listen {
        Some(address) => {
            let (bound, handle) = pages
                .serve(address)
                .with_context(|| format!("listen {address}"))?;
            tracing::info!("health and metrics on http://{bound}");
            Some(handle)
        }
        None => None,
    };
    let pubkey = around.keys.public_key().to_hex();
    tracing::info!(
        networks = config.networks.len(),
        relays = config.relays.len(),
        pubkey,
        dry_run = config.dry_run,
        "ready"
    );
    let outcome = until_asked(&mut networks).await;
    stopper.ask();
    // Each ends at its next step; what was begun is in its journal.
    while let Some(ended) = networks.join_next().await {
        ended?;
    }
    if let Some(server) = server {
        server.stop(false).await;
    }
    relays.shut_down().await;
    outcome
}

/// Waits for the wish to stop, or for a network that ends by itself.
async fn until_asked(networks: &mut JoinSet<()>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = networks.join_next() => if let Some(ended) = ended {
            ended?;
        },
    }
    tracing::info!("stopping");
    Ok(())
}

fn make_private_folder(config: &Config) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&config.data_dir)
}
