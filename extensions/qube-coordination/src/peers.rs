//! Other relays of the same fleet: their retained history, so that all come to the same state however they were parted.
//!
//! Invariant: nothing is believed because a peer says it. Every event is verified again and must be a directive of a
//! network's own developer; every entry must follow the one before by its hash; and what one visit takes in bytes, pages and
//! time is bounded.

mod asking;
mod reading;

use crate::QubeCoordination;
use crate::config::Settings;
use crate::watch as metrics;
use futures_util::future::try_join_all;
use reading::Problem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use trellis_relay::extension::prelude::*;
use url::Url;

/// What is known of each peer.
pub(crate) struct Peers {
    all: Mutex<Vec<PeerStatus>>,
    revision: watch::Sender<u64>,
    /// Two peers may have the same: who takes something over takes turns.
    taking: tokio::sync::Mutex<()>,
}

/// What is known of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerStatus {
    /// Where its routes are.
    pub(crate) url: Url,
    /// When it was last asked to the end, and what came of it. Unix seconds.
    pub(crate) asked_at_s: Option<u64>,
    /// What was wrong; `None` where all was well, or where it was not asked yet.
    pub(crate) problem: Option<String>,
}

impl Peers {
    pub(crate) fn of(settings: &Settings) -> Self {
        let status = |url: &Url| PeerStatus {
            url: url.clone(),
            asked_at_s: None,
            problem: None,
        };
        Peers {
            all: Mutex::new(settings.peers.iter().map(status).collect()),
            revision: watch::Sender::new(0),
            taking: tokio::sync::Mutex::default(),
        }
    }

    /// All of them, as the configuration lists them.
    pub(crate) fn status(&self) -> Vec<PeerStatus> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Tells when one has come or gone.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// What is wrong with one of them, for operators.
    pub(crate) fn problem(&self) -> Option<String> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find_map(|peer| {
            let problem = peer.problem.as_ref()?;
            Some(format!("the peer {}: {problem}", peer.url))
        })
    }

    fn note(&self, url: &Url, now_s: u64, problem: Option<String>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(peer) = all.iter_mut().find(|peer| peer.url == *url) else {
            return;
        };
        let is_other = peer.problem.is_some() != problem.is_some() || peer.asked_at_s.is_none();
        if is_other {
            match &problem {
                Some(problem) => tracing::warn!(peer = %url, problem, "a peer cannot be used"),
                None => tracing::info!(peer = %url, "a peer answers"),
            }
        }
        peer.asked_at_s = Some(now_s);
        peer.problem = problem;
        let up = all
            .iter()
            .filter(|peer| peer.asked_at_s.is_some() && peer.problem.is_none());
        metrics::peers_up(up.count());
        drop(all);
        if is_other {
            self.revision.send_modify(|revision| *revision += 1);
        }
    }
}

/// Visits each peer again and again, and none of them waits for another.
pub(crate) async fn visit_forever(me: &QubeCoordination) -> Result<(), TaskError> {
    let peers = &me.settings.peers;
    if peers.is_empty() {
        std::future::pending::<()>().await;
    }
    try_join_all(peers.iter().map(|url| visit_one_forever(me, url))).await?;
    Ok(())
}

async fn visit_one_forever(me: &QubeCoordination, url: &Url) -> Result<(), TaskError> {
    loop {
        let visited = reading::visit(me, url).await;
        let problem = match visited {
            Ok(()) => None,
            // The own store, about which the peer can do nothing.
            Err(Problem::Store(error)) => return Err(error.into()),
            Err(problem) => Some(problem.to_string()),
        };
        me.peers.note(url, me.host.clock().now_s(), problem);
        tokio::time::sleep(Duration::from_secs(me.settings.peer_interval_s)).await;
    }
}
