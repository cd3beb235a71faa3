//! `trellis qube signal`

use crate::out::{json, line, progress};
use crate::reading::{connect, ledger};
use crate::settings::{Common, misuse};
use crate::signing::{Delivered, KeyArguments, Preview, publish, show, sign};
use crate::span::{Moment, ago, moment, now_s};
use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use trellis_qube_protocol::{
    Action, ActionKey, Condition, Digest, Directive, NetworkId, Options, Rollout, Version,
};
use url::Url;

#[derive(Debug, Subcommand)]
pub(crate) enum SignalCommand {
    /// Direct nodes to run the program of another version.
    Upgrade(Upgrade),
    /// Direct nodes to begin anew from a genesis, all at one time.
    Reboot(Reboot),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Upgrade {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    key: KeyArguments,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reboot {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    key: KeyArguments,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    genesis: Genesis,
    #[command(flatten)]
    how: How,
}

/// Which program, and on which nodes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct What {
    /// The version.
    #[arg(long = "to", value_name = "VERSION")]
    version: Version,
    /// The SHA-256 of the program.
    #[arg(long, value_name = "SHA256", required_unless_present = "program")]
    hash: Option<Digest>,
    /// The program, to compute its SHA-256 from.
    #[arg(long, value_name = "FILE", conflicts_with = "hash")]
    program: Option<PathBuf>,
    /// Only this percentage of the nodes, as long as enough of them succeed (90 % unless said): 25 or 25:80.
    #[arg(long, value_name = "PERCENT[:SUCCESS]", value_parser = rollout)]
    rollout: Option<Rollout>,
    /// Only nodes that run at least this version.
    #[arg(long, value_name = "VERSION")]
    min_version: Option<Version>,
    /// after:KEY, height:NUMBER or between:FROM:UNTIL; may be repeated.
    #[arg(long = "condition", value_name = "CONDITION", value_parser = condition)]
    conditions: Vec<Condition>,
}

/// A genesis and the time for it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Genesis {
    /// Where nodes fetch the genesis.
    #[arg(long, value_name = "URL")]
    pub(crate) genesis_url: Url,
    /// When all nodes begin anew: Unix seconds, or +30m.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub(crate) required_by: Moment,
    /// The SHA-256 of the genesis, for nodes to check.
    #[arg(long, value_name = "SHA256")]
    pub(crate) genesis_hash: Option<Digest>,
    /// The genesis, to compute its SHA-256 from.
    #[arg(long, value_name = "FILE", conflicts_with = "genesis_hash")]
    pub(crate) genesis: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct How {
    /// Show what would be signed and what it would come to, and publish nothing.
    #[arg(long)]
    dry_run: bool,
    /// Publish although votes for the version, or for the genesis of a reboot, name different hashes.
    #[arg(long)]
    despite_conflict: bool,
}

#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(flatten)]
    preview: &'a Preview,
    id: String,
    published: bool,
    relays: Vec<Delivered>,
}

impl SignalCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Upgrade(it) => {
                let of = |network| it.what.directive(network, None);
                issue(&it.common, &it.key, &it.how, None, of).await
            }
            Self::Reboot(it) => {
                let of = |network| it.what.directive(network, Some(&it.genesis));
                let deadline = Some(it.genesis.required_by);
                issue(&it.common, &it.key, &it.how, deadline, of).await
            }
        }
    }
}

async fn issue(
    common: &Common,
    key: &KeyArguments,
    how: &How,
    deadline: Option<Moment>,
    directive: impl FnOnce(NetworkId) -> anyhow::Result<Directive>,
) -> anyhow::Result<()> {
    let settings = common.settle()?;
    let network = settings.network()?.clone();
    let directive = directive(network.id.clone())?;
    let keys = key.keys(&settings)?;
    let relays = connect(&settings, Some(&keys)).await?;
    let mut ledger = ledger(&settings, &relays).await?;
    let signed = sign(&mut ledger, &network, &directive, &keys, now_s())?;
    if !settings.json {
        show(&signed.preview)?;
    }
    let delivered = if how.dry_run {
        progress("dry run: nothing was published");
        Vec::new()
    } else {
        signed.preview.check_conflict(how.despite_conflict)?;
        signed.preview.check_time()?;
        if let Some(deadline) = deadline {
            signed.preview.check_deadline(deadline)?;
        }
        publish(&settings, &relays, &signed.event).await?
    };
    relays.shut_down().await;
    let outcome = Outcome {
        preview: &signed.preview,
        id: signed.event.id.to_hex(),
        published: !how.dry_run,
        relays: delivered,
    };
    match settings.json {
        true => json(&outcome),
        false if how.dry_run => Ok(()),
        false => line(format_args!("published   {}", outcome.id)),
    }
}

impl What {
    /// The directive; with a genesis it is a reboot.
    pub(crate) fn directive(
        &self,
        network: NetworkId,
        genesis: Option<&Genesis>,
    ) -> anyhow::Result<Directive> {
        let hash = match (&self.hash, &self.program) {
            (Some(hash), _) => *hash,
            (None, Some(program)) => hash_of(program)?,
            (None, None) => return Err(misuse("--hash SHA256 or --program FILE")),
        };
        let action = match genesis {
            None => Action::Upgrade,
            Some(genesis) => Action::Reboot {
                genesis_url: genesis.genesis_url.clone(),
                required_by: genesis.required_by.at_s(now_s()),
            },
        };
        let genesis_hash = match genesis {
            Some(Genesis {
                genesis: Some(file),
                ..
            }) => Some(hash_of(file)?),
            Some(genesis) => genesis.genesis_hash,
            None => None,
        };
        for condition in &self.conditions {
            can_be_met(condition, action.required_by())?;
        }
        Ok(Directive {
            network,
            action,
            version: self.version.clone(),
            hash,
            options: Options {
                rollout: self.rollout,
                min_version: self.min_version.clone(),
                conditions: self.conditions.clone(),
                genesis_hash,
            },
        })
    }
}

/// Refuses a condition that no node can meet in time: each would report a failure.
fn can_be_met(condition: &Condition, required_by: Option<u64>) -> anyhow::Result<()> {
    let Condition::Between { from, until } = condition else {
        return Ok(());
    };
    let wrong = |why: String| {
        Err(misuse(format!(
            "the condition `{condition}` cannot be met: {why}"
        )))
    };
    let now_s = now_s();
    match required_by {
        _ if until <= from => wrong("it ends before it begins".to_owned()),
        _ if *until <= now_s => wrong(format!("it ended {}", ago(*until, now_s))),
        Some(at_s) if *from > at_s => wrong(format!("the reboot is at {at_s}, before it begins")),
        Some(at_s) if *until <= at_s => {
            wrong(format!("the reboot is at {at_s}, after it has ended"))
        }
        _ => Ok(()),
    }
}

fn hash_of(file: &Path) -> anyhow::Result<Digest> {
    let hash = File::open(file).and_then(Digest::of_reader);
    hash.with_context(|| format!("reading {}", file.display()))
}

fn rollout(text: &str) -> Result<Rollout, String> {
    let (percent, success) = match text.split_once(':') {
        Some((percent, success)) => (percent, Some(success)),
        None => (text, None),
    };
    let number = |text: &str, least: u8| {
        let number = text
            .parse()
            .ok()
            .filter(|number| (least..=100).contains(number));
        number.ok_or_else(|| format!("{text:?} is not a percentage of {least} to 100"))
    };
    let default = Rollout::DEFAULT_MIN_SUCCESS_PERCENT;
    Ok(Rollout {
        percent: number(percent, 1)?,
        min_success_percent: success.map_or(Ok(default), |text| number(text, 0))?,
    })
}

fn condition(text: &str) -> Result<Condition, String> {
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("{text:?} is not a number"))
    };
    let words: Vec<&str> = text.split(':').collect();
    match words[..] {
        ["after", key] => {
            let key = key
                .parse::<ActionKey>()
                .map_err(|error| error.to_string())?;
            Ok(Condition::After(key))
        }
        ["height", height] => number(height).map(Condition::Height),
        ["between", from, until] => {
            let (from, until) = (number(from)?, number(until)?);
            Ok(Condition::Between { from, until })
        }
        _ => Err("a condition is after:KEY, height:NUMBER or between:FROM:UNTIL".to_owned()),
    }
}
