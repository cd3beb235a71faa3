//! `trellis qube rollback`

use crate::out::{json, line, progress};
use crate::reading::{connect, ledger, state};
use crate::settings::{Common, misuse};
use crate::signing::{KeyArguments, asked_for, is_same_reboot, publish, show, sign};
use crate::span::{Moment, moment, now_s, span};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use trellis_qube_protocol::{Action, ActionState, Directive, NetworkState, Options};

#[derive(Debug, clap::Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    key: KeyArguments,
    /// The action to go back to, by the beginning of its key; without it the newest older one of the same kind that most nodes
    /// have done.
    #[arg(value_name = "KEY")]
    to: Option<String>,
    /// For a reboot: when all nodes begin anew, in Unix seconds, as the developer who signed first says it; or +30m.
    #[arg(long, value_name = "MOMENT", value_parser = moment, conflicts_with = "within")]
    required_by: Option<Moment>,
    /// For a reboot: in how long all nodes begin anew.
    #[arg(long, value_name = "SPAN", default_value = "30m", value_parser = span)]
    within: Duration,
    /// Show what would be signed, and publish nothing.
    #[arg(long)]
    dry_run: bool,
    /// Publish although votes for the version, or for the genesis of a reboot, name different hashes.
    #[arg(long)]
    despite_conflict: bool,
}

impl Rollback {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.common.settle()?;
        let network = settings.network()?.clone();
        let keys = self.key.keys(&settings)?;
        let relays = connect(&settings, Some(&keys)).await?;
        let mut ledger = ledger(&settings, &relays).await?;
        let now_s = now_s();
        let state = state(&ledger, &network.id).ok_or_else(|| misuse("no such network"))?;
        let before = match &self.to {
            Some(begin) => named(&state, begin)?,
            None => left_last(&state)?,
        };
        let required_by = match self.required_by {
            Some(required_by) => required_by,
            None => Moment::In(self.within.as_secs()),
        };
        let directive = way_back(before, required_by.at_s(now_s));
        let words = words_back(before, &directive);
        let left_out = left_out(before);
        let signed = sign(&mut ledger, &network, &directive, &keys, now_s)?;
        if let Some(left_out) = left_out {
            progress(left_out);
        }
        if !settings.json {
            show(&signed.preview)?;
        }
        let delivered = match self.dry_run {
            true => {
                progress("dry run: nothing was published");
                Vec::new()
            }
            false => {
                signed.preview.check_conflict(self.despite_conflict)?;
                signed.preview.check_time()?;
                signed.preview.check_deadline(required_by)?;
                publish(&settings, &relays, &signed.event).await?
            }
        };
        relays.shut_down().await;
        if settings.json {
            return json(
                &json!({"preview": signed.preview, "relays": delivered, "published": !self.dry_run}),
            );
        }
        match signed.preview.votes.len() < network.quorum {
            true => line(format_args!("others have to sign the same: {words}")),
            false => line("the quorum is there: nodes whose operators allow downgrades go back"),
        }
    }
}

/// The one action that was agreed on whose key begins so.
fn named<'a>(state: &'a NetworkState, begin: &str) -> anyhow::Result<&'a ActionState> {
    let agreed = |action: &&ActionState| action.quorum_at.is_some();
    let matching = |action: &&ActionState| action.key.to_string().starts_with(begin);
    let found: Vec<&ActionState> = state
        .actions
        .iter()
        .filter(agreed)
        .filter(matching)
        .collect();
    let list = |actions: &mut dyn Iterator<Item = &ActionState>| {
        actions.map(candidate).collect::<Vec<_>>().join(", ")
    };
    match found[..] {
        [one] if state.current != Some(one.key) || one.directive.action == Action::Upgrade => {
            Ok(one)
        }
        [one] => Err(misuse(format!(
            "{} is the reboot that was agreed on last: to go back to it would be to do it again",
            one.key.short()
        ))),
        [] => Err(misuse(format!(
            "{begin:?} begins the key of no action that was agreed on; there are: {}. --api URL adds what was replaced",
            list(&mut state.actions.iter().filter(agreed))
        ))),
        _ => Err(misuse(format!(
            "{begin:?} begins the keys of several actions: {}",
            list(&mut found.iter().copied())
        ))),
    }
}

/// An action, and how it went on the nodes.
fn candidate(action: &ActionState) -> String {
    let directive = &action.directive;
    let (kind, version) = (directive.action.kind(), directive.version.tagged());
    let (done, failed) = (action.acks.success, action.acks.failure);
    format!(
        "{} ({kind} {version}, {done} done, {failed} failed)",
        action.key.short()
    )
}

/// The newest older action of the current one's kind that most nodes have done, where that is surely the way back: nothing
/// newer, and nothing that was only agreed on.
pub(crate) fn left_last(state: &NetworkState) -> anyhow::Result<&ActionState> {
    let nothing =
        || misuse("nothing to go back to is known: --api URL adds what was replaced on the relays");
    let current = state.current_action().ok_or_else(nothing)?;
    let kind = current.directive.action.kind();
    let mut earlier: Vec<&ActionState> = state
        .actions
        .iter()
        .filter(|action| action.key != current.key && action.quorum_at.is_some())
        .filter(|action| action.directive.action.kind() == kind)
        .collect();
    earlier.sort_by_key(|action| std::cmp::Reverse((action.quorum_at, action.key)));
    if earlier.is_empty() {
        return Err(nothing());
    }
    if is_way_back(state, current) {
        return Err(misuse(format!(
            "what was agreed on last, {}, is a way back itself: name the action that is meant by its KEY",
            current.key
        )));
    }
    let done = earlier.iter().copied().find(|action| was_done(action));
    match done {
        Some(before) if is_older(before, current) => Ok(before),
        Some(before) => Err(misuse(format!(
            "what nodes did before, {}, is {}, which is not older than {}: name the action that is meant by its KEY",
            before.key,
            before.directive.version.tagged(),
            current.directive.version.tagged()
        ))),
        None => {
            let candidates = earlier.into_iter().map(candidate).collect::<Vec<_>>();
            Err(misuse(format!(
                "nothing that was agreed on before is known to be done by most nodes: name the action that is meant by its \
                 KEY. There are: {}",
                candidates.join(", ")
            )))
        }
    }
}

/// Whether more than half of the nodes have done it, by their reports.
fn was_done(action: &ActionState) -> bool {
    action.acks.success > action.acks.failure && 2 * action.acks.success > action.expected
}

/// What a way back does not take over from the votes for the action, in words.
pub(crate) fn left_out(action: &ActionState) -> Option<String> {
    let mut left_out = BTreeSet::new();
    let options = action.votes.iter().map(|vote| &vote.options);
    for options in options.chain([&action.directive.options]) {
        left_out.extend(asked_for(options));
    }
    let left_out = left_out.into_iter().collect::<Vec<_>>().join("; ");
    (!left_out.is_empty()).then(|| {
        format!("not carried over from the votes for it: {left_out}. The way back is for all nodes at once")
    })
}

/// Whether the fleet has gone back to this one already. A reboot that is repeated has a deadline, and so a key, of its own.
fn is_way_back(state: &NetworkState, current: &ActionState) -> bool {
    let repeats = |earlier: &ActionState| {
        earlier.key != current.key
            && earlier.quorum_at.is_some()
            && is_same_reboot(&earlier.directive, &current.directive)
    };
    current.again || state.actions.iter().any(repeats)
}

fn is_older(before: &ActionState, current: &ActionState) -> bool {
    let (before, current) = (&before.directive, &current.directive);
    match before.action {
        Action::Upgrade => before.version < current.version,
        Action::Reboot { .. } => before.version <= current.version,
    }
}

/// What another developer types to sign the same way back.
pub(crate) fn words_back(to: &ActionState, directive: &Directive) -> String {
    let (key, network) = (to.key.short(), &directive.network);
    let words = format!("trellis qube rollback {key} --network {network}");
    match directive.action.required_by() {
        Some(required_by) => format!("{words} --required-by {required_by}"),
        None => words,
    }
}

/// The directive that leads back to an action. A reboot gets a new deadline.
pub(crate) fn way_back(action: &ActionState, required_by: u64) -> Directive {
    let before = &action.directive;
    let kind = match &before.action {
        Action::Upgrade => Action::Upgrade,
        Action::Reboot { genesis_url, .. } => Action::Reboot {
            genesis_url: genesis_url.clone(),
            required_by,
        },
    };
    Directive {
        action: kind,
        options: Options {
            genesis_hash: action.genesis_hash,
            ..Options::default()
        },
        ..before.clone()
    }
}
