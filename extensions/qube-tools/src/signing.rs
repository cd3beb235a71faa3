//! Signing a directive and bringing it to the relays, after a look at what it would come to.

use crate::keyfile;
use crate::out::{line, progress};
use crate::passphrase::Source;
use crate::reading::take;
use crate::settings::{Settings, default_folder, misuse};
use crate::table::harmless;
use anyhow::{Context as _, bail};
use nostr::event::{Event, EventBuilder, FinalizeEvent as _, Kind, Tag};
use nostr::key::Keys;
use nostr::types::Timestamp;
use serde::Serialize;
use std::path::PathBuf;
use trellis_qube_client::{Delivery, Relays, Retry};
use trellis_qube_protocol::{
    Action, ActionKey, ActionStatus, Conflict, Directive, Fields, KIND_SIGNAL, Ledger, Network,
    Pubkey, Signal, tags,
};

/// Whose key signs.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct KeyArguments {
    /// The file with the secret key. Without it `key_file` of the configuration, or ~/.config/trellis/qube.key.
    #[arg(short, long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Source,
}

impl KeyArguments {
    /// Reads the key.
    pub(crate) fn keys(&self, settings: &Settings) -> anyhow::Result<Keys> {
        let named = self.key.clone().or_else(|| settings.key_file.clone());
        let file = named.or_else(|| default_folder().map(|folder| folder.join("qube.key")));
        let file = file.ok_or_else(|| misuse("no key: --key FILE"))?;
        keyfile::read(&file, &self.passphrase)
    }
}

/// What a directive would come to.
#[derive(Debug, Serialize)]
pub(crate) struct Preview {
    pub(crate) key: ActionKey,
    pub(crate) developer: Pubkey,
    pub(crate) directive: Directive,
    /// What this developer votes for now.
    pub(crate) replaces: Option<ActionKey>,
    /// The developers who then vote for it.
    pub(crate) votes: Vec<Pubkey>,
    pub(crate) quorum: usize,
    pub(crate) status: ActionStatus,
    pub(crate) conflicts: Vec<Conflict>,
}

/// A directive, signed but not published.
pub(crate) struct Signed {
    pub(crate) event: Event,
    pub(crate) preview: Preview,
}

/// Signs a directive and looks what it would come to.
pub(crate) fn sign(
    ledger: &mut Ledger,
    network: &Network,
    directive: &Directive,
    keys: &Keys,
    now_s: u64,
) -> anyhow::Result<Signed> {
    let developer = Pubkey::from(keys.public_key());
    if !network.developers.contains(&developer) {
        return Err(misuse(format!(
            "{developer} is not a developer of network `{}`",
            network.id
        )));
    }
    let created_at = after_all_seen(ledger, network, &developer, now_s);
    let newest = ledger.valid_at(&developer, &network.id, u64::MAX);
    let replaces = newest.map(Signal::key);
    let event = event(directive, keys, created_at)?;
    let signal = Signal::parse(&Fields::of(&event)).map_err(misuse)?;
    signal.check_deadline(now_s).map_err(misuse)?;
    let key = signal.key();
    take(ledger, &event);
    let state = ledger
        .network(&network.id, created_at)
        .context("the network is known")?;
    let action = state.action(&key).context("the vote is known")?;
    let preview = Preview {
        key,
        developer,
        directive: directive.clone(),
        replaces: replaces.filter(|replaced| *replaced != key),
        votes: action.votes.iter().map(|vote| vote.developer).collect(),
        quorum: network.quorum,
        status: action.status,
        conflicts: state.conflicts,
    };
    Ok(Signed { event, preview })
}

/// When a directive is signed: after what this developer has signed, for all networks share one address, and after what others
/// have for this one. Within one second nothing comes before anything else.
fn after_all_seen(ledger: &Ledger, network: &Network, developer: &Pubkey, now_s: u64) -> u64 {
    const MOST_AHEAD_S: u64 = 60;
    let votes = ledger
        .networks()
        .filter_map(|known| ledger.valid_at(developer, &known.id, u64::MAX));
    let others = ledger.signals(&network.id).into_iter();
    let others = others.filter(|signal| signal.created_at <= now_s.saturating_add(MOST_AHEAD_S));
    let seen = votes.chain(others).map(|signal| signal.created_at).max();
    seen.map_or(now_s, |seen| now_s.max(seen.saturating_add(1)))
}

fn event(directive: &Directive, keys: &Keys, created_at: u64) -> anyhow::Result<Event> {
    let tags = tags::signal_tags(directive).into_iter().map(Tag::parse);
    let tags = tags.collect::<Result<Vec<_>, _>>()?;
    let content = tags::signal_content(directive);
    let builder = EventBuilder::new(Kind::from(KIND_SIGNAL), content).tags(tags);
    let builder = builder.custom_created_at(Timestamp::from_secs(created_at));
    builder.finalize(keys).context("signing")
}

/// Shows what would be signed.
pub(crate) fn show(preview: &Preview) -> anyhow::Result<()> {
    let directive = &preview.directive;
    let (network, version) = (&directive.network, directive.version.tagged());
    match &directive.action {
        Action::Upgrade => line(format_args!(
            "action      upgrade of {network} to {version}"
        ))?,
        Action::Reboot {
            genesis_url,
            required_by,
        } => {
            line(format_args!(
                "action      reboot of {network} with {version} at {required_by}"
            ))?;
            line(format_args!("genesis     {genesis_url}"))?;
        }
    }
    line(format_args!("program     sha256 {}", directive.hash))?;
    let options = &directive.options;
    if let Some(hash) = options.genesis_hash {
        line(format_args!("genesis     sha256 {hash}"))?;
    }
    if let Some(rollout) = options.rollout {
        let (percent, least) = (rollout.percent, rollout.min_success_percent);
        line(format_args!(
            "rollout     {percent} % of the nodes, while {least} % succeed"
        ))?;
    }
    if let Some(version) = &options.min_version {
        line(format_args!(
            "from        nodes that run at least {version}"
        ))?;
    }
    for condition in &options.conditions {
        line(format_args!("condition   {condition}"))?;
    }
    line(format_args!("key         {}", preview.key))?;
    line(format_args!("signed by   {}", preview.developer))?;
    if let Some(replaced) = &preview.replaces {
        line(format_args!(
            "withdraws   your vote for {}",
            replaced.short()
        ))?;
    }
    let (votes, quorum) = (preview.votes.len(), preview.quorum);
    line(format_args!(
        "votes       {votes} of {quorum} with this one: {}",
        preview.status
    ))?;
    for conflict in &preview.conflicts {
        let (version, hashes) = (&conflict.version, conflict.hashes.len());
        line(format_args!(
            "conflict    votes for {version} name {hashes} different hashes: no node will act on it"
        ))?;
    }
    Ok(())
}

/// What became of a directive at each relay.
#[derive(Debug, Serialize)]
pub(crate) struct Delivered {
    relay: String,
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Publishes an event until each relay has decided; at least one has to take it.
pub(crate) async fn publish(
    settings: &Settings,
    relays: &Relays,
    event: &Event,
) -> anyhow::Result<Vec<Delivered>> {
    let retry = Retry {
        within: settings.patience,
        ..Retry::default()
    };
    let mut delivered = Vec::new();
    for (url, delivery) in relays.publish_until_ok(event, retry).await {
        let (accepted, problem) = match delivery {
            Delivery::Accepted => (true, None),
            Delivery::Refused(why) => (false, Some(harmless(&why))),
            Delivery::Failed(why) => (false, Some(format!("not now: {}", harmless(&why)))),
        };
        progress(format_args!(
            "{url}: {}",
            problem.as_deref().unwrap_or("accepted")
        ));
        delivered.push(Delivered {
            relay: url.to_string(),
            accepted,
            problem,
        });
    }
    if !delivered.iter().any(|delivered| delivered.accepted) {
        bail!("no relay took the directive");
    }
    Ok(delivered)
}
