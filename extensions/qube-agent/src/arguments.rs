//! The command line.

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Acts on a node when a quorum of its network's developers has signed, and reports.
#[derive(Debug, Parser)]
#[command(name = "qube-agent", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Work until stopped.
    Run {
        /// The configuration.
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
        /// Decide and log, and do and report nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Say what is wrong with a configuration, or nothing.
    Check {
        /// The configuration.
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Show what was done here and what is under way.
    Status {
        /// The configuration.
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Make a configuration from the folder of the Go client.
    Migrate {
        /// The Go client's folder, ~/.qube-manager as a rule.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Where to put the new files.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Run a command unless one with this id was begun before: how the agent runs what must not run twice.
    #[command(hide = true)]
    RunOnce {
        /// Where the traces are kept.
        #[arg(long, value_name = "DIR")]
        journal: PathBuf,
        /// Which run.
        #[arg(long)]
        id: String,
        /// After how long it is killed.
        #[arg(long, default_value_t = 120_000)]
        within_ms: u64,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        argv: Vec<String>,
    },
}
