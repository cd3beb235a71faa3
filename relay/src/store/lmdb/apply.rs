//! Writes what a batch decided.
//!
//! Index entries of the whole batch are sorted by key first: neighbours share pages, which costs far less than jumping.
//! Records are appended, so that their pages fill to the end.

use super::cursor::Pen;
use super::entries;
use super::fault::Result;
use super::keys::{self, KeyedHash};
use super::kv;
use super::meta;
use super::overlay::Overlay;
use super::record;
use super::records;
use super::removals;
use super::tables::{Table, Tables};
use super::vanishing;
use lmdb::RwTransaction;

/// Puts and deletes of one table, to be applied in the order of keys.
#[derive(Default)]
struct Staged {
    operations: Vec<Operation>,
    bytes: Vec<u8>,
}

struct Operation {
    /// The first eight bytes of the key, by which most comparisons are decided.
    head: u64,
    /// Where key and value stand; rises with every operation.
    at: usize,
    key_bytes: u16,
    /// `None` deletes.
    value_bytes: Option<u16>,
}

/// Writes the overlay into the transaction, which is not committed here.
pub(super) fn apply(
    txn: &mut RwTransaction<'_>,
    tables: &Tables,
    hash: &KeyedHash,
    overlay: &Overlay,
    removal_log_entries: u64,
) -> Result<()> {
    let mut staged: [Staged; Table::ALL.len()] = Default::default();
    // Removals first: an event that was taken out and came back in the same batch keeps its new entries.
    for (row, header) in &overlay.taken_out {
        let header = records::header(*row, header)?;
        entries::for_each(&header, *row, |table, key, _| {
            staged[table as usize].stage(key, None);
        });
    }
    for (row, added) in &overlay.added {
        let header = records::header(*row, &added.record)?;
        entries::for_each(&header, *row, |table, key, value| {
            staged[table as usize].stage(key, Some(value));
        });
    }
    for (key, row) in &overlay.deleted_ids {
        staged[Table::DeletedId as usize].stage(key, Some(&keys::five(*row)));
    }
    for (pubkey, until) in &overlay.vanished {
        staged[Table::Vanished as usize].stage(pubkey, Some(&keys::five(*until)));
    }
    for (pubkey, until) in &overlay.vanishing {
        let until = until.map(keys::five);
        let key = vanishing::key(hash, pubkey);
        staged[Table::Vanishing as usize].stage(&key, until.as_ref().map(|until| &until[..]));
    }
    for ((table, _), staged) in Table::ALL.into_iter().zip(staged) {
        staged.write(txn, tables, table)?;
    }
    keep_addresses_away(txn, tables, overlay)?;
    remove_records(txn, tables, overlay)?;
    append_records(txn, tables, overlay)?;
    removals::append(txn, tables, &overlay.removals, removal_log_entries)?;
    kv::write(txn, tables, &overlay.kv)?;
    if overlay.last_row > meta::last_row(txn, tables)? {
        meta::put_last_row(txn, tables, overlay.last_row)?;
    }
    Ok(())
}

/// Few, and as long as their authors like: not among what is staged.
fn keep_addresses_away(
    txn: &mut RwTransaction<'_>,
    tables: &Tables,
    overlay: &Overlay,
) -> Result<()> {
    if overlay.deleted_addresses.is_empty() {
        return Ok(());
    }
    let mut pen = Pen::new(txn, tables.of(Table::DeletedAddress))?;
    for (key, tombstone) in &overlay.deleted_addresses {
        let mut value = Vec::new();
        value.extend_from_slice(&keys::five(tombstone.until));
        value.extend_from_slice(&keys::five(tombstone.row));
        value.extend_from_slice(tombstone.address.to_string().as_bytes());
        pen.put(key, &value)?;
    }
    Ok(())
}

fn remove_records(txn: &mut RwTransaction<'_>, tables: &Tables, overlay: &Overlay) -> Result<()> {
    let mut chunks = Vec::new();
    for (row, header) in &overlay.taken_out {
        let header = records::header(*row, header)?;
        chunks.push((*row, record::chunk_count(header.record_bytes)));
    }
    chunks.sort_unstable();
    let mut pen = Pen::new(txn, tables.of(Table::Data))?;
    for (row, count) in chunks {
        for number in 0..count {
            pen.delete(&keys::data(row, number as u8))?;
        }
    }
    Ok(())
}

fn append_records(txn: &mut RwTransaction<'_>, tables: &Tables, overlay: &Overlay) -> Result<()> {
    let mut pen = Pen::new(txn, tables.of(Table::Data))?;
    for (row, added) in &overlay.added {
        let chunk_bytes = record::chunk_bytes(added.record.len());
        for (number, chunk) in added.record.chunks(chunk_bytes).enumerate() {
            pen.append(&keys::data(*row, number as u8), chunk)?;
        }
    }
    Ok(())
}

impl Staged {
    fn stage(&mut self, key: &[u8], value: Option<&[u8]>) {
        let mut head = [0; 8];
        for (head, byte) in head.iter_mut().zip(key) {
            *head = *byte;
        }
        self.operations.push(Operation {
            head: u64::from_be_bytes(head),
            at: self.bytes.len(),
            key_bytes: key.len() as u16,
            value_bytes: value.map(|value| value.len() as u16),
        });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
    }

    fn write(mut self, txn: &mut RwTransaction<'_>, tables: &Tables, table: Table) -> Result<()> {
        if self.operations.is_empty() {
            return Ok(());
        }
        let bytes = &self.bytes;
        let key = |op: &Operation| &bytes[op.at..op.at + usize::from(op.key_bytes)];
        self.operations.sort_unstable_by(|a, b| {
            let by_key = a.head.cmp(&b.head).then_with(|| key(a).cmp(key(b)));
            by_key.then(a.at.cmp(&b.at))
        });
        let mut pen = Pen::new(txn, tables.of(table))?;
        for operation in &self.operations {
            let value_at = operation.at + usize::from(operation.key_bytes);
            match operation.value_bytes {
                Some(length) => {
                    pen.put(
                        key(operation),
                        &bytes[value_at..value_at + usize::from(length)],
                    )?;
                }
                None => {
                    pen.delete(key(operation))?;
                }
            }
        }
        Ok(())
    }
}
