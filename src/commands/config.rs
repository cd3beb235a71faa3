//! `trellis config`: whether a configuration is right, and what every key is and why.

use super::ConfigFile;
use clap::{Args, Subcommand};
use std::io::Write as _;
use trellis_relay::extension::Compiled;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say whether the configuration is right.
    Check(ConfigFile),
    /// Show every effective value and where it comes from, with secrets masked.
    Explain(Explain),
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ConfigCommand {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        match self {
            ConfigCommand::Check(file) => {
                let loaded = file.load(extensions)?;
                for note in &loaded.notes {
                    writeln!(out, "note: {note}")?;
                }
                writeln!(out, "the configuration is right")?;
            }
            ConfigCommand::Explain(explain) => {
                let explanation = explain.file.load(extensions)?.explain(&[]);
                if explain.json {
                    serde_json::to_writer_pretty(&mut out, &explanation)?;
                    writeln!(out)?;
                } else {
                    write!(out, "{explanation}")?;
                }
            }
        }
        Ok(())
    }
}
