//! What a batch has decided and not yet written.
//!
//! Later writes of the batch read through it, so that nothing touches the database until all of them are decided; then
//! `apply` writes it in the order of keys. Dropping it undoes everything.

use super::fault::Result;
use super::keys;
use super::records;
use crate::event::{Address, Event, EventId, PublicKey};
use crate::store::{Cause, Change, KvWrites};
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The difference that a batch makes.
#[derive(Default)]
pub(super) struct Overlay {
    /// The last row given away.
    pub(super) last_row: u64,
    /// id16 to the row that has it now, if any.
    pub(super) by_id: HashMap<[u8; 16], Option<u64>>,
    /// Address to the row that has it now, if any.
    pub(super) by_address: HashMap<[u8; 16], Option<u64>>,
    /// Tombstones by event and author, to the row of the deletion.
    pub(super) deleted_ids: HashMap<[u8; 64], u64>,
    /// Tombstones by address.
    pub(super) deleted_addresses: HashMap<[u8; 16], AddressTombstone>,
    /// NIP-62: events of these authors are not taken up to this second.
    pub(super) vanished: HashMap<[u8; 32], u64>,
    /// NIP-62: events of these authors are hidden up to this second; `None` where that ends.
    pub(super) vanishing: HashMap<[u8; 32], Option<u64>>,
    /// New events by row.
    pub(super) added: BTreeMap<u64, Added>,
    /// Rows to take out of the database, with their headers.
    pub(super) taken_out: Vec<(u64, Vec<u8>)>,
    /// For the log.
    pub(super) removals: Vec<Removal>,
    /// Rows of extensions.
    pub(super) kv: KvWrites,
}

/// A new event.
pub(super) struct Added {
    pub(super) event: Arc<Event>,
    pub(super) record: Vec<u8>,
}

/// What keeps versions of an address away.
pub(super) struct AddressTombstone {
    /// The last second that is deleted.
    pub(super) until: u64,
    /// Of the deletion.
    pub(super) row: u64,
    pub(super) address: Address,
}

/// A line of the log of removals.
pub(super) struct Removal {
    pub(super) row: u64,
    pub(super) id: EventId,
    pub(super) kind: u16,
    pub(super) pubkey: PublicKey,
    pub(super) cause: Cause,
}

impl Removal {
    /// As it is told.
    pub(super) fn change(&self) -> Change {
        Change::Removed {
            row: self.row,
            id: self.id,
            kind: self.kind,
            pubkey: self.pubkey,
            cause: self.cause,
        }
    }
}

/// An event that is stored now, as this batch sees it.
pub(super) struct Resident {
    pub(super) row: u64,
    pub(super) header: Vec<u8>,
}

impl Overlay {
    pub(super) fn after(last_row: u64) -> Self {
        Overlay {
            last_row,
            ..Overlay::default()
        }
    }

    /// Gives the next row to an event.
    pub(super) fn next_row(&mut self) -> u64 {
        self.last_row += 1;
        self.last_row
    }

    /// Adds an event under a row of [`Overlay::next_row`].
    pub(super) fn add(
        &mut self,
        row: u64,
        event: Arc<Event>,
        address: Option<[u8; 16]>,
        record: Vec<u8>,
    ) {
        self.by_id
            .insert(keys::id16(event.id().as_bytes()), Some(row));
        if let Some(address) = address {
            self.by_address.insert(address, Some(row));
        }
        self.added.insert(row, Added { event, record });
    }

    /// Removes an event and logs it.
    pub(super) fn remove(&mut self, resident: Resident, cause: Cause) -> Result<()> {
        let header = records::header(resident.row, &resident.header)?;
        self.last_row += 1;
        self.removals.push(Removal {
            row: self.last_row,
            id: EventId::from_byte_array(*header.id),
            kind: header.kind,
            pubkey: PublicKey::from_byte_array(*header.pubkey),
            cause,
        });
        self.by_id.insert(keys::id16(header.id), None);
        if let Some(address) = header.address {
            self.by_address.insert(address, None);
        }
        if self.added.remove(&resident.row).is_none() {
            self.taken_out.push((resident.row, resident.header));
        }
        Ok(())
    }
}
