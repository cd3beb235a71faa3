//! `trellis config`: whether a configuration is right, and what every key is and why.

use super::ConfigFile;
use clap::{Args, Subcommand};
use nostr::key::Keys;
use std::io::Write as _;
use std::sync::Arc;
use trellis_relay::clock::SystemClock;
use trellis_relay::config::Config;
use trellis_relay::extension::{Compiled, ExplainedHook};
use trellis_relay::parts::Parts;
use trellis_relay::running::RunningRelay;
use trellis_relay::store::memory::MemoryStore;

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
                    let hooks = order_of_hooks(loaded.config, extensions)?;
                    writeln!(out, "\nhooks, in the order in which they run:")?;
                    for hook in hooks {
                        writeln!(out, "  {}", line(&hook))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Which hooks an extension has may depend on its table, so it has to be built to be asked.
fn order_of_hooks(
    config: Config,
    extensions: &'static [Compiled],
) -> anyhow::Result<Vec<ExplainedHook>> {
    let parts = Parts {
        config: Arc::new(config),
        store: Arc::new(MemoryStore::default()),
        extensions,
        clock: Arc::new(SystemClock),
        keys: Keys::generate(),
    };
    actix_rt::System::new().block_on(async {
        let running = RunningRelay::start(parts).await?;
        let hooks = running.relay.extensions.explain();
        running.stop().await;
        Ok(hooks)
    })
}

fn line(hook: &ExplainedHook) -> String {
    let about = match (&hook.kinds, &hook.target) {
        (Some(kinds), _) => format!("kinds {kinds}"),
        (None, Some(target)) => target.clone(),
        (None, None) => String::new(),
    };
    let line = format!(
        "{:<9}{:>4}  {:<20} {:<14} {about}",
        hook.phase.as_str(),
        hook.priority,
        hook.extension,
        hook.hook
    );
    line.trim_end().to_owned()
}
