//! `trellis run`: commands that extensions bring.
//!
//! On a stopped relay's store the extensions are started as `serve` starts them, but nobody listens and nothing is removed
//! or announced that they do not ask for. A running relay is asked to run the command itself.

use super::job::ask_running_relay;
use super::terminal::Terminal;
use super::{ConfigFile, closed_pipe, logging};
use clap::Args;
use std::io::{self, Write as _};
use std::path::PathBuf;
use trellis_relay::admin::command::{CommandJob, Ran, list};
use trellis_relay::admin::job::{Done, Job};
use trellis_relay::config::Config;
use trellis_relay::extension::{Compiled, Hooks};
use trellis_relay::parts::{Parts, PartsError};
use trellis_relay::running::RunningRelay;
use trellis_relay::store::StoreError;

/// A command, and what it is told.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    file: ConfigFile,
    /// The command; without it, those that the enabled extensions bring are listed.
    name: Option<String>,
    /// Handed to the command as it stands.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// No extension that is on brings this command; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("no extension that is switched on has the command {name:?}\n{known}")]
pub(crate) struct UnknownCommand {
    name: String,
    known: String,
}

impl Run {
    /// A command that was named without `run`; the words are its own but for `-c FILE`.
    pub(super) fn of_words(mut words: Vec<String>) -> Self {
        let config = take_config(&mut words);
        let mut words = words.into_iter();
        Run {
            file: ConfigFile { config },
            name: words.next(),
            arguments: words.collect(),
        }
    }

    /// Whether it says which configuration is meant.
    pub(super) fn names_a_file(&self) -> bool {
        self.file.path().is_some()
    }

    /// Whether any extension is switched on that could bring the command.
    pub(super) fn may_be_known(&self, extensions: &'static [Compiled]) -> anyhow::Result<bool> {
        let tables = self.file.load(extensions)?.config.extensions;
        Ok(tables.values().any(super::job::is_on))
    }

    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let config = self.file.load(extensions)?.config;
        let name = self.name.clone().unwrap_or_default();
        let ran = match Parts::from_config(config.clone(), extensions) {
            Ok(parts) => self.run_here(&config, parts)?,
            Err(PartsError::Store {
                source: in_use @ StoreError::InUse(_),
                ..
            }) => self.run_there(&config, in_use)?,
            Err(error) => return Err(error.into()),
        };
        match ran {
            Ran::Printed(text) => {
                let text = text.trim_end_matches('\n');
                closed_pipe::forgive(writeln!(io::stdout().lock(), "{text}"))
            }
            Ran::Failed(text) => Err(anyhow::Error::msg(text)),
            Ran::Unknown(known) => Err(UnknownCommand { name, known }.into()),
        }
    }

    fn run_here(self, config: &Config, parts: Parts) -> anyhow::Result<Ran> {
        let _logging = logging::start(&config.log)?;
        actix_rt::System::new().block_on(async {
            let running = RunningRelay::start_without_upkeep(parts).await?;
            let ran = self.call(&running.relay.hooks.load()).await;
            running.stop().await;
            Ok(ran)
        })
    }

    fn run_there(self, config: &Config, in_use: StoreError) -> anyhow::Result<Ran> {
        let job = Job::Command(CommandJob {
            name: self.name,
            arguments: self.arguments,
        });
        let mut terminal = Terminal::new(Box::new(io::sink()), "", true)?;
        let input = Box::new(io::empty());
        match ask_running_relay(config, in_use, &job, input, &mut terminal)? {
            Done::Ran(ran) => Ok(ran),
            _ => anyhow::bail!("the running relay answered another question"),
        }
    }

    async fn call(self, hooks: &Hooks) -> Ran {
        let Some(name) = self.name else {
            return Ran::Printed(list(hooks));
        };
        match hooks.call_command(&name, self.arguments) {
            Some(call) => match call.await {
                Ok(text) => Ran::Printed(text),
                Err(text) => Ran::Failed(text),
            },
            None => Ran::Unknown(list(hooks)),
        }
    }
}

/// Takes `-c FILE` or `--config FILE` out of the words, wherever it stands.
fn take_config(words: &mut Vec<String>) -> Option<PathBuf> {
    let at = words
        .iter()
        .position(|word| word == "-c" || word == "--config" || word.starts_with("--config="))?;
    let word = words.remove(at);
    match word.strip_prefix("--config=") {
        Some(path) => Some(path.into()),
        None if at < words.len() => Some(words.remove(at).into()),
        None => None,
    }
}
