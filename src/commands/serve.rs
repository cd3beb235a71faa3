//! `trellis serve`: runs the relay until it is told to stop.

use super::{ConfigFile, WrongConfig, logging};
use anyhow::Context as _;
use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use trellis_relay::clock::SystemClock;
use trellis_relay::config::Loaded;
use trellis_relay::extension::Compiled;
use trellis_relay::parts::Parts;
use trellis_relay::reload;
use trellis_relay::server::Server;

/// How soon the death of the writer thread is noticed, and lines that were left out are told.
const WRITER_LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Take over changes of the configuration file while running.
    #[arg(long)]
    watch: bool,
}

impl Serve {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        // Watched before it is read, so that no change falls between.
        let changes: BoxStream<'static, ()> = match self.file.path() {
            Some(path) if self.watch => {
                reload::watch(path.to_owned(), reload::WATCH_INTERVAL).boxed()
            }
            _ => stream::pending().boxed(),
        };
        let loaded = self.file.load(extensions)?;
        loaded.check_durability().map_err(WrongConfig::from)?;
        let _logging = logging::start_serving(&loaded.config.log, Arc::new(SystemClock))?;
        for note in &loaded.notes {
            tracing::info!("{note}");
        }
        raise_open_files();
        trellis_relay::http::install_recorder();
        let parts = Parts::from_config(loaded.config.clone(), extensions)?;
        actix_rt::System::new().block_on(async {
            // Before anybody can know that we are here: a signal that nobody waits for ends the process.
            let mut signals = Signals::listen()?;
            let server = tokio::select! {
                started = Server::start(parts) => started?,
                () = signals.stop() => {
                    tracing::info!("stopped before the start was done");
                    return Ok(());
                }
            };
            tracing::info!("listening on http://{}", server.address);
            self.attend(server, signals, loaded, changes).await
        })
    }

    /// Reloads and stops as the operator asks.
    async fn attend(
        &self,
        mut server: Server,
        mut signals: Signals,
        mut loaded: Loaded,
        mut changes: BoxStream<'static, ()>,
    ) -> anyhow::Result<()> {
        let mut looks = tokio::time::interval(WRITER_LOOK);
        loop {
            tokio::select! {
                what = signals.next() => match what {
                    Asked::ToStop => break,
                    Asked::ToReload => {}
                },
                Some(()) = changes.next() => {}
                _ = looks.tick() => {
                    logging::tell_suppressed();
                    // Whoever supervises the process starts it again, and clients learn by the end of their connections.
                    anyhow::ensure!(
                        !server.running.relay.writer.is_dead(),
                        "the writer thread died; nothing can be stored, so the relay ends"
                    );
                    continue;
                }
            }
            // An extension that is long in the building does not keep the relay from stopping.
            tokio::select! {
                () = signals.stop() => break,
                () = self.reload(&mut server, &mut loaded) => {}
            }
        }
        tracing::info!("stopping");
        server.stop().await;
        tracing::info!("stopped");
        Ok(())
    }

    /// A configuration that is wrong changes nothing and says so.
    async fn reload(&self, server: &mut Server, loaded: &mut Loaded) {
        let new = match self.file.load(server.running.relay.extensions.compiled()) {
            Ok(new) => new,
            Err(error) => {
                let error = anyhow::Error::from(error);
                tracing::error!("the old configuration stays in force: {error:#}");
                return;
            }
        };
        let changes = reload::changes(loaded, &new);
        if changes.is_empty() && reload::changed_extensions(loaded, &new).is_empty() {
            tracing::info!("the configuration has not changed");
            return;
        }
        if let Err(error) = server
            .running
            .reconfigure(Arc::new(new.config.clone()))
            .await
        {
            tracing::error!("the old configuration stays in force: {error}");
            return;
        }
        for change in changes {
            if change.needs_restart {
                tracing::warn!(
                    key = change.key,
                    "changed, but takes effect only after a restart"
                );
            } else {
                tracing::info!(key = change.key, "changed");
            }
        }
        *loaded = new;
        tracing::info!("the new configuration is in force");
    }
}

/// What operators tell a process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

enum Asked {
    ToStop,
    ToReload,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).context("SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("SIGINT")?,
            hangup: signal(SignalKind::hangup()).context("SIGHUP")?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::ToStop,
            _ = self.interrupt.recv() => Asked::ToStop,
            _ = self.hangup.recv() => Asked::ToReload,
        }
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A connection is an open file, and the usual soft limit is 1,024.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
