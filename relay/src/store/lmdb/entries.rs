//! Which index entries an event has. Adding, removing and checking all ask here, so they cannot disagree.

use super::keys::{self, Key};
use super::record::Header;
use super::tables::Table;

/// Calls back with table, key and value of every entry of the event, apart from its record.
pub(super) fn for_each(header: &Header<'_>, row: u64, mut entry: impl FnMut(Table, &[u8], &[u8])) {
    let row5 = keys::five(row);
    let pk8 = keys::pk8(header.pubkey);
    let kind2 = header.kind.to_be_bytes();
    let place = keys::place(header.created_at, header.id, row);
    entry(Table::Id, &keys::id16(header.id), &row5);
    entry(
        Table::Time,
        &keys::time(header.created_at, header.id),
        &row5,
    );
    entry(Table::Author, &joined(&[&pk8, &place]), &kind2);
    entry(Table::AuthorKind, &joined(&[&pk8, &kind2, &place]), &[]);
    entry(Table::Kind, &joined(&[&kind2, &place]), &[]);
    for tag in header.tags {
        entry(Table::Tag, &joined(&[tag, &place]), &kind2);
    }
    if let Some(address) = &header.address {
        entry(Table::Address, address, &row5);
    }
    if let Some(key) = header.expires_at.and_then(|at| keys::expiry(at, row)) {
        entry(Table::Expiry, &key, &[]);
    }
}

fn joined(parts: &[&[u8]]) -> Key {
    let mut key = Key::new();
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}
