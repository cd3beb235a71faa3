//! `trellis qube launch`

use super::rollback::{left_last, left_out, way_back, words_back};
use super::signal::{Genesis, What};
use super::watch::Watch;
use crate::out::{json, line, progress};
use crate::reading::{connect, ledger, state};
use crate::settings::{Common, Settings, misuse};
use crate::signing::{KeyArguments, publish, show, sign};
use crate::span::{Moment, moment, now_s, span};
use crate::{Unwell, rest};
use anyhow::Context as _;
use nostr::key::Keys;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use trellis_qube_client::Relays;
use trellis_qube_protocol::{
    Action, ActionKey, ActionState, ActionStatus, Digest, Directive, Ledger, Network, Pubkey,
    Signal,
};
use url::Url;

#[derive(Debug, clap::Args)]
pub(crate) struct Launch {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    key: KeyArguments,
    #[command(flatten)]
    what: What,
    /// Where nodes fetch the genesis: makes it a reboot.
    #[arg(long, value_name = "URL", requires = "required_by")]
    genesis_url: Option<Url>,
    /// When all nodes begin anew: Unix seconds, or +30m.
    #[arg(long, value_name = "MOMENT", value_parser = moment, requires = "genesis_url")]
    required_by: Option<Moment>,
    /// The SHA-256 of the genesis, for nodes to check.
    #[arg(long, value_name = "SHA256", requires = "genesis_url")]
    genesis_hash: Option<Digest>,
    /// The genesis, to compute its SHA-256 from.
    #[arg(
        long,
        value_name = "FILE",
        requires = "genesis_url",
        conflicts_with = "genesis_hash"
    )]
    genesis: Option<PathBuf>,
    /// How long to wait for the others' votes.
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
    quorum_within: Duration,
    /// How long to wait for the nodes, from the quorum or, for a reboot, from its deadline.
    #[arg(long, value_name = "SPAN", default_value = "30m", value_parser = span)]
    acks_within: Duration,
    /// So many nodes have to succeed; without it all that are expected, and at least one.
    #[arg(long, value_name = "NUMBER")]
    nodes: Option<usize>,
    /// So many nodes may fail.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    max_failures: usize,
    /// An endpoint that has to answer 2xx in the end; may be repeated.
    #[arg(long = "endpoint", value_name = "URL")]
    endpoints: Vec<Url>,
    /// How long the endpoints may take.
    #[arg(long, value_name = "SPAN", default_value = "2m", value_parser = span)]
    health_within: Duration,
    /// When it fails, sign the way back to what was agreed on before.
    #[arg(long)]
    rollback: bool,
    /// Publish although votes for the version, or for the genesis of a reboot, name different hashes.
    #[arg(long)]
    despite_conflict: bool,
}

#[derive(Serialize)]
struct Launched {
    key: ActionKey,
    launched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rolled_back_to: Option<ActionKey>,
    action: ActionState,
}

impl Launch {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.common.settle()?;
        let network = settings.network()?.clone();
        let genesis =
            self.genesis_url
                .clone()
                .zip(self.required_by)
                .map(|(genesis_url, required_by)| Genesis {
                    genesis_url,
                    required_by,
                    genesis_hash: self.genesis_hash,
                    genesis: self.genesis.clone(),
                });
        let directive = self.what.directive(network.id.clone(), genesis.as_ref())?;
        let keys = self.key.keys(&settings)?;
        let relays = connect(&settings, Some(&keys)).await?;
        let mut ledger = ledger(&settings, &relays).await?;
        let before = self
            .vote(&settings, &network, &directive, &keys, &relays, &mut ledger)
            .await?;
        let key = directive.key();
        let mut watch = Watch::begin(&settings, &relays, network.id.clone(), key)?;
        let mut problem = self
            .see_through(&settings, &directive, &mut watch, &mut ledger)
            .await?
            .err();
        let mut rolled_back_to = None;
        if problem.is_some() && self.rollback {
            rolled_back_to = self
                .take_back(
                    &settings,
                    &network,
                    key,
                    before,
                    &keys,
                    &relays,
                    &mut ledger,
                )
                .await?;
        }
        let developer = Pubkey::from(keys.public_key());
        if let Some(problem) = &mut problem
            && let Some(words) = still_voting(&ledger, &network, &developer, key)
        {
            problem.push_str(&words);
        }
        relays.shut_down().await;
        let state = state(&ledger, &network.id).context("the network is known")?;
        let action = state.action(&key).context("the action is known")?.clone();
        if settings.json {
            json(&Launched {
                key,
                launched: problem.is_none(),
                problem: problem.clone(),
                rolled_back_to,
                action,
            })?;
        } else if problem.is_none() {
            line(format_args!(
                "launched: {} nodes have done {key}",
                action.acks.success
            ))?;
        }
        match problem {
            None => Ok(()),
            Some(problem) => Err(Unwell(problem).into()),
        }
    }

    /// Signs the vote, unless it is there; gives what the developer voted for before.
    async fn vote(
        &self,
        settings: &Settings,
        network: &Network,
        directive: &Directive,
        keys: &Keys,
        relays: &Relays,
        ledger: &mut Ledger,
    ) -> anyhow::Result<Option<Directive>> {
        let developer = keys.public_key().into();
        let standing = ledger.valid_at(&developer, &network.id, u64::MAX);
        if let Some(standing) = standing.filter(|standing| standing.directive == *directive) {
            progress("your vote for this is there already");
            let until_s = standing.created_at.saturating_sub(1);
            let before = ledger.valid_at(&developer, &network.id, until_s);
            return Ok(before.map(|signal: &Signal| signal.directive.clone()));
        }
        let before = standing.map(|signal| signal.directive.clone());
        let signed = sign(ledger, network, directive, keys, now_s())?;
        if !settings.json {
            show(&signed.preview)?;
        }
        signed.preview.check_conflict(self.despite_conflict)?;
        signed.preview.check_time()?;
        if let Some(from_s) = signed.preview.counts_from {
            return Err(misuse(format!(
                "your last directive is dated ahead, and this one would count from {from_s} on only: launch after that, or sign \
                 it now with `trellis qube signal`"
            )));
        }
        if let Some(required_by) = self.required_by {
            signed.preview.check_deadline(required_by)?;
        }
        publish(settings, relays, &signed.event).await?;
        Ok(before)
    }

    /// Quorum, reports, health; the inner error is why it failed.
    async fn see_through(
        &self,
        settings: &Settings,
        directive: &Directive,
        watch: &mut Watch,
        ledger: &mut Ledger,
    ) -> anyhow::Result<Result<(), String>> {
        let agreed = |action: &ActionState| match (action.quorum_at, action.status) {
            (_, ActionStatus::Expired | ActionStatus::Superseded) => Some(Err(action.status)),
            (Some(_), _) => Some(Ok(())),
            (None, _) => None,
        };
        match watch.until(ledger, self.quorum_within, agreed).await? {
            None => return Ok(Err("too few voted in time".to_owned())),
            Some(Err(status)) => return Ok(Err(format!("no quorum: {status}"))),
            Some(Ok(())) => progress("the quorum is there"),
        }
        let until_deadline = directive
            .action
            .required_by()
            .unwrap_or(0)
            .saturating_sub(now_s());
        let within = self.acks_within + Duration::from_secs(until_deadline);
        let done = |action: &ActionState| {
            let wanted = self.nodes.unwrap_or(action.expected).max(1);
            if action.status == ActionStatus::Superseded {
                return Some(Err("another action took its place".to_owned()));
            }
            if action.acks.failure > self.max_failures {
                return Some(Err(format!("{} nodes failed", action.acks.failure)));
            }
            (action.acks.success >= wanted).then_some(Ok(()))
        };
        match watch.until(ledger, within, done).await? {
            None => return Ok(Err("too few nodes reported in time".to_owned())),
            Some(Err(problem)) => return Ok(Err(problem)),
            Some(Ok(())) => progress("the nodes have done it"),
        }
        Ok(self.healthy(settings).await)
    }

    async fn healthy(&self, settings: &Settings) -> Result<(), String> {
        let end = Instant::now() + self.health_within;
        for url in &self.endpoints {
            while let Err(problem) = rest::is_well(url, settings.patience).await {
                if Instant::now() >= end {
                    return Err(format!("{url} is not well: {problem}"));
                }
                sleep(Duration::from_secs(1)).await;
            }
            progress(format_args!("{url}: well"));
        }
        Ok(())
    }

    /// Signs the way back from what was agreed on; without a quorum, what this developer voted for before.
    #[allow(clippy::too_many_arguments)]
    async fn take_back(
        &self,
        settings: &Settings,
        network: &Network,
        launched: ActionKey,
        voted_before: Option<Directive>,
        keys: &Keys,
        relays: &Relays,
        ledger: &mut Ledger,
    ) -> anyhow::Result<Option<ActionKey>> {
        let now_s = now_s();
        let state = state(ledger, &network.id).context("the network is known")?;
        let action = state.action(&launched).context("the action is known")?;
        if action.quorum_at.is_none() {
            let ahead =
                |before: &Directive| before.action.required_by().is_none_or(|at| at > now_s);
            let Some(before) = voted_before.filter(|before| before.key() != launched) else {
                progress(
                    "it was not agreed on, and you had voted for nothing before: there is nothing to go back from",
                );
                return Ok(None);
            };
            if !ahead(&before) {
                progress(
                    "it was not agreed on, and the reboot that you had voted for before is over",
                );
                return Ok(None);
            }
            let signed = sign(ledger, network, &before, keys, now_s)?;
            publish(settings, relays, &signed.event).await?;
            let key = signed.preview.key;
            progress(format_args!(
                "it was not agreed on: signed what you had voted for before, {key}"
            ));
            return Ok(Some(key));
        }
        if state.current != Some(launched) {
            progress("something else was agreed on since: there is nothing to go back from");
            return Ok(None);
        }
        let before = match left_last(&state) {
            Ok(before) => before,
            Err(problem) => {
                progress(format_args!("no way back is signed: {problem}"));
                return Ok(None);
            }
        };
        let deadline = now_s.saturating_add(self.acks_within.as_secs().max(60));
        let mut directive = way_back(before, deadline);
        let mut signed = sign(ledger, network, &directive, keys, now_s)?;
        // Who signed the way back of a reboot first has chosen its time.
        if let Some((deadline, _)) = signed.preview.other_deadlines.pop_first() {
            directive = way_back(before, deadline);
            signed = sign(ledger, network, &directive, keys, now_s)?;
        }
        let words = words_back(before, &directive);
        if let Err(problem) = signed.preview.check_conflict(self.despite_conflict) {
            progress(format_args!("no way back is signed: {problem}"));
            return Ok(None);
        }
        if let Some(left_out) = left_out(before) {
            progress(left_out);
        }
        publish(settings, relays, &signed.event).await?;
        progress(format_args!(
            "signed the way back, {}; the other developers have to as well: {words}",
            signed.preview.key
        ));
        Ok(Some(signed.preview.key))
    }
}

/// What is said of a vote that stands although the launch has failed without a quorum.
fn still_voting(
    ledger: &Ledger,
    network: &Network,
    developer: &Pubkey,
    launched: ActionKey,
) -> Option<String> {
    let state = state(ledger, &network.id)?;
    let action = state.action(&launched)?;
    let stands = action.votes.iter().any(|vote| vote.developer == *developer);
    if !stands || action.quorum_at.is_some() {
        return None;
    }
    let upgrade = |action: &&ActionState| action.directive.action == Action::Upgrade;
    let instead = match state.current_action().filter(upgrade) {
        Some(current) => format!(
            "trellis qube rollback {} --network {}",
            current.key.short(),
            network.id
        ),
        None => format!(
            "trellis qube signal upgrade --network {} --to ... with what runs",
            network.id
        ),
    };
    Some(format!(
        "; your vote for it stands: who votes later completes the quorum, and nodes act. To take it back, sign something \
         else: {instead}"
    ))
}
