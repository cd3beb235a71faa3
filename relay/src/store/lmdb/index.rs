//! Chooses the index that answers a filter with the fewest entries.

use super::cursor::Walk;
use super::fault::Result;
use super::keys::{self, Key, KeyedHash};
use super::lanes::{Lanes, Range, first_times};
use super::tables::{Table, Tables};
use crate::filter::Filter;
use crate::store::Order;
use lmdb::RoTransaction;

/// More lanes than this are not opened: each costs a search at every page.
const MOST_LANES: usize = 4_096;
/// How much of an index is looked at to guess its share.
const SAMPLED_LANES: usize = 4;
const SAMPLED_ENTRIES: usize = 8;
/// To read so many in vain costs no more than to look at another index.
const FEW_ENTRIES: u64 = 16;
/// Without `since`, a guess reaches so far back.
const HORIZON_SECONDS: u64 = 365 * 24 * 3600;

/// The ranges of one index that hold everything a filter asks for.
pub(super) struct Choice {
    table: Table,
    prefixes: Vec<Key>,
}

impl Choice {
    /// Opens the lanes.
    pub(super) fn lanes<'t>(
        self,
        txn: &'t RoTransaction<'_>,
        tables: &Tables,
        range: Range,
    ) -> Result<Lanes<'t>> {
        let walk = Walk::new(txn, tables.of(self.table))?;
        Lanes::new(self.table, walk, self.prefixes, range)
    }
}

/// Any choice is right; the better the guess, the fewer entries are read in vain.
pub(super) fn choose(
    txn: &RoTransaction<'_>,
    tables: &Tables,
    hash: &KeyedHash,
    filter: &Filter,
    range: Range,
) -> Result<Choice> {
    let mut choices = candidates(filter, hash).into_iter();
    let Some(mut best) = choices.next() else {
        return Ok(Choice {
            table: Table::Time,
            prefixes: vec![Key::new()],
        });
    };
    if choices.len() == 0 {
        return Ok(best);
    }
    let mut least = guess_entries(txn, tables, &best, range)?;
    for choice in choices {
        if least <= FEW_ENTRIES {
            break;
        }
        let entries = guess_entries(txn, tables, &choice, range)?;
        if entries < least {
            (least, best) = (entries, choice);
        }
    }
    Ok(best)
}

fn candidates(filter: &Filter, hash: &KeyedHash) -> Vec<Choice> {
    let mut choices = Vec::new();
    for (letter, values) in &filter.tags {
        if values.len() <= MOST_LANES {
            let prefixes = values.iter().map(|value| hash.tag(*letter, value));
            choices.push(Choice {
                table: Table::Tag,
                prefixes: prefixes.map(|prefix| Key::from_slice(&prefix)).collect(),
            });
        }
    }
    let authors = filter.authors.as_deref();
    let kinds = filter.kinds.as_deref();
    let pk8s = || {
        let mut pk8s: Vec<[u8; 8]> = authors
            .unwrap_or_default()
            .iter()
            .map(|author| keys::pk8(author.as_bytes()))
            .collect();
        // Sorted already; authors may share their first bytes.
        pk8s.dedup();
        pk8s
    };
    match (authors, kinds) {
        (Some(authors), Some(kinds)) if authors.len() * kinds.len() <= MOST_LANES => {
            let with_kinds = |pk8: [u8; 8]| {
                kinds.iter().map(move |kind| {
                    let mut prefix = Key::from_slice(&pk8);
                    prefix.extend_from_slice(&kind.to_be_bytes());
                    prefix
                })
            };
            choices.push(Choice {
                table: Table::AuthorKind,
                prefixes: pk8s().into_iter().flat_map(with_kinds).collect(),
            });
        }
        (Some(authors), _) if authors.len() <= MOST_LANES => choices.push(Choice {
            table: Table::Author,
            prefixes: pk8s().iter().map(|pk8| Key::from_slice(pk8)).collect(),
        }),
        (_, Some(kinds)) if kinds.len() <= MOST_LANES => {
            let prefixes = kinds.iter().map(|kind| kind.to_be_bytes());
            choices.push(Choice {
                table: Table::Kind,
                prefixes: prefixes.map(|prefix| Key::from_slice(&prefix)).collect(),
            });
        }
        _ => {}
    }
    choices
}

/// From the newest entries of a few lanes, how many there may be in the range.
fn guess_entries(
    txn: &RoTransaction<'_>,
    tables: &Tables,
    choice: &Choice,
    range: Range,
) -> Result<u64> {
    let step = choice.prefixes.len().div_ceil(SAMPLED_LANES).max(1);
    let newest_first = Range {
        order: Order::NewestFirst,
        resume: range.resume.filter(|_| range.order == Order::NewestFirst),
        ..range
    };
    let mut walk = Walk::new(txn, tables.of(choice.table))?;
    let mut entries = 0;
    for prefix in choice.prefixes.iter().step_by(step) {
        let times = first_times(
            &mut walk,
            choice.table,
            prefix,
            newest_first,
            SAMPLED_ENTRIES,
        )?;
        let seen = times.len() as u64;
        entries += seen;
        if times.len() == SAMPLED_ENTRIES
            && let (Some(newest), Some(oldest)) = (times.first(), times.last())
        {
            let rest = oldest.saturating_sub(range.since).min(HORIZON_SECONDS);
            entries += seen * rest / (newest - oldest + 1);
        }
    }
    // A lane that is empty costs its search all the same.
    Ok(entries * step as u64 + choice.prefixes.len() as u64)
}
