//! A genesis for a network of pillars, in the form of go-zenon: stakes, plasma and supplies that add up.

use crate::bech32;
use crate::out::{json, line};
use crate::settings::misuse;
use crate::span::{Moment, moment, now_s};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use trellis_qube_protocol::Digest;

/// The contract that holds the pillars' stakes.
pub(super) const PILLARS: &str = "z1qxemdeddedxpyllarxxxxxxxxxxxxxxxsy3fmg";
/// The contract that holds what is fused for plasma.
pub(super) const PLASMA: &str = "z1qxemdeddedxplasmaxxxxxxxxxxxxxxxxsctrp";
/// The contract that owns both tokens.
const TOKEN: &str = "z1qxemdeddedxt0kenxxxxxxxxxxxxxxxxh9amk0";
pub(super) const ZNN: &str = "zts1znnxxxxxxxxxxxxx9z4ulx";
pub(super) const QSR: &str = "zts1qsrxxxxxxxxxxxxxmrhjll";

/// Both tokens have eight decimals.
const UNIT: u64 = 100_000_000;
/// What a pillar stakes.
const STAKE: u64 = 15_000 * UNIT;
/// What is fused for each pillar, so that it can act from the first block on.
const FUSED: u64 = 10_000 * UNIT;
/// What each pillar has to spend, of either token.
const PURSE: u64 = 1_000 * UNIT;
/// The largest supply that a reader of JSON gets exactly.
const MAX_SUPPLY: u64 = 9_007_199_254_740_991;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Template {
    /// One pillar: a chain on one machine.
    Single,
    /// Five pillars: a testnet that a node can leave.
    FiveValidators,
    /// Any number of pillars, with the supply on treasuries.
    Sidechain,
}

#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// What kind of network.
    #[arg(long, value_enum)]
    template: Template,
    /// The chain's identifier. 1 is the main network's.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(2..))]
    chain_id: u64,
    /// A pillar: NAME=ADDRESS, or NAME=ADDRESS,PRODUCER where another address produces; may be repeated.
    #[arg(long = "pillar", value_name = "NAME=ADDRESS[,PRODUCER]", value_parser = pillar, required = true)]
    pillars: Vec<Pillar>,
    /// The address that may create sporks.
    #[arg(long, value_name = "ADDRESS", value_parser = user_address)]
    spork: String,
    /// Who has how much at the beginning: ADDRESS=ZNN,QSR in whole coins; may be repeated.
    #[arg(long = "treasury", value_name = "ADDRESS=ZNN,QSR", value_parser = treasury)]
    treasuries: Vec<Treasury>,
    /// When the chain begins: Unix seconds, or +30m. Default: now.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    begins: Option<Moment>,
    /// A text in the genesis, so that two with the same pillars differ.
    #[arg(long, value_name = "TEXT", default_value = "")]
    extra_data: String,
    /// The file to write; without it, standard output.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON about the file.
    #[arg(long, requires = "out")]
    json: bool,
}

#[derive(Clone, Debug)]
struct Pillar {
    name: String,
    owner: String,
    producer: String,
}

#[derive(Clone, Debug)]
struct Treasury {
    address: String,
    znn: u64,
    qsr: u64,
}

impl New {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.check()?;
        let mut text = serde_json::to_string_pretty(&self.genesis()?)?;
        text.push('\n');
        let hash = Digest::of(text.as_bytes());
        let Some(file) = &self.out else {
            return crate::out::print(text);
        };
        // A genesis that is signed for by its hash is not written over by another.
        if std::fs::read(file).is_ok_and(|there| there != text.as_bytes()) {
            return Err(misuse(format!(
                "{}: is there already, with another content",
                file.display()
            )));
        }
        std::fs::write(file, &text).with_context(|| format!("writing {}", file.display()))?;
        match self.json {
            true => json(&json!({"file": file, "sha256": hash, "chain_id": self.chain_id})),
            false => line(format_args!("{}: sha256 {hash}", file.display())),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let found = self.pillars.len();
        let wanted = match self.template {
            Template::Single => 1..=1,
            Template::FiveValidators => 5..=5,
            Template::Sidechain => 1..=100,
        };
        if !wanted.contains(&found) {
            let (least, most) = (wanted.start(), wanted.end());
            let wanted = match least == most {
                true => least.to_string(),
                false => format!("{least} to {most}"),
            };
            return Err(misuse(format!(
                "found {found} of --pillar: this template has {wanted}"
            )));
        }
        if self.template == Template::Sidechain && self.treasuries.is_empty() {
            return Err(misuse(
                "a sidechain begins with a supply: --treasury ADDRESS=ZNN,QSR",
            ));
        }
        for (at, pillar) in self.pillars.iter().enumerate() {
            let others = &self.pillars[..at];
            if others
                .iter()
                .any(|other| other.name == pillar.name || other.producer == pillar.producer)
            {
                return Err(misuse(format!(
                    "pillar {}: its name or producer is another's",
                    pillar.name
                )));
            }
        }
        Ok(())
    }

    fn genesis(&self) -> anyhow::Result<Value> {
        let begins_s = self.begins.unwrap_or(Moment::In(0)).at_s(now_s());
        let mut balances: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        let mut give = |address: &'_ str, token: &'static str, amount: u64| -> anyhow::Result<()> {
            let address = self.named(address);
            let balance = balances
                .entry(address)
                .or_default()
                .entry(token)
                .or_default();
            *balance = balance
                .checked_add(amount)
                .context("a balance is too large")?;
            Ok(())
        };
        for pillar in &self.pillars {
            give(PILLARS, ZNN, STAKE)?;
            give(PLASMA, QSR, FUSED)?;
            give(&pillar.owner, ZNN, PURSE)?;
            give(&pillar.owner, QSR, PURSE)?;
        }
        for treasury in &self.treasuries {
            give(&treasury.address, ZNN, treasury.znn)?;
            give(&treasury.address, QSR, treasury.qsr)?;
        }
        let supply = |token: &str| {
            let mut held = balances.values().filter_map(|balances| balances.get(token));
            let supply = held.try_fold(0_u64, |sum, amount| sum.checked_add(*amount));
            supply
                .filter(|supply| *supply <= MAX_SUPPLY)
                .context("the supply is too large")
        };
        let token = |symbol: &str, standard: &str| {
            anyhow::Ok(json!({
                "owner": TOKEN,
                "tokenName": symbol,
                "tokenSymbol": symbol,
                "tokenDomain": "zenon.network",
                "totalSupply": supply(standard)?,
                "maxSupply": MAX_SUPPLY,
                "decimals": 8,
                "isMintable": true,
                "isBurnable": true,
                "isUtility": true,
                "tokenStandard": standard,
            }))
        };
        let block = |(address, balances): (&&str, &BTreeMap<&str, u64>)| {
            let held = balances.iter().filter(|(_, amount)| **amount > 0);
            let list: Map<String, Value> = held
                .map(|(token, amount)| ((*token).to_owned(), json!(amount)))
                .collect();
            json!({"Address": address, "BalanceList": list})
        };
        Ok(json!({
            "ChainIdentifier": self.chain_id,
            "ExtraData": self.extra_data,
            "GenesisTimestampSec": begins_s,
            "SporkAddress": self.spork,
            "PillarConfig": {
                "Pillars": self.pillars.iter().map(|pillar| pillar.info(begins_s)).collect::<Vec<_>>(),
                "Delegations": self.pillars.iter().map(Pillar::delegation).collect::<Vec<_>>(),
                "LegacyEntries": [],
            },
            "TokenConfig": {"Tokens": [token("ZNN", ZNN)?, token("QSR", QSR)?]},
            "PlasmaConfig": {"Fusions": self.pillars.iter().map(Pillar::fusion).collect::<Vec<_>>()},
            "SwapConfig": {"Entries": []},
            "SporkConfig": {"Sporks": []},
            "GenesisBlocks": {"Blocks": balances.iter().map(block).collect::<Vec<_>>()},
        }))
    }

    /// The same address, as long as this lives.
    fn named(&self, address: &str) -> &str {
        let contracts = [PILLARS, PLASMA].into_iter();
        let owners = self.pillars.iter().map(|pillar| pillar.owner.as_str());
        let treasuries = self
            .treasuries
            .iter()
            .map(|treasury| treasury.address.as_str());
        let mut all = contracts.chain(owners).chain(treasuries);
        all.find(|known| *known == address).unwrap_or_default()
    }
}

impl Pillar {
    fn info(&self, begins_s: u64) -> Value {
        json!({
            "Name": self.name,
            "BlockProducingAddress": self.producer,
            "StakeAddress": self.owner,
            "RewardWithdrawAddress": self.owner,
            "Amount": STAKE,
            "RegistrationTime": begins_s,
            "RevokeTime": 0,
            "GiveBlockRewardPercentage": 0,
            "GiveDelegateRewardPercentage": 100,
            "PillarType": 1,
        })
    }

    fn delegation(&self) -> Value {
        json!({"Name": self.name, "Backer": self.owner})
    }

    fn fusion(&self) -> Value {
        // Ids have to differ, and need not mean anything.
        let id = Digest::of(format!("fusion for {}", self.producer).as_bytes());
        json!({
            "owner": self.owner,
            "id": id,
            "amount": FUSED,
            "withdrawHeight": 0,
            "beneficiaryAddress": self.producer,
        })
    }
}

fn pillar(text: &str) -> Result<Pillar, String> {
    let (name, addresses) = text.split_once('=').ok_or("a pillar is NAME=ADDRESS")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
        return Err(format!(
            "{name:?}: a pillar's name is 1 to 40 letters, digits, '-', '.' and '_'"
        ));
    }
    let (owner, producer) = addresses.split_once(',').unwrap_or((addresses, addresses));
    Ok(Pillar {
        name: name.to_owned(),
        owner: user_address(owner)?,
        producer: user_address(producer)?,
    })
}

fn treasury(text: &str) -> Result<Treasury, String> {
    let wrong = || format!("{text:?}: a treasury is ADDRESS=ZNN,QSR in whole coins");
    let (address, amounts) = text.split_once('=').ok_or_else(wrong)?;
    let (znn, qsr) = amounts.split_once(',').ok_or_else(wrong)?;
    let coins = |text: &str| text.parse::<u64>().ok()?.checked_mul(UNIT);
    Ok(Treasury {
        address: user_address(address)?,
        znn: coins(znn).ok_or_else(wrong)?,
        qsr: coins(qsr).ok_or_else(wrong)?,
    })
}

/// An address of a user: bech32, twenty bytes of which the first is zero.
fn user_address(text: &str) -> Result<String, String> {
    match bech32::decode("z", text) {
        Some(bytes) if bytes.len() == 20 && bytes[0] == 0 => Ok(text.to_owned()),
        Some(_) => Err(format!("{text}: not an address of a user")),
        None => Err(format!("{text}: not an address: a typing error?")),
    }
}
