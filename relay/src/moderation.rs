//! What the operator decided while the relay runs (NIP-86): who is banned, allowed or blocked, which events and kinds,
//! and what of the configuration is overruled.
//!
//! Invariant: a [`Moderation`] never changes and is cheap to copy; who changes one makes another, so that those who ask
//! take no lock. Each decision is one row of the store, and a `Moderation` is what its rows say. Not here: writing rows
//! and telling the workers (`moderator`), and what the lists mean for clients (`access`).

mod address_set;
mod key_set;
mod rows;
mod settings;

pub use address_set::AddressSet;
pub use key_set::KeySet;
pub use rows::{Row, Standing, Subject, Verdict};
pub use settings::{Settings, Window};

use crate::event::{EventId, PublicKey};
use crate::kinds::Kinds;
use crate::store::{Store, StoreError};
use std::collections::BTreeMap;

/// The key space of the rows; no extension can have this name.
pub const SPACE: &str = "core/moderation";

/// Everything the operator decided.
#[derive(Clone, Debug, Default)]
pub struct Moderation {
    /// Their events are refused, and sessions authenticated as one of them neither read nor write.
    pub banned_pubkeys: KeySet<PublicKey>,
    /// Banned keys whose stored events are still to be removed.
    pub to_purge: KeySet<PublicKey>,
    /// Where there are any, only they write, beside those whom the configuration names.
    pub allowed_pubkeys: KeySet<PublicKey>,
    /// Refused, and removed if they were stored.
    pub banned_events: KeySet<EventId>,
    /// Reported, looked at and found good.
    pub cleared_events: KeySet<EventId>,
    /// Where there are any, no others are taken.
    pub allowed_kinds: Kinds,
    /// Not taken.
    pub disallowed_kinds: Kinds,
    /// Nobody from here is served.
    pub blocked_addresses: AddressSet,
    /// What of the configuration is overruled.
    pub settings: Settings,
}

impl Moderation {
    /// Reads all rows of a store.
    pub fn load(store: &dyn Store) -> Result<Self, StoreError> {
        const PAGE_ROWS: usize = 4_096;
        let mut moderation = Self::default();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = store.kv_scan(SPACE, b"", after.as_deref(), PAGE_ROWS)?;
            let rows = rows.into_iter().map(|(key, value)| Row {
                key,
                value: Some(value),
            });
            let rows: Vec<Row> = rows.collect();
            moderation.take_all(&rows)?;
            match rows.into_iter().next_back() {
                Some(Row { key, .. }) => after = Some(key),
                None => return Ok(moderation),
            }
        }
    }

    /// Takes a row over: what it says holds from now on.
    pub fn take(&mut self, row: &Row) -> Result<(), StoreError> {
        self.take_all(std::slice::from_ref(row))
    }

    /// Takes rows over, one after the other. Each set of kinds is made anew once, however many rows are about kinds.
    pub fn take_all(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let mut kinds = BTreeMap::new();
        for row in rows {
            match row.read()? {
                rows::Meaning::Settings(settings) => self.settings = settings.unwrap_or_default(),
                rows::Meaning::Standing(subject, standing) => {
                    let verdict = standing.as_ref().map(|it| it.verdict);
                    if let Subject::Kind(kind) = subject {
                        kinds.insert(kind, verdict);
                    } else {
                        let purge = standing.as_ref().is_some_and(|it| it.to_purge);
                        self.set(&subject, verdict, purge);
                    }
                }
            }
        }
        if !kinds.is_empty() {
            let named: Kinds = kinds.keys().copied().collect();
            for (verdict, set) in [
                (Verdict::Allowed, &mut self.allowed_kinds),
                (Verdict::Denied, &mut self.disallowed_kinds),
            ] {
                let with = kinds.iter().filter(|(_, said)| **said == Some(verdict));
                let with: Kinds = with.map(|(kind, _)| *kind).collect();
                // Without all that are named: whatever is neither outside the set nor one of those.
                *set = !(!std::mem::take(set) | named.clone()) | with;
            }
        }
        Ok(())
    }

    /// For all but kinds.
    fn set(&mut self, subject: &Subject, verdict: Option<Verdict>, purge: bool) {
        let allowed = verdict == Some(Verdict::Allowed);
        let denied = verdict == Some(Verdict::Denied);
        match subject {
            Subject::Pubkey(key) => {
                self.allowed_pubkeys.set(*key, allowed);
                self.banned_pubkeys.set(*key, denied);
                self.to_purge.set(*key, purge);
            }
            Subject::Event(id) => {
                self.cleared_events.set(*id, allowed);
                self.banned_events.set(*id, denied);
            }
            Subject::Kind(_) => {}
            Subject::Address(range) => self.blocked_addresses.set(*range, denied),
        }
    }

    /// How many entries the lists have together.
    pub fn len(&self) -> usize {
        self.banned_pubkeys.len()
            + self.allowed_pubkeys.len()
            + self.banned_events.len()
            + self.cleared_events.len()
            + self.allowed_kinds.len()
            + self.disallowed_kinds.len()
            + self.blocked_addresses.len()
    }

    /// True if nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether events of this kind are taken.
    pub fn takes_kind(&self, kind: u16) -> bool {
        !self.disallowed_kinds.contains(kind)
            && (self.allowed_kinds.is_empty() || self.allowed_kinds.contains(kind))
    }

    /// Every kind that is taken.
    pub fn taken_kinds(&self) -> Kinds {
        let allowed = match self.allowed_kinds.is_empty() {
            true => Kinds::all(),
            false => self.allowed_kinds.clone(),
        };
        !(!allowed | self.disallowed_kinds.clone())
    }

    /// Whether an event was banned by its id or with its author.
    pub fn bans(&self, id: &EventId, author: &PublicKey) -> bool {
        self.banned_events.contains(id) || self.banned_pubkeys.contains(author)
    }
}

#[cfg(test)]
mod tests;
