//! The part of a relay that needs no socket: store, writer, readers and extensions.
//!
//! Invariant: extensions are built after the writer and stopped before it, so that they can read, write and publish from
//! `build` to `shutdown`.

use super::{Parts, StartError};
use crate::extension::{ExtensionHost, HostHandle, HostOptions};
use crate::readers::Readers;
use crate::relay::{ForExtensions, Relay};
use crate::writer::{self, Writer};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// A relay that does not listen. Its methods want a tokio runtime.
#[derive(Debug)]
pub struct Engine {
    /// What all threads share.
    pub relay: Arc<Relay>,
    pub(super) extensions: ExtensionHost,
    writer: JoinHandle<()>,
}

/// How often something is looked at that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// When nothing was under way for so long, nothing will be.
const QUIET: Duration = Duration::from_millis(100);
/// How long the writer may take for what is left once the extensions are gone.
const WRITER_TIME: Duration = Duration::from_secs(1);

impl Engine {
    /// Starts the threads, then the extensions.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let config = parts.config.clone();
        let (writer, queue) = Writer::new();
        let readers = Readers::start(config.thread.reader_threads())?;
        let relay = Arc::new(Relay::new(
            parts.config,
            parts.store,
            HostHandle::new(parts.extensions),
            writer,
            readers,
            parts.clock,
            parts.keys,
        ));
        let writer = std::thread::Builder::new().name("writer".into()).spawn({
            let relay = relay.clone();
            move || writer::run(&relay, queue)
        })?;
        let options = HostOptions {
            clock: relay.clock.clone(),
            ..HostOptions::default()
        };
        let core = Arc::new(ForExtensions(relay.clone()));
        let handle = relay.extensions.clone();
        let extensions = ExtensionHost::start(handle, &config.extensions, core, options).await?;
        Ok(Engine {
            relay,
            extensions,
            writer,
        })
    }

    /// Waits until every event that was let in is stored, answered and handed on.
    pub(super) async fn settle(&self, at_most: Duration) {
        let settled = async {
            let mut quiet_since = Instant::now();
            while quiet_since.elapsed() < QUIET {
                sleep(LOOK_EVERY).await;
                if !self.relay.is_settled() {
                    quiet_since = Instant::now();
                }
            }
        };
        if timeout(at_most, settled).await.is_err() {
            tracing::error!("the writer did not finish in time; unanswered events are lost");
        }
    }

    /// Stops the extensions, then the writer.
    pub async fn stop(self) {
        self.stop_within(super::STOP_TIME).await;
    }

    pub(super) async fn stop_within(self, at_most: Duration) {
        if timeout(at_most, self.extensions.shutdown()).await.is_err() {
            tracing::error!("the extensions did not stop in time and are left behind");
        }
        self.relay.stop_writer();
        let ended = async {
            while !self.writer.is_finished() {
                sleep(LOOK_EVERY).await;
            }
        };
        if timeout(WRITER_TIME, ended).await.is_err() {
            tracing::error!("the writer hangs and is left behind");
        }
    }
}
