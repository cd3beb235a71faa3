//! One file a subcommand; here only the words that select one.

#[cfg(feature = "backup")]
mod backup;
mod bench;
mod check;
mod closed_pipe;
mod compact;
mod config;
mod decisions;
mod delete;
mod doctor;
mod export;
mod extensions;
mod health;
mod hooks;
mod import;
mod interrupt;
mod interruptible;
mod job;
mod logging;
mod output_file;
mod progress;
mod run;
mod serve;
mod sync;
mod terminal;

pub(crate) use run::UnknownCommand;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};
use std::path::{Path, PathBuf};
use trellis_relay::config::{ConfigError, Ephemeral, Loaded, process_environment};
use trellis_relay::extension::{Compiled, ExtensionError};

/// An extensible Nostr relay.
#[derive(Debug, Parser)]
#[command(
    name = "trellis",
    version,
    about,
    arg_required_else_help = true,
    after_help = "\
Commands that work on the database do so whether a relay has it open or not. Exit codes: 0 done, 1 failed, 2 wrong \
arguments or configuration.

Examples:
  trellis serve                                 a relay on 127.0.0.1:8080, data in ./data
  trellis serve -c config/trellis.toml --watch  as the file says, and as it will say
  trellis export -o backup.jsonl                a backup, while the relay runs
  trellis config explain -c FILE                every value and where it comes from"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay.
    #[command(visible_alias = "relay")]
    Serve(serve::Serve),
    /// Ask a running relay how it is.
    Health(health::Health),
    /// Find out whether the relay has what it needs.
    Doctor(doctor::Doctor),
    /// Store events from JSON lines.
    Import(import::Import),
    /// Write stored events as JSON lines.
    Export(export::Export),
    /// Remove the events that a filter names.
    Delete(delete::Delete),
    /// Show the log of enforcement decisions.
    Decisions(decisions::Decisions),
    /// Verify the database.
    Check(check::Check),
    /// Give the disk back what removals have left empty.
    Compact(compact::Compact),
    /// Exchange events with another relay, as far as one of the two lacks them.
    Sync(sync::Sync),
    /// Write, list, verify or restore the copies that the relay makes of everything stored.
    #[cfg(feature = "backup")]
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Run a command that an extension brings.
    Run(run::Run),
    /// Show the extensions that are compiled in.
    #[command(subcommand)]
    Extensions(extensions::ExtensionsCommand),
    /// Check or explain a configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Coordinate a fleet: keys, directives, quorum, reports, genesis files.
    #[cfg(feature = "qube_coordination")]
    Qube(Box<trellis_qube_tools::Qube>),
    /// Measure any relay by its address.
    Bench(bench::Bench),
    /// The command of an extension, as `run` runs it.
    #[command(external_subcommand)]
    OfExtension(Vec<String>),
}

impl Arguments {
    pub(crate) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(serve) => serve.run(extensions),
            Command::Health(health) => health.run(),
            Command::Doctor(doctor) => doctor.run(extensions),
            Command::Import(import) => import.run(extensions),
            Command::Export(export) => export.run(extensions),
            Command::Delete(delete) => delete.run(extensions),
            Command::Decisions(decisions) => decisions.run(extensions),
            Command::Check(check) => check.run(extensions),
            Command::Compact(compact) => compact.run(extensions),
            Command::Sync(sync) => sync.run(extensions),
            #[cfg(feature = "backup")]
            Command::Backup(command) => command.run(extensions),
            Command::Run(run) => run.run(extensions),
            Command::Extensions(command) => closed_pipe::forgive(command.run(extensions)),
            Command::Config(config) => closed_pipe::forgive(config.run(extensions)),
            #[cfg(feature = "qube_coordination")]
            Command::Qube(qube) => closed_pipe::forgive(qube.run()),
            Command::Bench(bench) => bench.run(),
            Command::OfExtension(words) => {
                let run = run::Run::of_words(words);
                match run.may_be_known(extensions)? {
                    true => run.run(extensions),
                    false => Err(unknown_subcommand(&run).into()),
                }
            }
        }
    }
}

/// What the parser says of a word that is no command of ours: it knows what was meant, perhaps.
fn unknown_subcommand(run: &run::Run) -> clap::Error {
    let ours = Arguments::command();
    let strict = clap::Command::new("trellis")
        .subcommand_required(true)
        .subcommands(ours.get_subcommands().cloned());
    let mut error = match strict.try_get_matches_from(std::env::args_os()) {
        Err(error) => error,
        Ok(_) => {
            Arguments::command().error(ErrorKind::InvalidSubcommand, "there is no such command")
        }
    };
    if !run.names_a_file() && error.get(ContextKind::SuggestedSubcommand).is_none() {
        let tip = "the commands of extensions are there with the configuration that switches these on: add -c FILE";
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
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
    #[error(transparent)]
    Ephemeral(#[from] Ephemeral),
    #[error("{}: {problem}", file.display())]
    Extension {
        file: PathBuf,
        problem: ExtensionError,
    },
}

/// What the arguments ask for does not make sense; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongArguments(String);

/// A filter as it is handed to a job, which says what is wrong with its keys.
fn filter_json(text: &str) -> Result<serde_json::Value, String> {
    match serde_json::from_str(text) {
        Ok(json @ serde_json::Value::Object(_)) => Ok(json),
        Ok(_) => Err("a filter is a JSON object, such as {\"kinds\":[1]}".to_owned()),
        Err(error) => Err(format!("a filter is a JSON object: {error}")),
    }
}
