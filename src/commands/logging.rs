//! Logs to stderr, as text for people or JSON for collectors.

use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;
use trellis_relay::config::{Log, LogFormat};

/// Starts logging as `[log]` says.
pub(super) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| anyhow::anyhow!("log.filter {:?}: {error}", log.filter))?;
    // The server tells of its own start what `serve` says better.
    let filter = match log.filter.contains("actix_server") {
        true => filter,
        false => filter.add_directive("actix_server=warn".parse()?),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    match log.format {
        LogFormat::Json => lines.json().init(),
        LogFormat::Text => lines.init(),
    }
    Ok(())
}
