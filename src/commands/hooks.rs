//! Which hooks the extensions of a configuration have: they may depend on a table, so the extensions are built and asked,
//! over an empty store and an empty directory.

use nostr::key::Keys;
use std::collections::BTreeSet;
use std::sync::Arc;
use tempfile::TempDir;
use trellis_relay::clock::SystemClock;
use trellis_relay::config::Config;
use trellis_relay::extension::{Compiled, ExplainedHook};
use trellis_relay::parts::Parts;
use trellis_relay::running::RunningRelay;
use trellis_relay::store::memory::MemoryStore;

/// The extensions that a configuration switches on.
pub(super) struct InForce {
    /// Their names.
    pub(super) on: BTreeSet<String>,
    /// The hooks of all of them, in the order in which they run.
    pub(super) hooks: Vec<ExplainedHook>,
}

/// Starts the extensions over an empty store, asks, and stops them.
pub(super) fn in_force(
    mut config: Config,
    extensions: &'static [Compiled],
) -> anyhow::Result<InForce> {
    // Nothing of what they do is to be found in the relay's own directory.
    let scratch = TempDir::with_prefix("trellis-")?;
    config.data.path = scratch.path().to_owned();
    let parts = Parts {
        config: Arc::new(config),
        store: Arc::new(MemoryStore::default()),
        extensions,
        clock: Arc::new(SystemClock),
        keys: Keys::generate(),
        backup: None,
    };
    actix_rt::System::new().block_on(async {
        let running = RunningRelay::start_without_upkeep(parts).await?;
        let found = InForce {
            on: running.relay.extension_names().into_iter().collect(),
            hooks: running.relay.extensions.explain(),
        };
        running.stop().await;
        Ok(found)
    })
}

/// One hook, for people.
pub(super) fn line(hook: &ExplainedHook) -> String {
    let line = format!(
        "{:<9}{:>4}  {:<20} {:<14} {}",
        hook.phase.as_str(),
        hook.priority,
        hook.extension,
        hook.hook,
        hook.about()
    );
    line.trim_end().to_owned()
}
