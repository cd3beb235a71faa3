//! The node's side of a fleet: acts when a quorum of developers has signed, and reports.
//!
//! Read [`main`], then `agent` (what runs), `node` (one network: hear, decide, act, record), `action` (the steps of an
//! upgrade and a reboot), `journal` and `run_once` (why nothing happens twice). What signals mean and when to act is not
//! here: `trellis_qube_protocol` decides; connections are `trellis_qube_client`'s.

mod action;
mod agent;
mod arguments;
mod awaited;
mod blocking;
mod clock;
mod config;
mod delivery;
mod download;
mod durable;
mod history;
mod journal;
mod lock;
mod migrate;
mod node;
mod pages;
mod placement;
mod question;
mod report;
mod run_once;
mod runner;
mod secret;
mod status;
mod stop;
mod task;
mod upkeep;
mod votes;
mod watch;

use anyhow::Context as _;
use arguments::{Arguments, Command};
use clap::Parser as _;
use config::Config;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// What is logged where `QUBE_AGENT_LOG` says nothing: the relays' library tells too much of what passes.
const LOG: &str = "info,nostr_relay_pool=warn,actix_server=warn";

/// The program. 0: done; 1: it went wrong, and why is on standard error; 2: it was called wrongly.
pub fn main() -> ExitCode {
    match perform(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            let _nobody_reads = writeln!(io::stderr(), "qube-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run { config, dry_run } => {
            let mut config = Config::load(&config)?;
            config.dry_run |= dry_run;
            log_to_stderr();
            // What TLS connections to relays are made with; others may have set it before.
            let _set = rustls::crypto::ring::default_provider().install_default();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .enable_all()
                .build()?;
            runtime.block_on(agent::run(config))?;
        }
        Command::Check { config } => {
            let config = Config::load(&config)?;
            secret::load(&config.key_file)?;
            download::Downloader::new(&config.download)?;
            let missing = config.missing();
            anyhow::ensure!(missing.is_empty(), "{}", missing.join("\n            "));
            say("good")?;
        }
        Command::Status { config, json } => {
            let config = Config::load(&config)?;
            let status = status::Status::read(&config);
            match json {
                true => say(&serde_json::to_string_pretty(&status)?)?,
                false => say(status.table(clock::Clock::system().now_s()).trim_end())?,
            }
        }
        Command::Migrate { from, to } => {
            say(&migrate::migrate(&from, &to)?.what_is_left_to_do())?;
        }
        Command::RunOnce {
            journal,
            id,
            within_ms,
            argv,
        } => {
            let traces = run_once::Traces::new(&journal, &id);
            let within = Duration::from_millis(within_ms);
            run_once::run(&traces, &argv, within).context("run-once")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Threads for relays, downloads and networks; the pages have one of their own.
const THREADS: usize = 4;

fn say(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        // Who reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("QUBE_AGENT_LOG").unwrap_or_else(|_| EnvFilter::new(LOG));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false);
    // Nothing else in this program sets one.
    let _set = subscriber.try_init();
}
