//! Signing a directive and bringing it to the relays, after a look at what it would come to.

use crate::keyfile;
use crate::out::{line, progress};
use crate::passphrase::Source;
use crate::reading::{Ahead, ahead, dated_ahead, take};
use crate::settings::{Settings, default_folder, misuse};
use crate::span::{Moment, now_s};
use crate::table::harmless;
use anyhow::{Context as _, bail};
use nostr::event::{Event, EventBuilder, FinalizeEvent as _, Kind, Tag};
use nostr::key::Keys;
use nostr::types::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use trellis_qube_client::{Delivery, Relays, Retry};
use trellis_qube_protocol::{
    Action, ActionKey, ActionKind, ActionStatus, Conflict, Digest, Directive, Fields, KIND_SIGNAL,
    Ledger, Network, Options, Pubkey, Signal, tags,
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
    /// Versions for which votes name several programs.
    pub(crate) conflicts: Vec<Conflict>,
    /// Genesis hashes that votes for this reboot name, and how many name each, where they are several.
    pub(crate) genesis_hashes: BTreeMap<Digest, usize>,
    /// From when on it counts, where that is ahead: it has to come after what this developer has signed. Unix seconds.
    pub(crate) counts_from: Option<u64>,
    /// Others' directives that are dated ahead.
    pub(crate) ahead: Vec<Ahead>,
    /// Deadlines ahead of others who vote for the same reboot, and how many vote for each: other keys, so no agreement.
    pub(crate) other_deadlines: BTreeMap<u64, usize>,
}

impl Preview {
    /// Refuses a vote that makes no agreement but a conflict, unless that is wanted.
    pub(crate) fn check_conflict(&self, despite_conflict: bool) -> anyhow::Result<()> {
        let version = &self.directive.version;
        if despite_conflict {
            Ok(())
        } else if self.conflicts.iter().any(|it| it.version == *version) {
            Err(misuse(
                "votes for this version name different hashes: agree on one, or say --despite-conflict",
            ))
        } else if !self.genesis_hashes.is_empty() {
            Err(misuse(
                "votes for this reboot name different genesis hashes: agree on one, or say --despite-conflict",
            ))
        } else {
            Ok(())
        }
    }

    /// Refuses what comes too late to count.
    pub(crate) fn check_time(&self) -> anyhow::Result<()> {
        let required_by = self.directive.action.required_by();
        match (required_by, self.counts_from) {
            (Some(at_s), Some(from_s)) if from_s >= at_s => Err(misuse(format!(
                "your last directive is dated ahead, so this one counts from {from_s} on; the reboot is at {at_s}, which is \
                 before that: nothing was published"
            ))),
            _ if self.status == ActionStatus::Expired => {
                Err(misuse("it has expired already: nothing was published"))
            }
            _ => Ok(()),
        }
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
    let created_at = after_all_signed(ledger, network, &developer, now_s);
    let mut ahead = ahead(ledger, &network.id, now_s);
    ahead.retain(|it| it.developer != developer);
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
    let mut genesis_hashes: BTreeMap<Digest, usize> = BTreeMap::new();
    for hash in action
        .votes
        .iter()
        .filter_map(|vote| vote.options.genesis_hash)
    {
        *genesis_hashes.entry(hash).or_default() += 1;
    }
    if genesis_hashes.len() < 2 {
        genesis_hashes.clear();
    }
    // What was agreed on before is a proposal again with the first vote that comes back to it.
    let status = match action.status {
        ActionStatus::Expired => ActionStatus::Expired,
        _ if state.current != Some(key) => ActionStatus::Proposed,
        status => status,
    };
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
    // Those of genesis hashes are told by themselves.
    let conflicts = state.conflicts.iter();
    let conflicts = conflicts.filter(|conflict| conflict.reboot.is_none());
    let preview = Preview {
        key,
        developer,
        directive: directive.clone(),
        replaces: replaces.filter(|replaced| *replaced != key),
        votes: action.votes.iter().map(|vote| vote.developer).collect(),
        quorum: network.quorum,
        status,
        conflicts: conflicts.cloned().collect(),
        genesis_hashes,
        counts_from: Some(created_at).filter(|at_s| at_s.saturating_sub(now_s) > SOON_S),
        ahead,
        other_deadlines,
    };
    Ok(Signed { event, preview })
}

/// A directive that is dated so little ahead waits for its time before it is published. Seconds.
const SOON_S: u64 = 5;

/// When a directive is signed: after what this developer has signed, for all networks share one address, and after what others
/// have by now for this one: within one second nothing comes before anything else. Clocks that are ahead are not followed.
fn after_all_signed(ledger: &Ledger, network: &Network, developer: &Pubkey, now_s: u64) -> u64 {
    let votes = ledger
        .networks()
        .filter_map(|known| ledger.valid_at(developer, &known.id, u64::MAX));
    let others = ledger.signals(&network.id).into_iter();
    let others = others.filter(|signal| signal.created_at <= now_s);
    let last = votes.chain(others).map(|signal| signal.created_at).max();
    last.map_or(now_s, |last| now_s.max(last.saturating_add(1)))
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
    match (&directive.action, options.genesis_hash) {
        (_, Some(hash)) => line(format_args!("genesis     sha256 {hash}"))?,
        (Action::Reboot { .. }, None) => line(
            "genesis     no hash: nodes take what the URL gives then; --genesis-hash or --genesis FILE binds it",
        )?,
        (Action::Upgrade, None) => {}
    }
    for asked_for in asked_for(options) {
        line(format_args!("only        {asked_for}"))?;
    }
    line(format_args!("key         {}", preview.key))?;
    line(format_args!("signed by   {}", preview.developer))?;
    if let Some(replaced) = &preview.replaces {
        line(format_args!(
            "withdraws   your vote for {}",
            replaced.short()
        ))?;
    }
    let now_s = now_s();
    if let Some(from_s) = preview.counts_from {
        line(format_args!(
            "date        {}: your last directive is dated ahead, and this one has to come after it",
            dated_ahead(from_s, now_s)
        ))?;
    }
    let (votes, quorum) = (preview.votes.len(), preview.quorum);
    line(format_args!(
        "votes       {votes} of {quorum} with this one: {}",
        preview.status
    ))?;
    for ahead in &preview.ahead {
        line(format_args!("ahead       {}", ahead.words(now_s)))?;
    }
    for (at_s, votes) in &preview.other_deadlines {
        line(format_args!(
            "deadline    {votes} others vote for the same at {at_s}: that does not add up with yours"
        ))?;
    }
    let is_alone = preview.other_deadlines.is_empty();
    if votes < quorum && is_alone && directive.action.kind() == ActionKind::Reboot {
        line(format_args!("others      {}", words_for_others(directive)))?;
    }
    for conflict in &preview.conflicts {
        let (version, hashes) = (&conflict.version, conflict.hashes.len());
        line(format_args!(
            "conflict    votes for {version} name {hashes} different hashes: no node will act on it"
        ))?;
    }
    for (hash, votes) in &preview.genesis_hashes {
        line(format_args!(
            "conflict    {votes} vote for the genesis {hash}: votes with different ones do not add up"
        ))?;
    }
    Ok(())
}

/// What a vote asks for before it counts on a node, each in words.
pub(crate) fn asked_for(options: &Options) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(rollout) = options.rollout {
        let (percent, least) = (rollout.percent, rollout.min_success_percent);
        words.push(format!(
            "rollout: {percent} % of the nodes, while {least} % succeed"
        ));
    }
    if let Some(version) = &options.min_version {
        words.push(format!("min_version: nodes that run at least {version}"));
    }
    let conditions = options.conditions.iter();
    words.extend(conditions.map(|condition| format!("condition: {condition}")));
    words
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
    // Nothing that is published counts later than it seems to, for who looks next.
    let ahead_s = event.created_at.as_secs().saturating_sub(now_s());
    if ahead_s <= SOON_S {
        tokio::time::sleep(Duration::from_secs(ahead_s)).await;
    }
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
