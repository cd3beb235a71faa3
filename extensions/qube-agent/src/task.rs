//! An action that this node has begun: what the journal needs to go on with it after a crash.

use serde::{Deserialize, Serialize};
use trellis_qube_protocol::{ActionKey, ActionState, Digest, Directive, Pubkey};

/// What was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// Names it everywhere.
    pub(crate) key: ActionKey,
    /// What is to be done.
    pub(crate) directive: Directive,
    /// Whose vote for it is reported on: of those that stand the earliest.
    pub(crate) developer: Pubkey,
    /// When. Unix seconds; developers may come back to an action, which is another task then.
    pub(crate) decided_at: u64,
    /// What the genesis of a reboot has to hash to, if the votes say so.
    pub(crate) genesis_hash: Option<Digest>,
}

impl Task {
    /// Of an action with votes; none without any.
    pub(crate) fn of(
        action: &ActionState,
        genesis_hash: Option<Digest>,
        decided_at: u64,
    ) -> Option<Task> {
        let earliest = action
            .votes
            .iter()
            .min_by_key(|vote| (vote.created_at, vote.developer));
        let developer = match earliest {
            Some(vote) => vote.developer,
            None => *action.ever_voted.first()?,
        };
        Some(Task {
            key: action.key,
            directive: action.directive.clone(),
            developer,
            decided_at,
            genesis_hash,
        })
    }

    /// How it is called in logs.
    pub(crate) fn name(&self) -> String {
        let (kind, version) = (self.directive.action.kind(), &self.directive.version);
        format!("{kind} {version} ({})", self.key.short())
    }
}
