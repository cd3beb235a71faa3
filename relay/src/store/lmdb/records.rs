//! Reads records from the data table, chunk by chunk and in place where one chunk is enough.

use super::cursor::Walk;
use super::fault::{Fault, Result};
use super::keys;
use super::record::{self, Header};
use super::tables::{Table, Tables};
use crate::event::{Assembler, Event};
use lmdb::Transaction;
use std::borrow::Cow;

/// One event of a page that is kept for long keeps so much memory at most.
const BLOCK_BYTES: usize = 16 * 1024;
const USUAL_EVENT_BYTES: usize = 1_100;

/// The data table as one transaction sees it.
pub(super) struct Records<'t> {
    walk: Walk<'t>,
    assembler: Assembler,
}

/// A record, or as much of it as holds its header.
pub(super) type Bytes<'t> = Cow<'t, [u8]>;

impl<'t> Records<'t> {
    pub(super) fn new<T: Transaction>(txn: &'t T, tables: &Tables) -> Result<Self> {
        Self::with(txn, tables, Assembler::new(0))
    }

    /// For so many events that are used and dropped together: they share memory.
    pub(super) fn for_page<T: Transaction>(
        txn: &'t T,
        tables: &Tables,
        events: usize,
    ) -> Result<Self> {
        let block_bytes = events.saturating_mul(USUAL_EVENT_BYTES).min(BLOCK_BYTES);
        Self::with(txn, tables, Assembler::new(block_bytes))
    }

    fn with<T: Transaction>(txn: &'t T, tables: &Tables, assembler: Assembler) -> Result<Self> {
        Ok(Records {
            walk: Walk::new(txn, tables.of(Table::Data))?,
            assembler,
        })
    }

    /// At least the header of a row's record.
    pub(super) fn header_bytes(&mut self, row: u64) -> Result<Option<Bytes<'t>>> {
        let Some(first) = self.walk.exact(&keys::data(row, 0))? else {
            return Ok(None);
        };
        if Header::read(first).is_some() {
            return Ok(Some(Cow::Borrowed(first)));
        }
        // So many tags that the header goes beyond the first chunk.
        self.complete(row, Cow::Borrowed(first)).map(Some)
    }

    /// The whole record, given its beginning.
    pub(super) fn complete(&mut self, row: u64, begun: Bytes<'t>) -> Result<Bytes<'t>> {
        let total = record::record_bytes(&begun).ok_or_else(|| damaged(row))?;
        if begun.len() >= total {
            return Ok(begun);
        }
        let mut whole = begun.into_owned();
        whole.reserve_exact(total - whole.len());
        let done = whole.len().div_ceil(record::chunk_bytes(total));
        for chunk in done..record::chunk_count(total) {
            let chunk = self.walk.exact(&keys::data(row, chunk as u8))?;
            whole.extend_from_slice(chunk.ok_or_else(|| damaged(row))?);
        }
        if whole.len() != total {
            return Err(damaged(row));
        }
        Ok(Cow::Owned(whole))
    }

    /// The event of a row, given the beginning of its record.
    pub(super) fn event(&mut self, row: u64, begun: Bytes<'t>) -> Result<Event> {
        let whole = self.complete(row, begun)?;
        record::read_event(&whole, &mut self.assembler)
    }

    /// The first row at or after one that holds an event.
    pub(super) fn row_from(&mut self, row: u64) -> Result<Option<u64>> {
        let found = self.walk.at_or_after(&keys::data(row, 0))?;
        Ok(found.and_then(|(key, _)| keys::read_five(key)))
    }
}

/// The header of a record that has one.
pub(super) fn header(row: u64, begun: &[u8]) -> Result<Header<'_>> {
    Header::read(begun).ok_or_else(|| damaged(row))
}

pub(super) fn damaged(row: u64) -> Fault {
    Fault::corrupt(format!("the record of row {row} is damaged"))
}
