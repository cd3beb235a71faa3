//! `trellis blossom ...`: what an operator does to the blobs that are held, while the relay runs or not.

mod words;

use crate::BlossomPolicy;
use crate::administration::{self, Action, Subject};
use crate::recovery;
use crate::rescan;
use std::fmt::Write as _;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use words::Order;

const USAGE: &str = "\
blossom totals                                  what is stored
blossom check [--remove]                        compare the storage with the index; remove what does not belong
blossom rescan                                  compare what is stored with the block lists
blossom ban SHA256|PUBKEY --reason TEXT         store nothing with this hash, or of this key
blossom unban SHA256|PUBKEY --reason TEXT       take that back
blossom quarantine SHA256 --reason TEXT         show a blob to nobody
blossom unquarantine SHA256 --reason TEXT       show it again
blossom remove SHA256 --reason TEXT             remove a blob, whoever has uploaded it
(a key is written as npub; 64 hex digits are a hash)";
/// Who has decided, in the book.
const OPERATOR: &str = "operator";

/// Registers the subcommand.
pub(crate) fn register(hooks: &mut Registrar<BlossomPolicy>) {
    let about = "blobs: totals, check, rescan, ban, quarantine, remove";
    hooks.command("blossom", about, async |me: Arc<BlossomPolicy>, words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [] => Err(format!("blossom wants to know what to do:\n{USAGE}")),
            ["help" | "--help" | "-h"] => Ok(USAGE.to_owned()),
            ["totals"] => totals(&me).await,
            ["check"] => check(&me, false).await,
            ["check", "--remove"] => check(&me, true).await,
            ["rescan"] => rescan(&me).await,
            [known @ ("totals" | "rescan"), ..] => Err(format!("{known} stands alone:\n{USAGE}")),
            ["check", wrong, ..] => Err(format!(
                "check has no {wrong:?}, and nothing behind --remove:\n{USAGE}"
            )),
            ["ban", ..] => order(&me, Action::Ban, &words).await,
            ["unban", ..] => order(&me, Action::Unban, &words).await,
            ["quarantine", ..] => order(&me, Action::Quarantine, &words).await,
            ["unquarantine", ..] => order(&me, Action::Unquarantine, &words).await,
            ["remove", ..] => order(&me, Action::Remove, &words).await,
            [unknown, ..] => Err(format!(
                "blossom does not know {unknown:?}; it can:\n{USAGE}"
            )),
        }
    });
}

async fn totals(me: &BlossomPolicy) -> Result<String, String> {
    let totals = me.holdings.index().totals().await;
    let totals = totals.map_err(|error| format!("the index cannot be read: {error}"))?;
    let mut told = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(told, "blobs\t{}", totals.blobs);
    let _ = writeln!(told, "bytes\t{}", totals.bytes);
    let _ = writeln!(told, "quarantined\t{}", totals.quarantined);
    Ok(told)
}

async fn check(me: &BlossomPolicy, remove: bool) -> Result<String, String> {
    let findings = recovery::check(&me.holdings, remove).await;
    findings
        .map(|findings| findings.to_string())
        .map_err(|error| format!("the comparison broke off: {error}"))
}

async fn rescan(me: &BlossomPolicy) -> Result<String, String> {
    let scanned = rescan::scan(me)
        .await
        .map_err(|refusal| refusal.in_full())?;
    let mut told = String::new();
    // Without hashes there is nothing to look for, and no blob is looked at.
    let _ = writeln!(told, "hashes\t{}", me.block_lists.hashes());
    let _ = writeln!(told, "blobs\t{}", scanned.blobs);
    let _ = writeln!(told, "quarantined\t{}", scanned.quarantined);
    let _ = writeln!(told, "unread\t{}", scanned.unread);
    Ok(told)
}

async fn order(me: &BlossomPolicy, action: Action, words: &[&str]) -> Result<String, String> {
    let usage = |problem: &str| format!("{problem}:\n{USAGE}");
    let Order { subject, reason } = words::order(words).map_err(usage)?;
    let subject = match subject.starts_with("npub1") {
        true => Subject::read(None, Some(subject)),
        false => Subject::read(Some(subject), None),
    };
    let subject = subject.map_err(|refusal| usage(&refusal.to_string()))?;
    let done = administration::carry_out(me, OPERATOR, action, subject, reason).await;
    match done.map_err(|refusal| refusal.in_full())? {
        true => Ok("done\n".to_owned()),
        false => Ok("it was so before\n".to_owned()),
    }
}
