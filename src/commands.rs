//! One file a subcommand; here only the words that select one.

mod config;
mod export;
mod import;
mod logging;
mod run;
mod serve;
mod store;
mod sync;

pub(crate) use run::UnknownCommand;

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use trellis_relay::config::{ConfigError, Loaded, process_environment};
use trellis_relay::extension::{Compiled, ExtensionError};

/// An extensible Nostr relay.
#[derive(Debug, Parser)]
#[command(name = "trellis", version, about, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay.
    #[command(visible_alias = "relay")]
    Serve(serve::Serve),
    /// Read events from JSON lines into the store of a relay that does not run.
    Import(import::Import),
    /// Write stored events as JSON lines.
    Export(export::Export),
    /// Exchange events with another relay, as far as one of the two lacks them.
    Sync(sync::Sync),
    /// Run a command that an extension brings.
    Run(run::Run),
    /// Check or explain a configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
}

impl Arguments {
    pub(crate) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(serve) => serve.run(extensions),
            Command::Import(import) => import.run(extensions),
            Command::Export(export) => export.run(extensions),
            Command::Sync(sync) => sync.run(extensions),
            Command::Run(run) => run.run(extensions),
            Command::Config(config) => config.run(extensions),
        }
    }
}

/// Where the configuration comes from, for every command that needs one.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file; without it, the built-in defaults.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn path(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Loads and checks everything that can be checked without starting, the extensions' tables too.
    fn load(&self, extensions: &'static [Compiled]) -> Result<Loaded, WrongConfig> {
        let loaded = trellis_relay::config::load(self.path(), &process_environment())?;
        trellis_relay::extension::check(extensions, &loaded.config.extensions).map_err(
            |problem| WrongConfig::Extension {
                file: self.path().map(Path::to_owned).unwrap_or_default(),
                problem,
            },
        )?;
        Ok(loaded)
    }
}

/// The configuration does not let the relay start; exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WrongConfig {
    #[error(transparent)]
    Core(#[from] ConfigError),
    #[error("{}: {problem}", file.display())]
    Extension {
        file: PathBuf,
        problem: ExtensionError,
    },
}
