//! Runs an operator's job on the store, or in the running relay that has it open.
//!
//! Where extensions are switched on and a job stores or removes events, they are started as `serve` starts them, so that
//! what they refuse and guard is refused and kept on a stopped store as well. What a relay does by itself, such as to
//! remove what is too old, is not started: the job's numbers tell all that happens.

use super::interruptible::Interruptible;
use super::{ConfigFile, WrongArguments, logging, terminal::Terminal};
use anyhow::Context as _;
use std::io::{self, BufRead, Write as _};
use std::sync::{Arc, mpsc};
use trellis_relay::admin::client;
use trellis_relay::admin::database::Database;
use trellis_relay::admin::job::{Done, Job};
use trellis_relay::admin::target::{LiveRelay, StoppedStore, Target};
use trellis_relay::clock::SystemClock;
use trellis_relay::config::Config;
use trellis_relay::extension::Compiled;
use trellis_relay::parts::{self, Parts, PartsError};
use trellis_relay::relay::Relay;
use trellis_relay::relay_key;
use trellis_relay::running::RunningRelay;
use trellis_relay::store::StoreError;
use trellis_relay::store::lmdb::LmdbStore;

/// A job and what it needs here.
pub(super) struct Request<'c> {
    pub(super) config: &'c ConfigFile,
    pub(super) extensions: &'static [Compiled],
    pub(super) job: Job,
    pub(super) input: Box<dyn BufRead + Send>,
    /// Whether a database is made where there is none.
    pub(super) makes_database: bool,
    /// Leaves the extensions out, on a stopped store.
    pub(super) without_extensions: bool,
}

impl<'c> Request<'c> {
    /// A job without input on a database that is there.
    pub(super) fn new(config: &'c ConfigFile, extensions: &'static [Compiled], job: Job) -> Self {
        Request {
            config,
            extensions,
            job,
            input: Box::new(io::empty()),
            makes_database: false,
            without_extensions: false,
        }
    }

    /// Does the job wherever it has to be done.
    pub(super) fn run(self, terminal: &mut Terminal) -> anyhow::Result<Done> {
        self.job
            .validate()
            .map_err(|error| WrongArguments(error.in_full()))?;
        let config = self.config.load(self.extensions)?.config;
        if !self.makes_database {
            want_database(&config)?;
        }
        let done = match parts::open_store(&config) {
            Ok(store) => {
                if let Some(migration) = store.migration() {
                    // A terminal that is gone must not keep the job from being done.
                    let _ = writeln!(io::stderr(), "{migration}");
                }
                self.run_here(config, store, terminal)
            }
            Err(PartsError::Store {
                source: source @ StoreError::InUse(_),
                ..
            }) => self.run_there(&config, source, terminal),
            Err(error) => Err(error.into()),
        };
        terminal.clear();
        let done = done?;
        terminal.finish().context("writing failed")?;
        Ok(done)
    }

    fn run_here(
        mut self,
        config: Config,
        store: LmdbStore,
        terminal: &mut Terminal,
    ) -> anyhow::Result<Done> {
        if self.job.takes_input() {
            self.input = Box::new(Interruptible::new(self.input, terminal.interrupt())?);
        }
        let any_on = config.extensions.values().any(is_on);
        if any_on && self.without_extensions && self.job.shows_events() {
            let words = "--without-extensions: nothing would be left to hide what extensions hide; leave it out, or use \
                         --dir down";
            return Err(WrongArguments(words.to_owned()).into());
        }
        let wants_extensions = self.job.concerns_extensions() && !self.without_extensions;
        if wants_extensions && any_on {
            let _logging = logging::start(&config.log)?;
            let parts = Parts {
                keys: relay_key::load_or_make(&config.data.path)?,
                config: Arc::new(config),
                store: Arc::new(store),
                extensions: self.extensions,
                clock: Arc::new(SystemClock),
                backup: None,
            };
            return beside_relay(parts, |relay| {
                Ok(self.job.run(&LiveRelay(relay), &mut self.input, terminal)?)
            });
        }
        let target: &dyn Target =
            &StoppedStore::new(Arc::new(store), Arc::new(config), Arc::new(SystemClock));
        Ok(self.job.run(target, &mut self.input, terminal)?)
    }

    fn run_there(
        self,
        config: &Config,
        in_use: StoreError,
        terminal: &mut Terminal,
    ) -> anyhow::Result<Done> {
        ask_running_relay(config, in_use, &self.job, self.input, terminal)
    }
}

/// Has the relay that holds the database do a job.
pub(super) fn ask_running_relay(
    config: &Config,
    in_use: StoreError,
    job: &Job,
    input: Box<dyn BufRead + Send>,
    terminal: &mut Terminal,
) -> anyhow::Result<Done> {
    let Some(path) = config.data.admin_socket_path() else {
        return Err(in_use)
            .context("data.admin_socket is \"\", so a running relay cannot be reached");
    };
    let data_path = &config.data.path;
    let database = Database::of(data_path)
        .with_context(|| format!("cannot look into {}", data_path.display()))?;
    Ok(client::run(&path, database, job, input, terminal)?)
}

/// A mistyped path must not make an empty database and call the job done.
fn want_database(config: &Config) -> anyhow::Result<()> {
    let path = &config.data.path;
    anyhow::ensure!(
        path.join("data.mdb").is_file(),
        "there is no database in {}, the directory that data.path names",
        path.display()
    );
    Ok(())
}

/// A table switches its extension on unless it says otherwise.
pub(super) fn is_on(table: &toml::Table) -> bool {
    table.get("enabled").and_then(toml::Value::as_bool) != Some(false)
}

/// Starts a relay that neither listens nor does anything by itself, works beside it on this thread, and stops it.
fn beside_relay<T>(
    parts: Parts,
    work: impl FnOnce(Arc<Relay>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (tell, told) = mpsc::channel();
    let (done, is_done) = tokio::sync::oneshot::channel::<()>();
    let relay = std::thread::Builder::new()
        .name("relay".into())
        .spawn(move || {
            actix_rt::System::new().block_on(async {
                let running = match RunningRelay::start_without_upkeep(parts).await {
                    Ok(running) => running,
                    Err(error) => return drop(tell.send(Err(error))),
                };
                let sent = tell.send(Ok(running.relay.clone()));
                if sent.is_ok() {
                    // Dropping the sender says the same as sending.
                    let _ = is_done.await;
                }
                running.stop().await;
            });
        })?;
    let result = told
        .recv()
        .context("the extensions could not be started")?
        .context("leave them out with --without-extensions, or put them right")
        .and_then(work);
    drop(done);
    if relay.join().is_err() {
        anyhow::bail!("the relay that the extensions need has failed");
    }
    result
}
