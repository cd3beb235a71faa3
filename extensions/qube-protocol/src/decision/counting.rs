//! Whether one vote counts on one node: what its options ask for, and what of it is not so.

use super::{Facts, Outcome, WaitReason};
use crate::rollout::bucket;
use crate::{ActionState, Condition, Options, Rollout};

/// Why a vote does not count.
pub(super) enum Obstacle {
    /// It may count later.
    Passing {
        reason: WaitReason,
        until: Option<u64>,
    },
    /// It will not while things are as they are.
    Lasting { error: String, is_final: bool },
}

/// The first obstacle, those that last before those that pass.
pub(super) fn obstacle(
    action: &ActionState,
    options: &Options,
    facts: &Facts<'_>,
    now_s: u64,
) -> Option<Obstacle> {
    let too_old = options
        .min_version
        .as_ref()
        .filter(|least| facts.version.is_none_or(|running| running.precedes(least)));
    if let Some(least) = too_old {
        let running = facts
            .version
            .map_or("an unknown version".to_owned(), ToString::to_string);
        let error =
            format!("at least version {least} has to run before this; this node runs {running}");
        return Some(Obstacle::Lasting {
            error,
            is_final: false,
        });
    }
    let mut unmet = options
        .conditions
        .iter()
        .filter_map(|condition| unmet(condition, facts, now_s));
    let lasting = unmet
        .clone()
        .find(|obstacle| matches!(obstacle, Obstacle::Lasting { .. }));
    lasting.or_else(|| unmet.next()).or_else(|| {
        options
            .rollout
            .and_then(|rollout| not_its_turn(action, rollout, facts))
    })
}

fn unmet(condition: &Condition, facts: &Facts<'_>, now_s: u64) -> Option<Obstacle> {
    let until = match condition {
        Condition::After(key) => {
            let done = facts
                .past
                .get(key)
                .is_some_and(|past| past.outcome == Outcome::Done);
            (!done).then_some(None)
        }
        Condition::Height(least) => facts
            .height
            .is_none_or(|height| height < *least)
            .then_some(None),
        Condition::Between { until, .. } if *until <= now_s => {
            let error = format!("the condition `{condition}` cannot be met any more");
            return Some(Obstacle::Lasting {
                error,
                is_final: true,
            });
        }
        Condition::Between { from, .. } => (now_s < *from).then_some(Some(*from)),
    }?;
    let reason = WaitReason::Condition(condition.clone());
    Some(Obstacle::Passing { reason, until })
}

fn not_its_turn(action: &ActionState, rollout: Rollout, facts: &Facts<'_>) -> Option<Obstacle> {
    let Rollout {
        percent,
        min_success_percent: least,
    } = rollout;
    let bucket = bucket(&action.key, facts.node_id);
    let reason = if bucket >= percent {
        WaitReason::Rollout { bucket, percent }
    } else {
        // The first to report nothing yet go ahead.
        let (total, success) = (action.acks.total(), action.acks.success);
        let share = u8::try_from((success * 100).checked_div(total).unwrap_or(100)).unwrap_or(100);
        if share >= least {
            return None;
        }
        WaitReason::Success {
            percent: share,
            least,
        }
    };
    Some(Obstacle::Passing {
        reason,
        until: None,
    })
}
