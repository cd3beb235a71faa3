//! Logs to stderr, as text for people or JSON for collectors, and where the operator wants it to files that go in time.
//!
//! Invariant: what is logged is decided where it is logged, and nothing there names contents, tokens, signatures or who
//! is behind an address. Here: how a line looks, and that one that repeats does not drown the others.

mod files;
mod json_lines;
mod log_file;
mod repeats;

pub(super) use repeats::tell_suppressed;

use files::Files;
use json_lines::JsonLines;
use repeats::Repeats;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use trellis_relay::clock::Clock;
use trellis_relay::config::{Log, LogFormat};

/// Logging that goes on until the end of this: then what was left out is told.
#[derive(Debug)]
#[must_use]
pub(super) struct Logging {
    /// Written to the end once this is dropped.
    _files: Option<Files>,
}

impl Drop for Logging {
    fn drop(&mut self) {
        repeats::tell_all_suppressed();
    }
}

/// Starts logging as `[log]` says, for a relay that serves: into files, too.
pub(super) fn start_serving(log: &Log, clock: Arc<dyn Clock>) -> anyhow::Result<Logging> {
    let directory = log.directory.as_deref();
    let files = directory.map(|directory| Files::open(directory, log, clock));
    start_with(log, files.transpose()?)
}

/// Starts logging as `[log]` says, to stderr alone.
pub(super) fn start(log: &Log) -> anyhow::Result<Logging> {
    start_with(log, None)
}

fn start_with(log: &Log, files: Option<Files>) -> anyhow::Result<Logging> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| anyhow::anyhow!("log.filter {:?}: {error}", log.filter))?;
    // The server tells of its own start what `serve` says better.
    let filter = match log.filter.contains("actix_server") {
        true => filter,
        false => filter.add_directive("actix_server=warn".parse()?),
    };
    let registry = tracing_subscriber::registry().with(filter).with(Repeats);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        // A line that cannot be written would be told on the same standard error, with a panic where that is closed.
        .log_internal_errors(false);
    match log.format {
        LogFormat::Json => {
            let lines = lines.fmt_fields(JsonFields::new()).event_format(JsonLines);
            let files = files.as_ref().map(Files::layer);
            registry.with(lines).with(files).init();
        }
        LogFormat::Text => {
            let lines = lines.with_ansi(io::stderr().is_terminal());
            let files = files.as_ref().map(Files::layer);
            registry.with(lines).with(files).init();
        }
    }
    Ok(Logging { _files: files })
}
