//! What is given out for a backup: changes and entries of one transaction, and all entries page by page.

use super::changes;
use super::cursor::Walk;
use super::fault::{Fault, Result};
use super::keys;
use super::kv;
use super::mapped::Mapped;
use super::meta;
use super::records::Records;
use super::tables::Table;
use super::vanishing;
use crate::event::{Address, Event, EventId, PublicKey, lowercase_hex};
use crate::store::{Changes, EntriesOf, Entry, EntryPage, EntryPlace, Vanishing, chain};
use lmdb::RoTransaction;
use std::collections::HashMap;
use std::sync::Arc;

/// Tables of entries in the order in which they are given out.
const TABLES: [Table; 5] = [
    Table::DeletedId,
    Table::DeletedAddress,
    Table::Vanished,
    Table::Vanishing,
    Table::Extension,
];
/// Where an address stands in its tombstone, after two numbers.
const ADDRESS_AT: usize = 10;

/// See [`crate::store::Store::changes_with`].
pub(super) fn changes_with(
    store: &Mapped,
    after: u64,
    max: usize,
    of: &[EntriesOf],
) -> Result<(Changes, Vec<Entry>)> {
    let txn = store.env.begin_ro_txn()?;
    let changes = changes::changes(&txn, &store.tables, after, max)?;
    let mut entries = Vec::with_capacity(of.len());
    for of in of {
        match of {
            EntriesOf::Row { extension, key } => entries.push(Entry::Row {
                value: kv::get(&txn, &store.tables, extension, key)?,
                extension: extension.clone(),
                key: key.clone(),
            }),
            EntriesOf::LastRows { space, rows } => {
                last_rows(store, &txn, space, *rows, &mut entries)?;
            }
            EntriesOf::Deletion(deletion) => {
                tombstones_of(store, &txn, deletion, &mut entries)?;
            }
            EntriesOf::Vanishing(pubkey) => vanishing_of(store, &txn, pubkey, &mut entries)?,
        }
    }
    Ok((changes, entries))
}

fn last_rows(
    store: &Mapped,
    txn: &RoTransaction<'_>,
    space: &str,
    rows: u64,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let mut beyond = chain::BEYOND.to_vec();
    for _ in 0..rows {
        let Some((key, value)) = kv::last(txn, &store.tables, space, &beyond)? else {
            break;
        };
        beyond.clone_from(&key);
        entries.push(Entry::Row {
            extension: space.to_owned(),
            key,
            value: Some(value),
        });
    }
    Ok(())
}

fn tombstones_of(
    store: &Mapped,
    txn: &RoTransaction<'_>,
    deletion: &Event,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let by = *deletion.pubkey();
    for tag in deletion.tags() {
        let value = tag.value().unwrap_or_default();
        if tag.letter() == Some(b'e')
            && let Some(id) = lowercase_hex(&value)
        {
            let key = keys::deleted_id(&id, by.as_bytes());
            if store.tables.get(txn, Table::DeletedId, &key)?.is_some() {
                let id = EventId::from_byte_array(id);
                entries.push(Entry::DeletedId { id, by });
            }
        }
        if tag.letter() == Some(b'a')
            && let Some(address) = Address::parse(&value).filter(|address| address.pubkey == by)
        {
            let key = hash_of(store, &address);
            let found = store.tables.get(txn, Table::DeletedAddress, &key)?;
            if let Some(until) = found.and_then(keys::read_five) {
                entries.push(Entry::DeletedAddress { address, until });
            }
        }
    }
    Ok(())
}

fn vanishing_of(
    store: &Mapped,
    txn: &RoTransaction<'_>,
    pubkey: &PublicKey,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let pubkey = *pubkey;
    let bytes = pubkey.as_bytes();
    let vanished = store.tables.get(txn, Table::Vanished, bytes)?;
    if let Some(until) = vanished.and_then(keys::read_five) {
        entries.push(Entry::Vanished { pubkey, until });
    }
    let key = vanishing::key(&store.hash, bytes);
    let until = store.tables.get(txn, Table::Vanishing, &key)?;
    let until = until.and_then(keys::read_five);
    entries.push(Entry::Vanishing { pubkey, until });
    Ok(())
}

/// See [`crate::store::Store::entries`]. A place is the number of a table and a key in it.
pub(super) fn entries(store: &Mapped, after: Option<&EntryPlace>, max: usize) -> Result<EntryPage> {
    let txn = store.env.begin_ro_txn()?;
    let spaces = meta::extension_names(&txn, &store.tables)?;
    let (first, mut after) = match after.and_then(|place| place.0.split_first()) {
        Some((table, key)) => (usize::from(*table), Some(key)),
        None => (0, None),
    };
    let mut page = EntryPage::default();
    let mut bytes = 0;
    for (number, table) in TABLES.iter().enumerate().skip(first) {
        let mut walk = Walk::new(&txn, store.tables.of(*table))?;
        let mut found = match after.take() {
            Some(key) => match walk.at_or_after(key)? {
                Some((found, _)) if found == key => walk.next()?,
                other => other,
            },
            None => walk.first()?,
        };
        while let Some((key, value)) = found {
            match entry(store, &txn, *table, key, value, &spaces)? {
                Some(entry) => {
                    bytes += entry.bytes();
                    page.entries.push(entry);
                }
                None => page.nameless += 1,
            }
            if page.entries.len() >= max || bytes >= EntryPage::BYTES_MAX {
                page.next = Some(EntryPlace([&[number as u8], key].concat()));
                return Ok(page);
            }
            found = walk.next()?;
        }
    }
    Ok(page)
}

/// `None` for a tombstone that nobody can name any more.
fn entry(
    store: &Mapped,
    txn: &RoTransaction<'_>,
    table: Table,
    key: &[u8],
    value: &[u8],
    spaces: &HashMap<u16, String>,
) -> Result<Option<Entry>> {
    let damaged = || Fault::corrupt(format!("an entry of the table {table:?} is damaged"));
    let pubkey = |bytes: &[u8]| {
        let bytes: Option<[u8; 32]> = bytes.try_into().ok();
        bytes.map(PublicKey::from_byte_array).ok_or_else(damaged)
    };
    let until = || keys::read_five(value).ok_or_else(damaged);
    Ok(Some(match table {
        Table::DeletedId => {
            let (id, by) = key.split_first_chunk().ok_or_else(damaged)?;
            Entry::DeletedId {
                id: EventId::from_byte_array(*id),
                by: pubkey(by)?,
            }
        }
        Table::DeletedAddress => {
            let named = std::str::from_utf8(value.get(ADDRESS_AT..).ok_or_else(damaged)?);
            let named = named.ok().and_then(Address::parse);
            let address = match named {
                Some(address) => Some(address),
                None => address_by_deletion(store, txn, key, value)?,
            };
            let until = until()?;
            return Ok(address.map(|address| Entry::DeletedAddress { address, until }));
        }
        Table::Vanished => Entry::Vanished {
            pubkey: pubkey(key)?,
            until: until()?,
        },
        Table::Vanishing => {
            let Vanishing { pubkey, until } = vanishing::read(key, value)?;
            Entry::Vanishing {
                pubkey,
                until: Some(until),
            }
        }
        _ => {
            let (number, key) = key.split_first_chunk().ok_or_else(damaged)?;
            let extension = spaces.get(&u16::from_be_bytes(*number));
            Entry::Row {
                extension: extension.ok_or_else(damaged)?.clone(),
                key: key.to_vec(),
                value: Some(value.to_vec()),
            }
        }
    }))
}

/// For tombstones of earlier versions, which hold the row of the deletion and not what it names.
fn address_by_deletion(
    store: &Mapped,
    txn: &RoTransaction<'_>,
    key: &[u8],
    value: &[u8],
) -> Result<Option<Address>> {
    let row = value.get(5..).and_then(keys::read_five).unwrap_or_default();
    let mut records = Records::new(txn, &store.tables)?;
    let Some(begun) = records.header_bytes(row)? else {
        return Ok(None);
    };
    let deletion = Arc::new(records.event(row, begun)?);
    let mut addresses = deletion
        .tag_values(b'a')
        .filter_map(|value| Address::parse(&value));
    Ok(addresses.find(|address| hash_of(store, address) == key))
}

fn hash_of(store: &Mapped, address: &Address) -> [u8; 16] {
    store
        .hash
        .address(address.kind, address.pubkey.as_bytes(), &address.d)
}
