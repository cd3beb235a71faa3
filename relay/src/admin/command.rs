//! A command that an extension brings, run inside a relay that serves.
//!
//! Ends early, the command too, when the operator or the relay does. What it prints or refuses is the operator's and goes
//! into no log.

use super::console::Console;
use super::job::JobError;
use super::target::Target;
use crate::extension::Hooks;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;

/// Which command, and what it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandJob {
    /// Without a name the commands are listed.
    pub name: Option<String>,
    /// Handed to the command as they stand.
    pub arguments: Vec<String>,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ran {
    /// This is to be printed.
    Printed(String),
    /// It says that it failed, and why.
    Failed(String),
    /// No extension that is on has it; those that there are, one a line.
    Unknown(String),
}

/// How often it is asked whether the command is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(
    target: &dyn Target,
    job: &CommandJob,
    console: &dyn Console,
) -> Result<Ran, JobError> {
    let Some(relay) = target.relay() else {
        return Ok(Ran::Unknown(NONE.to_owned()));
    };
    let hooks = relay.hooks.load();
    let Some(name) = &job.name else {
        return Ok(Ran::Printed(list(&hooks)));
    };
    let Some(call) = hooks.call_command(name, job.arguments.clone()) else {
        return Ok(Ran::Unknown(list(&hooks)));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(JobError::Read)?;
    runtime.block_on(async {
        tokio::pin!(call);
        loop {
            tokio::select! {
                said = &mut call => return Ok(match said {
                    Ok(text) => Ran::Printed(text),
                    Err(text) => Ran::Failed(text),
                }),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if console.is_cancelled() {
                return Err(JobError::Cancelled);
            }
        }
    })
}

const NONE: &str = "no extension that is switched on has commands";

/// The commands of the extensions that are on, one a line.
pub fn list(hooks: &Hooks) -> String {
    let commands = hooks.commands();
    let width = commands.iter().map(|(name, _)| name.len()).max();
    let Some(width) = width else {
        return NONE.to_owned();
    };
    let mut text = "Commands of the extensions that are switched on:".to_owned();
    for (name, about) in commands {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {name:width$}  {about}");
    }
    text
}
