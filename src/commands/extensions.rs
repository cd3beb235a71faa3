//! `trellis extensions`: what is compiled in, what is on, what each extension hooks into, and a new one (`new`).

mod new;

use super::{ConfigFile, hooks};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use trellis_relay::extension::{Compiled, ExplainedHook};

#[derive(Debug, Subcommand)]
pub(super) enum ExtensionsCommand {
    /// List what is compiled in: whether it is on, its version, and its hooks in the order in which they run.
    #[command(after_help = "\
The hooks of an extension may depend on its table, so those that are switched on are started for a moment, over an empty \
store.

Examples:
  trellis extensions list -c config/trellis.toml
  trellis extensions list --json | jq -r '.[] | select(.on) | .name'")]
    List(List),
    /// Write the crate of a new extension: hooks, a route, metrics, tests, and a relay to run it in.
    #[command(after_help = "\
Example:
  trellis extensions new short_notes && cd short_notes && cargo test")]
    New(new::New),
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ExtensionsCommand {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        match self {
            ExtensionsCommand::List(list) => list.run(extensions),
            ExtensionsCommand::New(new) => new.run(),
        }
    }
}

impl List {
    fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let loaded = self.file.load(extensions)?;
        let hooks = hooks::in_force(loaded.config, extensions)?;
        let listed: Vec<Listed<'_>> = extensions
            .iter()
            .map(|extension| Listed::of(extension, &hooks))
            .collect();
        let mut out = std::io::stdout().lock();
        if self.json {
            let listed: Vec<Value> = listed.iter().map(Listed::json).collect();
            serde_json::to_writer_pretty(&mut out, &listed)?;
            writeln!(out)?;
        } else if listed.is_empty() {
            writeln!(out, "no extension is compiled in")?;
        } else {
            for extension in listed {
                write!(out, "{}", extension.text())?;
            }
        }
        Ok(())
    }
}

/// One extension and, where it is on, its hooks in order.
struct Listed<'h> {
    name: &'static str,
    version: &'static str,
    hooks: Option<Vec<&'h ExplainedHook>>,
}

impl<'h> Listed<'h> {
    fn of(extension: &Compiled, hooks: &'h hooks::InForce) -> Self {
        let name = extension.name();
        let own = || hooks.hooks.iter().filter(|hook| hook.extension == name);
        Listed {
            name,
            version: extension.version(),
            hooks: hooks.on.contains(name).then(|| own().collect()),
        }
    }

    fn text(&self) -> String {
        let state = match self.hooks {
            Some(_) => "on",
            None => "off",
        };
        let mut text = format!("{} {} ({state})\n", self.name, self.version).replace("  ", " ");
        for hook in self.hooks.iter().flatten() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", hooks::line(hook));
        }
        text
    }

    fn json(&self) -> Value {
        let hooks = self.hooks.iter().flatten().map(|hook| {
            json!({
                "hook": hook.hook,
                "phase": hook.phase.as_str(),
                "priority": hook.priority,
                "kinds": hook.kinds.as_ref().map(ToString::to_string),
                "target": hook.target,
                "label": hook.label,
            })
        });
        json!({
            "name": self.name,
            "version": self.version,
            "on": self.hooks.is_some(),
            "hooks": hooks.collect::<Vec<_>>(),
        })
    }
}
