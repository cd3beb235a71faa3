//! `trellis qube genesis`

mod publish;
mod template;

use crate::out::{json, line};
use crate::settings::misuse;
use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use trellis_qube_protocol::Digest;

#[derive(Debug, Subcommand)]
pub(crate) enum GenesisCommand {
    /// Write a genesis as go-zenon reads it.
    New(template::New),
    /// Print the SHA-256 of a genesis, after a look at whether it adds up.
    Hash(Hash),
    /// Put a genesis on a Blossom server or into a folder.
    Publish(Box<publish::Publish>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Hash {
    /// The genesis.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl GenesisCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::New(command) => command.run(),
            Self::Hash(command) => command.run(),
            Self::Publish(command) => command.run().await,
        }
    }
}

impl Hash {
    fn run(self) -> anyhow::Result<()> {
        let (bytes, pillars) = read(&self.file)?;
        let hash = Digest::of(&bytes);
        match self.json {
            true => json(
                &json!({"file": self.file, "sha256": hash, "bytes": bytes.len(), "pillars": pillars}),
            ),
            false => line(hash),
        }
    }
}

/// A genesis that adds up, and how many pillars it has.
fn read(file: &Path) -> anyhow::Result<(Vec<u8>, usize)> {
    let name = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("reading {name}"))?;
    let pillars = check(&bytes).map_err(|problem| misuse(format!("{name}: {problem}")))?;
    Ok((bytes, pillars))
}

/// Whether go-zenon would take this genesis, as far as its own checks of supplies and stakes go; how many pillars it has.
fn check(bytes: &[u8]) -> Result<usize, String> {
    let genesis: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
    let list = |path: &str| {
        let list = genesis.pointer(path).and_then(Value::as_array);
        list.ok_or_else(|| format!("{path} is missing"))
    };
    let (pillars, tokens, blocks) = (
        list("/PillarConfig/Pillars")?,
        list("/TokenConfig/Tokens")?,
        list("/GenesisBlocks/Blocks")?,
    );
    let fusions = list("/PlasmaConfig/Fusions")?;
    list("/SwapConfig/Entries")?;
    let sum = |items: &[Value], field: &str| -> Result<u128, String> {
        let amounts = items
            .iter()
            .map(|item| item.get(field).and_then(Value::as_u64).map(u128::from));
        amounts
            .sum::<Option<u128>>()
            .ok_or_else(|| format!("an amount `{field}` is missing"))
    };
    let held = |address: Option<&str>, token: &str| -> Result<u128, String> {
        let of = |block: &&Value| {
            address
                .is_none_or(|address| block.get("Address").and_then(Value::as_str) == Some(address))
        };
        let balances = blocks
            .iter()
            .filter(of)
            .filter_map(|block| block.get("BalanceList")?.get(token));
        let balances = balances.map(|balance| balance.as_u64().map(u128::from));
        balances
            .sum::<Option<u128>>()
            .ok_or_else(|| format!("a balance of {token} is no number"))
    };
    for (what, address, token, items, field) in [
        (
            "pillars",
            template::PILLARS,
            template::ZNN,
            pillars,
            "Amount",
        ),
        (
            "fusions",
            template::PLASMA,
            template::QSR,
            fusions,
            "amount",
        ),
    ] {
        let (wanted, found) = (sum(items, field)?, held(Some(address), token)?);
        if wanted != found {
            return Err(format!(
                "the {what} hold {wanted} of {token}, their contract {found}"
            ));
        }
    }
    for token in tokens {
        let name = token
            .get("tokenStandard")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (supply, found) = (
            sum(std::slice::from_ref(token), "totalSupply")?,
            held(None, name)?,
        );
        if supply != found {
            return Err(format!(
                "the supply of {name} is {supply}, the balances add up to {found}"
            ));
        }
    }
    Ok(pillars.len())
}
