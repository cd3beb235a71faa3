//! What a node knows of itself when it decides.

use crate::config::Network;
use crate::question::ask;
use std::collections::BTreeMap;
use trellis_qube_protocol::decision::{Facts, Past, agreed};
use trellis_qube_protocol::{ActionKey, ActionState, Condition, NetworkState, Options, Version};

/// Facts, with what they borrow from.
pub(super) struct Known {
    version: Option<Version>,
    height: Option<u64>,
    past: BTreeMap<ActionKey, Past>,
}

impl Known {
    /// Asks the node what only it knows, where the votes that stand need it.
    pub(super) async fn of(
        network: &Network,
        state: &NetworkState,
        past: BTreeMap<ActionKey, Past>,
        installed: Option<Version>,
    ) -> Known {
        let is_new = |action: &ActionState| {
            let past = past.get(&action.key);
            past.is_none_or(|past| action.again && action.quorum_at > Some(past.at_s))
        };
        let something_new = agreed(state).is_some_and(is_new);
        let version = match &network.current_version_command {
            // Where it tells nothing, what was installed here still keeps the node from a downgrade.
            Some(argv) if something_new => version_of(argv).await.or(installed),
            _ => installed.or_else(|| network.current_version.clone()),
        };
        let asks_height = options(state)
            .flat_map(|options| &options.conditions)
            .any(|condition| matches!(condition, Condition::Height(_)));
        let height = match &network.height_command {
            Some(argv) if asks_height && something_new => height_of(argv).await,
            _ => None,
        };
        Known {
            version,
            height,
            past,
        }
    }

    /// As the decision wants them.
    pub(super) fn as_facts<'a>(&'a self, network: &'a Network) -> Facts<'a> {
        let upgrade = network.upgrade.as_ref();
        Facts {
            node_id: &network.node_id,
            version: self.version.as_ref(),
            height: self.height,
            allow_downgrade: upgrade.is_some_and(|upgrade| upgrade.allow_downgrade),
            past: &self.past,
        }
    }
}

/// Whether a decision depends on what other nodes report.
pub(super) fn needs_reports(state: &NetworkState) -> bool {
    options(state).any(|options| options.rollout.is_some())
}

/// What the votes that stand add.
fn options(state: &NetworkState) -> impl Iterator<Item = &Options> {
    let votes = state.actions.iter().flat_map(|action| &action.votes);
    votes.map(|vote| &vote.options)
}

async fn version_of(argv: &[String]) -> Option<Version> {
    let printed = ask(argv).await.map_err(|problem| {
        tracing::warn!(problem, "current_version_command tells no version");
    });
    let printed = printed.ok()?;
    // `node version 1.2.3` is as good as `1.2.3`.
    let version = printed
        .split_whitespace()
        .find_map(|word| word.parse().ok());
    if version.is_none() {
        tracing::warn!("current_version_command printed no version");
    }
    version
}

async fn height_of(argv: &[String]) -> Option<u64> {
    let printed = ask(argv).await.and_then(|text| {
        let number = text.parse();
        number.map_err(|_| "it printed no whole number".to_owned())
    });
    printed
        .map_err(|problem| tracing::warn!(problem, "height_command tells no height"))
        .ok()
}
