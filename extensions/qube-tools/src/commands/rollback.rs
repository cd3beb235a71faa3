//! `trellis qube rollback`

use crate::out::{json, line, progress};
use crate::reading::{connect, ledger, state};
use crate::settings::{Common, misuse};
use crate::signing::{KeyArguments, publish, show, sign};
use crate::span::{now_s, span};
use serde_json::json;
use std::time::Duration;
use trellis_qube_protocol::{Action, ActionState, Directive, NetworkState, Options};

#[derive(Debug, clap::Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    key: KeyArguments,
    /// The action to go back to, by the beginning of its key; without it the one of the same kind that was agreed on before
    /// the current one.
    #[arg(value_name = "KEY")]
    to: Option<String>,
    /// For a reboot: in how long all nodes begin anew.
    #[arg(long, value_name = "SPAN", default_value = "30m", value_parser = span)]
    within: Duration,
    /// Show what would be signed, and publish nothing.
    #[arg(long)]
    dry_run: bool,
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
            Some(begin) => state
                .actions
                .iter()
                .find(|action| action.key.to_string().starts_with(begin)),
            None => before_current(&state),
        };
        let before = before.ok_or_else(|| {
            misuse("nothing to go back to is known: --api URL adds what was replaced on the relays")
        })?;
        let directive = way_back(before, now_s.saturating_add(self.within.as_secs()));
        let signed = sign(&mut ledger, &network, &directive, &keys, now_s)?;
        if !settings.json {
            show(&signed.preview)?;
        }
        let delivered = match self.dry_run {
            true => {
                progress("dry run: nothing was published");
                Vec::new()
            }
            false => publish(&settings, &relays, &signed.event).await?,
        };
        relays.shut_down().await;
        if settings.json {
            return json(
                &json!({"preview": signed.preview, "relays": delivered, "published": !self.dry_run}),
            );
        }
        match signed.preview.votes.len() < network.quorum {
            true => line("others have to sign the same: it is a vote like any other"),
            false => line("the quorum is there: nodes whose operators allow downgrades go back"),
        }
    }
}

/// The action of the current one's kind that reached its quorum before it and did not fail everywhere.
pub(crate) fn before_current(state: &NetworkState) -> Option<&ActionState> {
    let current = state.current_action()?;
    let kind = current.directive.action.kind();
    let earlier = state.actions.iter().filter(|action| {
        action.key != current.key
            && action.directive.action.kind() == kind
            && action.quorum_at.is_some()
            && (action.acks.failure == 0 || action.acks.success > 0)
    });
    earlier.max_by_key(|action| (action.quorum_at, action.key))
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
