//! Signing a directive and bringing it to the relays, after a look at what it would come to.

use crate::keyfile;
use crate::out::{line, progress};
use crate::passphrase::Source;
use crate::reading::take;
use crate::settings::{Settings, default_folder, misuse};
use crate::span::Moment;
use crate::table::harmless;
use anyhow::{Context as _, bail};
use nostr::event::{Event, EventBuilder, FinalizeEvent as _, Kind, Tag};
use nostr::key::Keys;
use nostr::types::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use trellis_qube_client::{Delivery, Relays, Retry};
use trellis_qube_protocol::{
    Action, ActionKey, ActionKind, ActionStatus, Conflict, Directive, Fields, KIND_SIGNAL, Ledger,
    Network, Pubkey, Signal, tags,
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
    /// Deadlines ahead of others who vote for the same reboot, and how many vote for each: other keys, so no agreement.
    pub(crate) other_deadlines: BTreeMap<u64, usize>,
}

impl Preview {
    /// Whether votes for its version name different hashes.
    pub(crate) fn is_in_conflict(&self) -> bool {
        let version = &self.directive.version;
        self.conflicts.iter().any(|it| it.version == *version)
    }

    /// Refuses a deadline that was told from now on where others have voted for the same reboot with one of theirs.
    pub(crate) fn check_deadline(&self, given: Moment) -> anyhow::Result<()> {
        match (given, self.other_deadlines.first_key_value()) {
            (Moment::In(_), Some((at_s, votes))) => Err(misuse(format!(
                "{votes} others vote for the same reboot at {at_s}, and votes with different deadlines do not add up: \
                 --required-by {at_s} agrees with them; Unix seconds as well say that another deadline is meant"
            ))),
            _ => Ok(()),
        }
    }
}

/// Whether two directives are for one reboot, at whatever time.
pub(crate) fn is_same_reboot(one: &Directive, other: &Directive) -> bool {
    one.action.kind() == ActionKind::Reboot
        && one.action.genesis_url() == other.action.genesis_url()
        && (&one.network, &one.version, one.hash) == (&other.network, &other.version, other.hash)
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
    let mut other_deadlines = BTreeMap::new();
    for other in state.actions.iter().filter(|other| other.key != key) {
        let ahead = other
            .directive
            .action
            .required_by()
            .filter(|at_s| *at_s > now_s);
        if let Some(at_s) = ahead.filter(|_| is_same_reboot(&other.directive, directive)) {
            let votes = other.votes.iter();
            let others = votes.filter(|vote| vote.developer != developer).count();
            if others > 0 {
                other_deadlines.insert(at_s, others);
            }
        }
    }
    let preview = Preview {
        key,
        developer,
        directive: directive.clone(),
        replaces: replaces.filter(|replaced| *replaced != key),
        votes: action.votes.iter().map(|vote| vote.developer).collect(),
        quorum: network.quorum,
        status: action.status,
        conflicts: state.conflicts,
        other_deadlines,
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
    for (at_s, votes) in &preview.other_deadlines {
        line(format_args!(
            "deadline    {votes} others vote for the same at {at_s}: that does not add up with yours"
        ))?;
    }
    if votes < quorum && directive.action.kind() == ActionKind::Reboot {
        line(format_args!("others      {}", words_for_others(directive)))?;
    }
    for conflict in &preview.conflicts {
        let (version, hashes) = (&conflict.version, conflict.hashes.len());
        line(format_args!(
            "conflict    votes for {version} name {hashes} different hashes: no node will act on it"
        ))?;
    }
    Ok(())
}

/// What another developer types to vote for the same reboot: the deadline as a number, for it is part of the key.
fn words_for_others(directive: &Directive) -> String {
    let (network, version) = (&directive.network, directive.version.tagged());
    let mut words = format!(
        "trellis qube signal reboot --network {network} --to {version} --hash {}",
        directive.hash
    );
    if let Action::Reboot {
        genesis_url,
        required_by,
    } = &directive.action
    {
        let url = genesis_url.as_str().replace('\'', "'\\''");
        words.push_str(&format!(
            " --genesis-url '{url}' --required-by {required_by}"
        ));
    }
    if let Some(hash) = directive.options.genesis_hash {
        words.push_str(&format!(" --genesis-hash {hash}"));
    }
    words
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
