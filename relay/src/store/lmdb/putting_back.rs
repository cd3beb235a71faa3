//! Puts back what was read of a store: the overlay of a batch is made as it was told, without a plan, guards or hooks.

use super::apply;
use super::cursor::Pen;
use super::fault::Result;
use super::keys;
use super::mapped::Mapped;
use super::meta;
use super::overlay::{AddressTombstone, Overlay, Removal, Resident};
use super::record;
use super::records::{self, Records};
use super::tables::Table;
use crate::event::{Address, EventId};
use crate::store::{Cause, Entry, PutBack, Stored};
use lmdb::{RwTransaction, Transaction};

/// Tables that hold what stands beside events.
const ENTRIES: [Table; 5] = [
    Table::DeletedId,
    Table::DeletedAddress,
    Table::Vanished,
    Table::Vanishing,
    Table::Extension,
];

/// See [`crate::store::Store::put_back`].
pub(super) fn put_back(store: &Mapped, batch: &[PutBack]) -> Result<()> {
    let mut txn = store.env.begin_rw_txn()?;
    let begun_at = meta::last_row(&txn, &store.tables)?;
    let mut putting = Putting {
        store,
        overlay: Overlay::after(begun_at),
        forgets: false,
        begins_at: None,
        kept_addresses: Vec::new(),
    };
    for put in batch {
        putting.take(&txn, put)?;
    }
    let Putting {
        overlay,
        forgets,
        begins_at,
        kept_addresses,
        ..
    } = putting;
    if forgets {
        for table in ENTRIES {
            txn.clear_db(store.tables.of(table))?;
        }
    }
    apply::apply(
        &mut txn,
        &store.tables,
        &store.hash,
        &overlay,
        store.removal_log_entries,
    )?;
    for (address, row) in kept_addresses {
        let taken = store.tables.get(&txn, Table::Address, &address)?.is_some();
        if !taken {
            let mut pen = Pen::new(&mut txn, store.tables.of(Table::Address))?;
            pen.put(&address, &keys::five(row))?;
        }
    }
    if let Some(row) = begins_at {
        meta::put_removals_cut_at(&mut txn, &store.tables, row)?;
    }
    let cut_at = meta::removals_cut_at(&txn, &store.tables)?;
    txn.commit()?;
    store.newest.note(begun_at, &overlay, cut_at);
    Ok(())
}

struct Putting<'s> {
    store: &'s Mapped,
    overlay: Overlay,
    forgets: bool,
    begins_at: Option<u64>,
    /// Addresses of what goes that lead to a newer version already: it came with an earlier batch, and stays.
    kept_addresses: Vec<([u8; 16], u64)>,
}

impl Putting<'_> {
    fn take(&mut self, txn: &RwTransaction<'_>, put: &PutBack) -> Result<()> {
        match put {
            PutBack::Event(stored) => self.add(stored),
            PutBack::Removed {
                row,
                id,
                kind,
                pubkey,
                cause,
            } => {
                let last_row = self.overlay.last_row.max(*row);
                self.remove(txn, id, *cause)?;
                self.overlay.last_row = last_row;
                self.overlay.removals.push(Removal {
                    row: *row,
                    id: *id,
                    kind: *kind,
                    pubkey: *pubkey,
                    cause: *cause,
                });
            }
            PutBack::Entry(entry) => self.put_entry(entry.clone()),
            PutBack::ForgetEntries => {
                self.forgets = true;
                let overlay = &mut self.overlay;
                overlay.kv.clear();
                overlay.deleted_ids.clear();
                overlay.deleted_addresses.clear();
                overlay.vanished.clear();
                overlay.vanishing.clear();
            }
            PutBack::Begin(row) => {
                self.overlay.last_row = *row;
                self.begins_at = Some(*row);
            }
        }
        Ok(())
    }

    fn add(&mut self, stored: &Stored) {
        let hash = &self.store.hash;
        let address = record::address_key(&stored.event, hash);
        let record = record::write(&stored.event, stored.expires_at, address, hash);
        self.overlay.last_row = self.overlay.last_row.max(stored.row);
        self.overlay
            .add(stored.row, stored.event.clone(), address, record);
    }

    fn remove(&mut self, txn: &RwTransaction<'_>, id: &EventId, cause: Cause) -> Result<()> {
        let id16 = keys::id16(id.as_bytes());
        let row = match self.overlay.by_id.get(&id16) {
            Some(row) => *row,
            None => {
                let row = self.store.tables.get(txn, Table::Id, &id16)?;
                row.and_then(keys::read_five)
            }
        };
        let Some(row) = row else {
            return Ok(());
        };
        let header = match self.overlay.added.get(&row) {
            Some(added) => {
                let header = records::header(row, &added.record)?;
                header.bytes(&added.record).to_vec()
            }
            None => {
                let begun = Records::new(txn, &self.store.tables)?.header_bytes(row)?;
                let begun = begun.ok_or_else(|| records::damaged(row))?;
                records::header(row, &begun)?.bytes(&begun).to_vec()
            }
        };
        let read = records::header(row, &header)?;
        if read.id != id.as_bytes() {
            return Ok(());
        }
        if let Some(address) = read.address {
            let found = self.store.tables.get(txn, Table::Address, &address)?;
            let found = found.and_then(keys::read_five);
            self.kept_addresses.extend(
                found
                    .filter(|found| *found != row)
                    .map(|row| (address, row)),
            );
        }
        self.overlay.remove(Resident { row, header }, cause)?;
        // It is logged by the row that it had.
        self.overlay.removals.pop();
        Ok(())
    }

    fn put_entry(&mut self, entry: Entry) {
        let overlay = &mut self.overlay;
        // The rows of deletions serve only to name what earlier versions did not.
        let row = 0;
        match entry {
            Entry::Row {
                extension,
                key,
                value,
            } => {
                overlay.kv.insert((extension, key), value);
            }
            Entry::DeletedId { id, by } => {
                let key = keys::deleted_id(id.as_bytes(), by.as_bytes());
                overlay.deleted_ids.insert(key, row);
            }
            Entry::DeletedAddress { address, until } => {
                let Address { kind, pubkey, d } = &address;
                let key = self.store.hash.address(*kind, pubkey.as_bytes(), d);
                let tombstone = AddressTombstone {
                    until,
                    row,
                    address,
                };
                overlay.deleted_addresses.insert(key, tombstone);
            }
            Entry::Vanished { pubkey, until } => {
                overlay.vanished.insert(*pubkey.as_bytes(), until);
            }
            Entry::Vanishing { pubkey, until } => {
                overlay.vanishing.insert(*pubkey.as_bytes(), until);
            }
        }
    }
}
