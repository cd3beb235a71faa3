//! Moves the records of a directory that schema version 1 or 2 wrote to the table that holds them now.
//!
//! Invariant: each chunk stands in one of the two tables at every moment, and the store opens only once all have moved;
//! what a crash leaves is moved by the next opening. Each transaction is bounded, so that the pages that it frees make
//! room for those that follow.

use super::cursor::{Pen, Walk};
use super::fault::{Fault, Result};
use super::keys;
use super::tables::{Table, Tables};
use lmdb::{Database, Environment, Error, RwTransaction, Transaction};

/// The table before schema version 3: `row5 . chunk1` -> a piece of the record.
pub(super) const NAME_BEFORE: &str = "data";
const TRANSACTION_BYTES: usize = 8 << 20;

/// Does nothing where all records stand where they should.
pub(super) fn move_records(env: &Environment, tables: &Tables) -> Result<()> {
    let before = match env.open_db(Some(NAME_BEFORE)) {
        Ok(before) => before,
        Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut moved = 0;
    loop {
        let mut txn = env.begin_rw_txn()?;
        let chunks = move_some(&mut txn, before, tables)?;
        if chunks == 0 {
            break;
        }
        txn.commit()?;
        moved += chunks;
    }
    if moved > 0 {
        tracing::info!(moved, "the records were moved to their new table");
    }
    Ok(())
}

/// Says how many chunks it moved; none where none are left.
fn move_some(txn: &mut RwTransaction<'_>, before: Database, tables: &Tables) -> Result<usize> {
    let mut chunks = Vec::new();
    let mut bytes = 0;
    let mut walk = Walk::new(txn, before)?;
    let mut found = walk.first()?;
    while let Some((key, chunk)) = found
        && bytes < TRANSACTION_BYTES
    {
        bytes += chunk.len();
        chunks.push((key.to_vec(), chunk.to_vec()));
        found = walk.next()?;
    }
    drop(walk);
    let mut pen = Pen::new(txn, tables.of(Table::Data))?;
    for (key, chunk) in &chunks {
        let key = keys::data_from_version_2(key);
        let key = key.ok_or_else(|| Fault::corrupt("a record has a key that makes no sense"))?;
        pen.append(&key, chunk)?;
    }
    drop(pen);
    let mut pen = Pen::new(txn, before)?;
    for (key, _) in &chunks {
        pen.delete(key)?;
    }
    Ok(chunks.len())
}
