//! `trellis run`: commands that extensions bring.
//!
//! The extensions are started over the store as `serve` starts them, but nobody listens and nothing is removed or
//! announced that they do not ask for. The relay must not run meanwhile.

use super::{ConfigFile, closed_pipe, logging};
use clap::Args;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use trellis_relay::extension::{Compiled, Hooks};
use trellis_relay::parts::Parts;
use trellis_relay::running::RunningRelay;

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
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let loaded = self.file.load(extensions)?;
        let _logging = logging::start(&loaded.config.log)?;
        let parts = Parts::from_config(loaded.config, extensions)?;
        actix_rt::System::new().block_on(async {
            let running = RunningRelay::start_without_upkeep(parts).await?;
            let printed = self.call(&running.relay.hooks.load()).await;
            running.stop().await;
            let printed = printed?;
            let text = printed.trim_end_matches('\n');
            closed_pipe::forgive(writeln!(io::stdout().lock(), "{text}"))
        })
    }

    /// What is to be printed.
    async fn call(self, hooks: &Hooks) -> anyhow::Result<String> {
        let Some(name) = self.name else {
            return Ok(list(hooks));
        };
        match hooks.call_command(&name, self.arguments) {
            Some(call) => call.await.map_err(anyhow::Error::msg),
            None => Err(UnknownCommand {
                name,
                known: list(hooks),
            }
            .into()),
        }
    }
}

fn list(hooks: &Hooks) -> String {
    let commands = hooks.commands();
    let width = commands.iter().map(|(name, _)| name.len()).max();
    let Some(width) = width else {
        return "no extension that is switched on has commands".to_owned();
    };
    let mut text = "Commands of the extensions that are switched on:".to_owned();
    for (name, about) in commands {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {name:width$}  {about}");
    }
    text
}
