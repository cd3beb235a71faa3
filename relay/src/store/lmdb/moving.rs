//! Moves the records of a directory that schema version 1 or 2 wrote to the table that holds them now.
//!
//! Invariant: each chunk stands in one of the two tables at every moment, and the store opens only once all have moved;
//! what a crash leaves is moved by the next opening. Each transaction is bounded, so that the pages that it frees make
//! room for those that follow.

use super::cursor::{Pen, Walk};
use super::fault::{Fault, Result};
use super::keys;
use super::room::Room;
use super::tables::{Table, Tables};
use lmdb::{Database, Environment, Error, RwTransaction, Transaction};
use std::time::{Duration, Instant};

/// The table before schema version 3: `row5 . chunk1` -> a piece of the record.
pub(super) const NAME_BEFORE: &str = "data";
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// How a move goes on; tests have smaller ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// Records of about so many bytes move in one transaction.
    pub(super) transaction_bytes: usize,
    /// Without this much room nothing is begun: a transaction writes the records anew, and copies the pages of both
    /// tables that it changes, before those of earlier transactions are free.
    pub(super) room_bytes: u64,
}

impl Default for Steps {
    fn default() -> Self {
        Steps {
            transaction_bytes: 8 << 20,
            room_bytes: 32 << 20,
        }
    }
}

/// What is left to move, and of how much.
#[derive(Debug)]
pub(super) struct Move {
    before: Database,
    chunks: usize,
    steps: Steps,
}

impl Move {
    /// Looks whether there is anything to move, and room for it. Done before the schema version is noted, so that a
    /// directory that cannot be moved still belongs to the version that wrote it.
    pub(super) fn plan(env: &Environment, room: &Room, steps: Steps) -> Result<Option<Move>> {
        let before = match env.open_db(Some(NAME_BEFORE)) {
            Ok(before) => before,
            Err(Error::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let chunks = env.begin_ro_txn()?.stat(before)?.entries();
        if chunks == 0 {
            return Ok(None);
        }
        room.demand(env, steps.room_bytes)?;
        Ok(Some(Move {
            before,
            chunks,
            steps,
        }))
    }

    /// Moves everything, and says in the log how far it is.
    pub(super) fn run(self, env: &Environment, tables: &Tables, room: &Room) -> Result<()> {
        let of = self.chunks;
        tracing::info!(
            of,
            "the records move to a new table; the store opens when all have moved"
        );
        let (mut moved, mut told) = (0, Instant::now());
        loop {
            let chunks = room.with_ballast(|| self.commit_some(env, tables))?;
            if chunks == 0 {
                break;
            }
            moved += chunks;
            if told.elapsed() >= PROGRESS_EVERY {
                tracing::info!(moved, of, "the records are moving to their new table");
                told = Instant::now();
            }
        }
        tracing::info!(moved, "the records were moved to their new table");
        Ok(())
    }

    /// Says how many chunks it moved; none where none are left.
    fn commit_some(&self, env: &Environment, tables: &Tables) -> Result<usize> {
        let mut txn = env.begin_rw_txn()?;
        let chunks = move_some(&mut txn, self.before, tables, self.steps.transaction_bytes)?;
        if chunks > 0 {
            txn.commit()?;
        }
        Ok(chunks)
    }
}

fn move_some(
    txn: &mut RwTransaction<'_>,
    before: Database,
    tables: &Tables,
    bytes_max: usize,
) -> Result<usize> {
    let mut chunks = Vec::new();
    let mut bytes = 0;
    let mut walk = Walk::new(txn, before)?;
    let mut found = walk.first()?;
    while let Some((key, chunk)) = found
        && bytes < bytes_max
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
