//! What is given out for a backup, and how it is put back.

use super::State;
use crate::event::{Address, EventId, lowercase_hex};
use crate::store::{Change, EntriesOf, Entry, EntryPage, EntryPlace, PutBack, chain};

impl State {
    /// See [`crate::store::Store::changes_with`].
    pub(super) fn entries_of(&self, of: &EntriesOf) -> Vec<Entry> {
        match of {
            EntriesOf::Row { extension, key } => {
                let value = self.kv.get(&(extension.clone(), key.clone())).cloned();
                let (extension, key) = (extension.clone(), key.clone());
                vec![Entry::Row {
                    extension,
                    key,
                    value,
                }]
            }
            EntriesOf::LastRows { space, rows } => {
                let first = (space.clone(), Vec::new());
                let beyond = (space.clone(), chain::BEYOND.to_vec());
                let rows = self.kv.range(first..beyond).rev().take(*rows as usize);
                rows.map(|((extension, key), value)| Entry::Row {
                    extension: extension.clone(),
                    key: key.clone(),
                    value: Some(value.clone()),
                })
                .collect()
            }
            EntriesOf::Deletion(deletion) => {
                let by = *deletion.pubkey();
                let mut entries = Vec::new();
                for tag in deletion.tags() {
                    let value = tag.value().unwrap_or_default();
                    let id = lowercase_hex(&value).map(EventId::from_byte_array);
                    if let (Some(b'e'), Some(id)) = (tag.letter(), id)
                        && self.deleted_ids.contains(&(id, by))
                    {
                        entries.push(Entry::DeletedId { id, by });
                    }
                    if let (Some(b'a'), Some(address)) = (tag.letter(), Address::parse(&value))
                        && address.pubkey == by
                        && let Some(until) = self.deleted_addresses.get(&address).copied()
                    {
                        entries.push(Entry::DeletedAddress { address, until });
                    }
                }
                entries
            }
            EntriesOf::Vanishing(pubkey) => {
                let pubkey = *pubkey;
                let vanished = self.vanished.get(&pubkey).copied();
                let until = self.vanishing.get(&pubkey).copied();
                vanished
                    .map(|until| Entry::Vanished { pubkey, until })
                    .into_iter()
                    .chain([Entry::Vanishing { pubkey, until }])
                    .collect()
            }
        }
    }

    /// See [`crate::store::Store::entries`].
    pub(super) fn entry_page(&self, after: Option<&EntryPlace>, max: usize) -> EntryPage {
        let mut all: Vec<(Vec<u8>, Entry)> = self
            .all_entries()
            .map(|entry| (place_of(&entry), entry))
            .filter(|(place, _)| after.is_none_or(|after| *place > after.0))
            .collect();
        all.sort_unstable();
        let more = all.len() > max;
        all.truncate(max);
        let last = all.last().map(|(place, _)| EntryPlace(place.clone()));
        EntryPage {
            entries: all.into_iter().map(|(_, entry)| entry).collect(),
            next: last.filter(|_| more),
            nameless: 0,
        }
    }

    fn all_entries(&self) -> impl Iterator<Item = Entry> {
        let ids = self.deleted_ids.iter();
        let ids = ids.map(|(id, by)| Entry::DeletedId { id: *id, by: *by });
        let addresses = self.deleted_addresses.iter();
        let addresses = addresses.map(|(address, until)| Entry::DeletedAddress {
            address: address.clone(),
            until: *until,
        });
        let vanished = self.vanished.iter();
        let vanished = vanished.map(|(pubkey, until)| Entry::Vanished {
            pubkey: *pubkey,
            until: *until,
        });
        let vanishing = self.vanishing.iter();
        let vanishing = vanishing.map(|(pubkey, until)| Entry::Vanishing {
            pubkey: *pubkey,
            until: Some(*until),
        });
        let rows = self.kv.iter().map(|((extension, key), value)| Entry::Row {
            extension: extension.clone(),
            key: key.clone(),
            value: Some(value.clone()),
        });
        ids.chain(addresses)
            .chain(vanished)
            .chain(vanishing)
            .chain(rows)
    }

    /// See [`crate::store::Store::put_back`].
    pub(super) fn put_back(&mut self, put: &PutBack) {
        match put {
            PutBack::Event(stored) => {
                self.last_row = self.last_row.max(stored.row);
                self.events.insert(*stored.event.id(), stored.clone());
            }
            PutBack::Removed {
                row,
                id,
                kind,
                pubkey,
                cause,
            } => {
                self.last_row = self.last_row.max(*row);
                self.events.remove(id);
                let removed = Change::Removed {
                    row: *row,
                    id: *id,
                    kind: *kind,
                    pubkey: *pubkey,
                    cause: *cause,
                };
                self.removals.insert(*row, removed);
            }
            PutBack::Entry(entry) => self.put_back_entry(entry.clone()),
            PutBack::ForgetEntries => {
                self.deleted_ids.clear();
                self.deleted_addresses.clear();
                self.vanished.clear();
                self.vanishing.clear();
                self.kv.clear();
            }
            PutBack::Begin(row) => {
                self.last_row = *row;
                self.removals_cut_at = *row;
            }
        }
    }

    fn put_back_entry(&mut self, entry: Entry) {
        match entry {
            Entry::Row {
                extension,
                key,
                value,
            } => {
                match value {
                    Some(value) => self.kv.insert((extension, key), value),
                    None => self.kv.remove(&(extension, key)),
                };
            }
            Entry::DeletedId { id, by } => {
                self.deleted_ids.insert((id, by));
            }
            Entry::DeletedAddress { address, until } => {
                self.deleted_addresses.insert(address, until);
            }
            Entry::Vanished { pubkey, until } => {
                self.vanished.insert(pubkey, until);
            }
            Entry::Vanishing { pubkey, until } => {
                match until {
                    Some(until) => self.vanishing.insert(pubkey, until),
                    None => self.vanishing.remove(&pubkey),
                };
            }
        }
    }
}

/// What names an entry, as bytes.
fn place_of(entry: &Entry) -> Vec<u8> {
    match entry {
        Entry::DeletedId { id, by } => [&[0], &id.as_bytes()[..], by.as_bytes()].concat(),
        Entry::DeletedAddress { address, .. } => [&[1], address.to_string().as_bytes()].concat(),
        Entry::Vanished { pubkey, .. } => [&[2], &pubkey.as_bytes()[..]].concat(),
        Entry::Vanishing { pubkey, .. } => [&[3], &pubkey.as_bytes()[..]].concat(),
        Entry::Row { extension, key, .. } => [&[4], extension.as_bytes(), &[0], key].concat(),
    }
}
