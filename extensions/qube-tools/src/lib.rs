//! The commands of `trellis qube`: for the developers and operators of a fleet.
//!
//! Nothing here trusts the relay it asks: events are verified, and states are computed from them by
//! `trellis_qube_protocol`, as relays and agents do. No secret key or passphrase is printed or logged.
//! `docs/extensions/qube-tools.md` explains the commands.

mod bech32;
mod commands;
mod keyfile;
mod out;
mod passphrase;
mod reader;
mod reading;
mod rest;
mod settings;
mod signing;
mod span;
mod table;
#[cfg(test)]
mod tests;

use commands::Command;

/// `trellis qube`.
#[derive(Debug, clap::Args)]
pub struct Qube {
    #[command(subcommand)]
    command: Command,
}

/// What the arguments or a configuration ask for does not make sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misuse(pub(crate) String);

/// The answer is no: a history that is not sound, a fleet that is not well. It was printed already.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unwell(pub(crate) String);

impl Qube {
    /// Does what the arguments say. Results go to stdout, progress to stderr.
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let result = runtime.block_on(self.command.run());
        runtime.shutdown_background();
        result
    }
}
