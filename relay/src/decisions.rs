//! The log of enforcement decisions: what was done to whom or what, under which rule, and why.
//!
//! Invariant: rows are added and never changed ([`chain`]), and nothing stands in them that says who somebody is beside the
//! key or id that the decision is about: no network address, no address of mail, no content. Not here: the decisions
//! themselves (`moderator`, `admin`, and extensions, which note theirs by `Host::note_decision`).

use crate::anonymous;
use crate::config::Timestamp;
use crate::event::{EventId, PublicKey};
use crate::filter::Filter;
use crate::reason;
use crate::store::{Store, StoreError, Write, chain};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The key space of the rows; no extension can have this name.
pub const SPACE: &str = "core/decisions";
/// Words of others are cut off after so many characters, and end in [`CUT`] then.
const WORD_CHARS_MAX: usize = 64;
const SUBJECT_CHARS_MAX: usize = 8_000;
const REASON_CHARS_MAX: usize = 500;
/// Ids, keys and kinds of each list that a subject names one by one; all of them fit into `SUBJECT_CHARS_MAX`.
const NAMED_MAX: usize = 20;
/// What shows that more was said.
const CUT: &str = "...";

/// Where nothing else is said.
const OPERATOR: &str = "operator";
/// What a reason may begin with, and the rule that it names then: the grounds on which an operator acts.
const GROUNDS: [(&str, &str); 4] = [
    ("abuse:", "technical abuse"),
    ("legal:", "legal process"),
    ("reports:", "user reports"),
    ("policy:", "acceptable use"),
];

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When. Seconds since 1970.
    pub at: u64,
    /// Where it came from: `management` (NIP-86), `command`, or the name of an extension.
    pub by: String,
    /// What was done, such as `banpubkey`.
    pub action: String,
    /// What it is about, such as `pubkey:7e7e...`.
    pub subject: String,
    /// Under which rule: one of the grounds, or what an extension keeps to; `operator` where none was named.
    pub rule: String,
    /// Why, in the words of whoever decided.
    pub reason: String,
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Counted from 1.
    pub number: u64,
    /// What was decided.
    #[serde(flatten)]
    pub decision: Decision,
    /// The SHA-256 by which the next row names this one, in hex.
    pub sha256: String,
}

impl Decision {
    /// With a reason that may name its ground: `legal: order of a court`.
    pub fn new(at_s: u64, by: &str, action: &str, subject: &str, reason: &str) -> Self {
        let reason = reason.trim_start();
        let ground = GROUNDS.iter().find_map(|(word, rule)| {
            let head = reason.get(..word.len())?;
            let is_it = head.eq_ignore_ascii_case(word);
            is_it.then(|| (*rule, &reason[word.len()..]))
        });
        let (rule, reason) = ground.unwrap_or((OPERATOR, reason));
        Self::under(rule, at_s, by, action, subject, reason)
    }

    /// With a rule that is known.
    pub fn under(
        rule: &str,
        at_s: u64,
        by: &str,
        action: &str,
        subject: &str,
        reason: &str,
    ) -> Self {
        Decision {
            at: at_s,
            by: clean(by, WORD_CHARS_MAX),
            action: clean(action, WORD_CHARS_MAX),
            subject: clean(subject, SUBJECT_CHARS_MAX),
            rule: clean(rule, WORD_CHARS_MAX),
            reason: clean(reason, REASON_CHARS_MAX),
        }
    }

    /// The write that adds it to the log; part of the commit that carries the decision out, where there is one. A full
    /// store takes it, or whoever fills the store would keep the operator's decisions from being written down.
    pub fn write(&self) -> Write {
        self.append(true)
    }

    /// The same for what an extension decides, which others may bring about as often as they like: a full store refuses it.
    pub fn write_if_there_is_room(&self) -> Write {
        self.append(false)
    }

    fn append(&self, even_if_full: bool) -> Write {
        Write::Append {
            space: SPACE.to_owned(),
            // Only maps with other keys than text cannot be written.
            entry: serde_json::to_vec(self).unwrap_or_default(),
            even_if_full,
        }
    }
}

/// One line that names nobody by address.
fn clean(text: &str, max_chars: usize) -> String {
    let text = anonymous::without_addresses(text.trim());
    let line = reason::one_line(text.trim(), usize::MAX);
    match line.char_indices().nth(max_chars) {
        None => line,
        Some(_) => {
            let kept: String = line.chars().take(max_chars - CUT.len()).collect();
            kept + CUT
        }
    }
}

/// Subjects as the log writes them.
pub mod subject {
    use super::*;

    /// A person, by the key that the decision is about.
    pub fn pubkey(pubkey: &PublicKey) -> String {
        format!("pubkey:{}", pubkey.to_hex())
    }

    /// An event.
    pub fn event(id: &EventId) -> String {
        format!("event:{}", id.to_hex())
    }

    /// Kinds, in the order that was given.
    pub fn kinds(kinds: &[u16]) -> String {
        let named: Vec<String> = kinds.iter().take(NAMED_MAX).map(u16::to_string).collect();
        match kinds.len().saturating_sub(NAMED_MAX) {
            0 => format!("kinds:{}", named.join(",")),
            more => format!("kinds:{} and {more} more", named.join(",")),
        }
    }

    /// A network address, which stays out: it says where somebody is.
    pub const ADDRESS: &str = "address";

    /// The events that a filter names. Of tags only those that hold keys, ids and addresses of events are told; others may
    /// hold anything.
    pub fn filter(filter: &Filter) -> String {
        let mut told = Map::new();
        let mut tell = |name: String, values: Vec<Value>| {
            let more = values.len().saturating_sub(NAMED_MAX);
            let mut values: Vec<Value> = values.into_iter().take(NAMED_MAX).collect();
            if more > 0 {
                values.push(format!("and {more} more").into());
            }
            told.insert(name, values.into());
        };
        if let Some(ids) = &filter.ids {
            let ids = ids.iter().map(|id| id.to_hex().into());
            tell("ids".to_owned(), ids.collect());
        }
        if let Some(authors) = &filter.authors {
            let authors = authors.iter().map(|key| key.to_hex().into());
            tell("authors".to_owned(), authors.collect());
        }
        if let Some(kinds) = &filter.kinds {
            let kinds = kinds.iter().map(|kind| (*kind).into());
            tell("kinds".to_owned(), kinds.collect());
        }
        for (letter, values) in &filter.tags {
            let name = format!("#{}", char::from(*letter));
            match letter {
                b'e' | b'p' => {
                    let is_hex =
                        |value: &&String| crate::event::lowercase_hex::<32>(value).is_some();
                    let values = values.iter().filter(is_hex).cloned().map(Value::String);
                    tell(name, values.collect());
                }
                _ => {
                    let count = format!("{} values", values.len());
                    tell(name, vec![count.into()]);
                }
            }
        }
        for (name, number) in [
            ("since", filter.since),
            ("until", filter.until),
            ("limit", filter.limit.map(|limit| limit as u64)),
        ] {
            if let Some(number) = number {
                told.insert(name.to_owned(), number.into());
            }
        }
        format!("events:{}", Value::Object(told))
    }
}

/// At most `max` rows with lower numbers than `before`, the newest first.
pub fn newest(store: &dyn Store, before: Option<u64>, max: usize) -> Result<Vec<Row>, StoreError> {
    let last = last_number(store)?;
    let before = before.unwrap_or(u64::MAX).min(last.saturating_add(1));
    let after = before.saturating_sub(1).saturating_sub(max as u64);
    let max = max.min(before.saturating_sub(1) as usize);
    let rows = store.kv_scan(SPACE, b"", Some(&chain::key(after)), max)?;
    let rows: Result<Vec<Row>, StoreError> = rows
        .iter()
        .map(|(key, value)| {
            let number = chain::number(key).ok_or_else(damaged)?;
            row(number, chain::entry(value).ok_or_else(damaged)?, value)
        })
        .collect();
    let mut rows = rows?;
    rows.reverse();
    Ok(rows)
}

/// Calls back with every row, the oldest first, each compared with the one before it, and says how many there are. An `Err`
/// of the callback ends it.
pub fn follow<E: From<StoreError>>(
    store: &dyn Store,
    mut each: impl FnMut(&Row) -> Result<(), E>,
) -> Result<u64, E> {
    const PAGE_ROWS: usize = 500;
    let mut follower = chain::Follower::default();
    loop {
        let (last, _) = follower.last();
        let from = (last > 0).then(|| chain::key(last));
        let rows = store.kv_scan(SPACE, b"", from.as_ref().map(|key| &key[..]), PAGE_ROWS)?;
        if rows.is_empty() {
            return Ok(last);
        }
        for (key, value) in &rows {
            let entry = follower.follow(key, value);
            let entry = entry
                .map_err(|broken| StoreError::Corrupt(format!("the log of decisions: {broken}")))?;
            let (number, _) = follower.last();
            each(&row(number, entry, value)?)?;
        }
    }
}

fn row(number: u64, entry: &[u8], value: &[u8]) -> Result<Row, StoreError> {
    let unreadable = |_| {
        StoreError::Corrupt(format!(
            "row {number} of the log of decisions cannot be read"
        ))
    };
    Ok(Row {
        number,
        decision: serde_json::from_slice(entry).map_err(unreadable)?,
        sha256: const_hex::encode(chain::hash(value)),
    })
}

/// By doubling and halving: rows are numbered without a gap.
fn last_number(store: &dyn Store) -> Result<u64, StoreError> {
    let is_there = |number: u64| -> Result<bool, StoreError> {
        Ok(store.kv_get(SPACE, &chain::key(number))?.is_some())
    };
    let mut beyond = 1;
    while is_there(beyond)? {
        beyond *= 2;
    }
    let mut there = beyond / 2;
    while there + 1 < beyond {
        let middle = there + (beyond - there) / 2;
        match is_there(middle)? {
            true => there = middle,
            false => beyond = middle,
        }
    }
    Ok(there)
}

fn damaged() -> StoreError {
    StoreError::Corrupt("a row of the log of decisions cannot be read".to_owned())
}

impl Row {
    /// As it is told to operators: times as people read them.
    pub fn told(&self) -> Value {
        let Decision {
            at,
            by,
            action,
            subject,
            rule,
            reason,
        } = &self.decision;
        json!({
            "number": self.number,
            "at": Timestamp::from_unix_secs(*at).to_string(),
            "by": by,
            "action": action,
            "subject": subject,
            "rule": rule,
            "reason": reason,
            "sha256": self.sha256,
        })
    }
}

#[cfg(test)]
mod tests;
