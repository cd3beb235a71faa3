//! A relay that runs and does not listen: its threads and extensions, started and stopped in order.
//!
//! [`crate::server`] puts a listener before it; whoever embeds it mounts [`RunningRelay::mount`] in an application of
//! their own. Order of stopping: no more reading, the queue of the writer to its end, answers out, close frames, a copy of
//! the extensions' files for the backup, extensions, writer, backup. Each step has its share of [`STOP_TIME`], since whoever stops us (Cloud Run) does not wait long.

use crate::config::Config;
use crate::extension::{ExtensionError, ExtensionHost, HostHandle, HostOptions};
use crate::moderation::Moderation;
use crate::parts::Parts;
use crate::readers::Readers;
use crate::relay::{ForExtensions, Relay};
use crate::store::StoreError;
use crate::worker::WorkerMessage;
use crate::writer::{self, Writer};
use crate::{announcer, backup, http, moderator, sweeper};
use actix_web::web::ServiceConfig;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// A running relay. Must be started and stopped within an actix system; merely dropped, it runs on.
#[derive(Debug)]
pub struct RunningRelay {
    /// What all threads share.
    pub relay: Arc<Relay>,
    extensions: ExtensionHost,
    writer: JoinHandle<()>,
    backup: Option<backup::Thread>,
}

/// Why a relay did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An extension did not start.
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    /// What the operator decided at run time cannot be read.
    #[error("cannot read what was decided by the management API")]
    Moderation(#[from] StoreError),
    /// A thread or runtime could not be started.
    #[error("cannot start: {0}")]
    Thread(#[from] std::io::Error),
}

/// All of stopping takes less than this.
pub const STOP_TIME: Duration = Duration::from_secs(8);
/// How often something is looked at that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// When nothing was under way for so long, nothing will be.
const QUIET: Duration = Duration::from_millis(100);
/// How long the writer may take for what is left once the extensions are gone.
const WRITER_TIME: Duration = Duration::from_secs(1);
/// How long the backup has for files of extensions that have changed, at most.
const FILES_TIME: Duration = Duration::from_secs(2);
/// How long the backup has for what was stored last, even if the other steps have used up their time.
const BACKUP_TIME: Duration = Duration::from_secs(1);

impl RunningRelay {
    /// Starts the threads around the store, then the extensions, then what the relay does by itself.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let running = Self::start_for(true, parts).await?;
        let relay = &running.relay;
        actix_rt::spawn(sweeper::run(Arc::downgrade(relay)));
        relay.moderator.say_what_is_overruled();
        actix_rt::spawn(announcer::run(Arc::downgrade(relay)));
        actix_rt::spawn(moderator::run_purge(Arc::downgrade(relay)));
        Ok(running)
    }

    /// The same, but nothing is removed or announced that nobody asked for: for an operator's work on a relay that does
    /// not serve.
    pub async fn start_without_upkeep(parts: Parts) -> Result<Self, StartError> {
        Self::start_for(false, parts).await
    }

    async fn start_for(clients: bool, parts: Parts) -> Result<Self, StartError> {
        let config = parts.config.clone();
        let keeps = backup::Keeps::of(parts.extensions);
        let (writer_handle, queue) = Writer::new();
        let moderation = Moderation::load(&*parts.store)?;
        let readers = Readers::start(config.thread.reader_threads())?;
        let relay = Arc::new(Relay::new(
            parts.config,
            moderation,
            parts.store,
            HostHandle::new(parts.extensions),
            writer_handle,
            readers,
            parts.clock,
            parts.keys,
        ));
        relay.is_serving.store(clients, Ordering::Relaxed);
        let prepared = parts.backup.map(backup::Prepared::new);
        if let Some(prepared) = &prepared {
            // Before anything is written. Nobody else has set it.
            let _ = relay.backup.set(prepared.handle());
        }
        let writer = std::thread::Builder::new().name("writer".into()).spawn({
            let relay = relay.clone();
            move || writer::run(&relay, queue)
        })?;
        let options = HostOptions {
            clock: relay.clock.clone(),
            reserved_methods: http::method_names(),
            reserved_paths: http::own_paths(),
            ..HostOptions::default()
        };
        let core = Arc::new(ForExtensions(relay.clone()));
        let handle = relay.extensions.clone();
        let extensions = ExtensionHost::start(handle, &config.extensions, core, options)
            .await
            .inspect_err(|_| relay.stop_writer())?;
        let backup = prepared.map(|prepared| prepared.start(&relay, keeps));
        Ok(RunningRelay {
            relay,
            extensions,
            writer,
            backup: backup.transpose()?,
        })
    }

    /// The relay's routes for an actix-web application: WebSocket at `/`, and the pages. See [`http::mount`].
    pub fn mount(&self) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
        http::mount(self.relay.clone())
    }

    /// Puts a new configuration in force, extensions first: where one refuses its table, all stays as it was. Keys that
    /// need a restart keep their effect until then.
    pub async fn reconfigure(&mut self, config: Arc<Config>) -> Result<(), ExtensionError> {
        let applied = self.extensions.apply_all(&config.extensions).await?;
        for (name, applied) in &applied {
            tracing::info!(extension = name, "{applied:?}");
        }
        let relay = &self.relay;
        relay
            .limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reconfigure(&config);
        moderator::reconfigure(relay, Some(config));
        Ok(())
    }

    /// Stops in order; everything that was answered OK is stored, and every client is told that the relay goes. Whoever
    /// listens should take no new connections any more; handshakes that come all the same are refused.
    pub async fn stop(self) {
        let until = Instant::now() + STOP_TIME;
        self.relay.stopping.store(true, Ordering::Release);
        self.relay.tell_workers(|| WorkerMessage::StopReading);
        if !self.settle(STOP_TIME / 2).await {
            tracing::error!("the writer did not finish in time; unanswered events are lost");
        }
        self.relay.tell_workers(|| WorkerMessage::Close);
        wait_until(STOP_TIME / 4, || self.relay.connections.open() == 0).await;
        if let Some(backup) = &self.backup {
            backup.ask_for_files();
            let left = until.saturating_duration_since(Instant::now());
            if !wait_until(FILES_TIME.min(left / 2), || backup.has_files()).await {
                tracing::warn!(
                    "what extensions wrote last to their files may not be in the backup"
                );
            }
        }
        // Some time for them, even if the other steps have used it up.
        let left = until.saturating_duration_since(Instant::now()) / 2;
        let left = left.max(Duration::from_millis(500));
        if timeout(left, self.extensions.shutdown()).await.is_err() {
            tracing::error!("the extensions did not stop in time and are left behind");
        }
        // Last, since extensions write until they have stopped.
        self.relay.stop_writer();
        if !wait_until(WRITER_TIME, || self.writer.is_finished()).await {
            tracing::error!("the writer hangs and is left behind");
        }
        if let Some(backup) = &self.backup {
            backup.ask_to_stop();
            let left = until.saturating_duration_since(Instant::now());
            if !wait_until(left.max(BACKUP_TIME), || backup.is_finished()).await {
                tracing::error!("the backup did not end in time; the next start sees to the rest");
            }
        }
    }

    /// Ends as a crash would, but for the writer, which has left the store when it returns.
    #[cfg(feature = "testing")]
    pub(crate) async fn kill(self) {
        self.relay.stopping.store(true, Ordering::Release);
        self.extensions.abandon();
        self.relay.stop_writer();
        if !wait_until(STOP_TIME, || self.writer.is_finished()).await {
            tracing::error!("the writer hangs and is left behind");
        }
    }

    /// Waits until every event that was let in is stored, answered and handed on; says whether it was in time.
    async fn settle(&self, at_most: Duration) -> bool {
        let settled = async {
            let mut quiet_since = Instant::now();
            while quiet_since.elapsed() < QUIET {
                sleep(LOOK_EVERY).await;
                if !self.relay.is_settled() {
                    quiet_since = Instant::now();
                }
            }
        };
        timeout(at_most, settled).await.is_ok()
    }
}

/// Says whether it became true in time.
async fn wait_until(time: Duration, is_true: impl Fn() -> bool) -> bool {
    let waiting = async {
        while !is_true() {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(time, waiting).await.is_ok()
}
