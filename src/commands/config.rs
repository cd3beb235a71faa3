//! `trellis config`: whether a configuration is right, what every key is and why, and what keys there are.

use super::{ConfigFile, WrongConfig, hooks};
use clap::{Args, Subcommand};
use std::io::Write as _;
use trellis_relay::config;
use trellis_relay::extension::Compiled;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say whether the configuration is right.
    Check(ConfigFile),
    /// Show every effective value and where it comes from, with secrets masked.
    Explain(Explain),
    /// Print the JSON Schema of the whole file, with the table of each extension that is compiled in.
    #[command(after_help = "\
Editors that know JSON Schema complete and check the file with it.

Example:
  trellis config schema > trellis.schema.json")]
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long, conflicts_with = "hooks")]
    json: bool,
    /// Also start the enabled extensions, over an empty store, and show the order of their hooks.
    #[arg(long)]
    hooks: bool,
}

impl ConfigCommand {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        match self {
            ConfigCommand::Check(file) => {
                let loaded = file.load(extensions)?;
                loaded.check_durability().map_err(WrongConfig::from)?;
                for note in &loaded.notes {
                    writeln!(out, "note: {note}")?;
                }
                writeln!(out, "the configuration is right")?;
            }
            ConfigCommand::Explain(explain) => {
                let loaded = explain.file.load(extensions)?;
                let explanation = loaded.explain(&[]);
                if explain.json {
                    serde_json::to_writer_pretty(&mut out, &explanation)?;
                    writeln!(out)?;
                } else {
                    write!(out, "{explanation}")?;
                }
                if explain.hooks {
                    let found = hooks::in_force(loaded.config, extensions)?;
                    writeln!(out, "\nhooks, in the order in which they run:")?;
                    for hook in found.hooks {
                        writeln!(out, "  {}", hooks::line(&hook))?;
                    }
                }
            }
            ConfigCommand::Schema => {
                let tables = extensions
                    .iter()
                    .map(|extension| (extension.name().to_owned(), extension.schema()));
                serde_json::to_writer_pretty(&mut out, &config::schema(tables.collect()))?;
                writeln!(out)?;
            }
        }
        Ok(())
    }
}
