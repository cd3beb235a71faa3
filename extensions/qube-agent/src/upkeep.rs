//! Keeps one network's node and its deliveries at work, and begins them again where its files cannot be kept.
//!
//! Invariant: what is wrong with one network's files stops that network alone. It is told in the log and by `/health`; as soon
//! as the files are as they should be again, the network goes on where it was.

use crate::delivery::{Courier, Shared};
use crate::history::History;
use crate::node::{Node, Surroundings};
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;
use trellis_qube_protocol::NetworkId;

/// How long after a network has stopped it is begun again.
const AGAIN: Duration = Duration::from_secs(10);

/// The histories of the networks that are at work; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Histories(Arc<Mutex<BTreeMap<NetworkId, Shared>>>);

impl Histories {
    /// All of them, by network.
    pub(crate) fn all(&self) -> BTreeMap<NetworkId, Shared> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NetworkId, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until the agent is asked to stop.
pub(crate) async fn keep_up(
    around: Surroundings,
    network: crate::config::Network,
    histories: Histories,
) {
    let (id, stop) = (network.id.clone(), around.stop.clone());
    let mut told = None;
    loop {
        let Err(error) = work(&around, &network, &histories).await else {
            return;
        };
        histories.lock().remove(&id);
        let problem = format!("{error:#}");
        // Once, however often it is tried again in vain.
        if told.as_ref() != Some(&problem) {
            tracing::error!(network = %id, problem, "this network stops; others go on, and it is tried again");
        }
        around.watch.stopped(&id, Some(&problem));
        told = Some(problem);
        tokio::select! {
            () = stop.asked() => return,
            () = sleep(AGAIN) => {}
        }
    }
}

/// From what is on the disk on, until the agent is asked to stop or a file of the network fails.
async fn work(
    around: &Surroundings,
    network: &crate::config::Network,
    histories: &Histories,
) -> anyhow::Result<()> {
    let folder = around.config.folder_of(&network.id);
    let in_folder = || format!("in {}", folder.display());
    std::fs::create_dir_all(&folder).with_context(in_folder)?;
    let history = Shared::new(History::open(&folder).with_context(in_folder)?);
    let news = Arc::new(Notify::new());
    let node = Node::open(
        around.clone(),
        network.clone(),
        history.clone(),
        news.clone(),
    )
    .with_context(in_folder)?;
    let courier = Courier {
        network: network.id.clone(),
        relays: around.relays.clone(),
        history: history.clone(),
        news,
        clock: around.clock.clone(),
        stop: around.stop.clone(),
    };
    histories.lock().insert(network.id.clone(), history);
    around.watch.stopped(&network.id, None);
    let deliveries = async {
        // What is still to be reported waits for an agent that is not tried out only.
        if !around.config.dry_run {
            courier.run().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = node.run() => ended.with_context(in_folder),
        () = deliveries => Ok(()),
    }
}
