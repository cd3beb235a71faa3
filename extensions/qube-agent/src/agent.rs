//! The running agent: opens what it keeps, connects, and has one node a network work until it is asked to stop.

use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::{Courier, Shared};
use crate::download::Downloader;
use crate::history::History;
use crate::lock::Lock;
use crate::node::{Node, Surroundings};
use crate::pages::Pages;
use crate::secret;
use crate::stop::{self, Stopper};
use crate::watch::Watch;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use trellis_qube_client::Relays;

/// Runs until SIGTERM or SIGINT, or until a node cannot keep its books.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    make_private_folder(&config).context("data_dir")?;
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
    let mut histories = BTreeMap::new();
    let mut nodes = JoinSet::new();
    let mut couriers = JoinSet::new();
    for network in &config.networks {
        let id = network.id.clone();
        let folder = config.folder_of(&id);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let history = Shared::new(History::open(&folder)?);
        let news = Arc::new(Notify::new());
        histories.insert(id.clone(), history.clone());
        let courier = Courier {
            network: id.clone(),
            relays: relays.clone(),
            history: history.clone(),
            news: news.clone(),
            clock: around.clock.clone(),
            stop: stop.clone(),
        };
        // What is still to be reported waits for an agent that is not tried out only.
        if !config.dry_run {
            couriers.spawn(courier.run());
        }
        let node = Node::open(around.clone(), network.clone(), history, news)
            .with_context(|| format!("network {id}"))?;
        nodes.spawn(async move { node.run().await.with_context(|| format!("network {id}")) });
    }
    let pages = Pages {
        watch: around.watch.clone(),
        relays: relays.clone(),
        histories,
        dry_run: config.dry_run,
    };
    let server = match config.listen {
        Some(address) => {
            let (bound, handle) = pages.serve(address).context("listen")?;
            tracing::info!("health and metrics on http://{bound}");
            Some(handle)
        }
        None => None,
    };
    let networks = config.networks.len();
    let pubkey = around.keys.public_key().to_hex();
    tracing::info!(
        networks,
        relays = config.relays.len(),
        pubkey,
        dry_run = config.dry_run,
        "ready"
    );
    let outcome = work(&mut nodes, &stopper).await;
    stopper.ask();
    // Each ends at its next step; what was begun is in its journal.
    while let Some(ended) = nodes.join_next().await {
        ended??;
    }
    while couriers.join_next().await.is_some() {}
    if let Some(server) = server {
        server.stop(false).await;
    }
    relays.shut_down().await;
    outcome
}

/// Waits for the wish to stop, or for a node that ends.
async fn work(nodes: &mut JoinSet<anyhow::Result<()>>, stopper: &Stopper) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = nodes.join_next() => if let Some(ended) = ended {
            stopper.ask();
            ended??;
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
