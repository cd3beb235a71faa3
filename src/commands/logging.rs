//! Logs to stderr, as text for people or JSON for collectors.
//!
//! Invariant: what is logged is decided where it is logged, and nothing there names contents, tokens, signatures or who
//! is behind an address. Here: how a line looks, and that one that repeats does not drown the others.

mod json_lines;
mod repeats;

pub(super) use repeats::tell_suppressed;

use json_lines::JsonLines;
use repeats::Repeats;
use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use trellis_relay::config::{Log, LogFormat};

/// Logging that goes on until the end of this: then what was left out is told.
#[derive(Debug)]
#[must_use]
pub(super) struct Logging(());

impl Drop for Logging {
    fn drop(&mut self) {
        repeats::tell_all_suppressed();
    }
}

/// Starts logging as `[log]` says.
pub(super) fn start(log: &Log) -> anyhow::Result<Logging> {
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
            registry.with(lines).init();
        }
        LogFormat::Text => {
            let lines = lines.with_ansi(io::stderr().is_terminal());
            registry.with(lines).init();
        }
    }
    Ok(Logging(()))
}
