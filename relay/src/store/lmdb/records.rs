//! Reads records from the data table, chunk by chunk and in place where one chunk is enough.

use super::cursor::Walk;
use super::fault::{Fault, Result};
use super::keys;
use super::record::{self, Header};
use super::tables::{Table, Tables};
use crate::event::{Assembler, Draft, Event};
use lmdb::Transaction;
use std::borrow::Cow;

/// The data table as one transaction sees it.
pub(super) struct Records<'t> {
    walk: Walk<'t>,
    /// The chunk that was read last.
    stands_at: Option<(u64, u8)>,
    pub(super) assembler: Assembler,
    /// Where chunks are joined, again and again.
    whole: Vec<u8>,
}

/// A record, or as much of it as holds its header.
pub(super) type Bytes<'t> = Cow<'t, [u8]>;

impl<'t> Records<'t> {
    pub(super) fn new<T: Transaction>(txn: &'t T, tables: &Tables) -> Result<Self> {
        Ok(Records {
            walk: Walk::new(txn, tables.of(Table::Data))?,
            stands_at: None,
            assembler: Assembler::default(),
            whole: Vec::new(),
        })
    }

    /// At least the header of a row's record.
    pub(super) fn header_bytes(&mut self, row: u64) -> Result<Option<Bytes<'t>>> {
        let Some(first) = self.chunk(row, 0)? else {
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
        let mut whole = Vec::with_capacity(total);
        self.join(row, &begun, total, &mut whole)?;
        Ok(Cow::Owned(whole))
    }

    /// Appends a record of so many bytes, given its beginning.
    fn join(&mut self, row: u64, begun: &[u8], total: usize, whole: &mut Vec<u8>) -> Result<()> {
        whole.extend_from_slice(begun);
        let done = whole.len().div_ceil(record::chunk_bytes(total));
        for chunk in done..record::chunk_count(total) {
            let chunk = self.chunk(row, chunk as u8)?;
            whole.extend_from_slice(chunk.ok_or_else(|| damaged(row))?);
        }
        match whole.len() == total {
            true => Ok(()),
            false => Err(damaged(row)),
        }
    }

    /// The event of a row, given the beginning of its record.
    pub(super) fn event(&mut self, row: u64, begun: Bytes<'t>) -> Result<Event> {
        self.with_whole(row, begun, record::read_event)
    }

    /// As [`Records::event`], among the other drafts of [`Records::assembler`].
    pub(super) fn draft(&mut self, row: u64, begun: Bytes<'t>) -> Result<Draft> {
        self.with_whole(row, begun, record::draft_event)
    }

    fn with_whole<T>(
        &mut self,
        row: u64,
        begun: Bytes<'t>,
        read: impl FnOnce(&[u8], &mut Assembler) -> Result<T>,
    ) -> Result<T> {
        let total = record::record_bytes(&begun).ok_or_else(|| damaged(row))?;
        if begun.len() >= total {
            return read(&begun, &mut self.assembler);
        }
        let mut whole = std::mem::take(&mut self.whole);
        whole.clear();
        self.join(row, &begun, total, &mut whole)?;
        let found = read(&whole, &mut self.assembler);
        self.whole = whole;
        found
    }

    /// Chunks of a record lie side by side, so the next one needs no search.
    fn chunk(&mut self, row: u64, number: u8) -> Result<Option<&'t [u8]>> {
        let key = keys::data(row, number);
        let before = number.checked_sub(1).map(|before| (row, before));
        let follows = before.is_some() && self.stands_at == before;
        self.stands_at = None;
        let chunk = match follows {
            true => self.walk.next()?.filter(|(found, _)| *found == &*key),
            false => self.walk.exact(&key)?.map(|chunk| (&[][..], chunk)),
        };
        self.stands_at = chunk.is_some().then_some((row, number));
        Ok(chunk.map(|(_, chunk)| chunk))
    }

    /// The first row at or after one that holds an event.
    pub(super) fn row_from(&mut self, row: u64) -> Result<Option<u64>> {
        self.stands_at = None;
        let found = self.walk.at_or_after(&keys::data(row, 0))?;
        let found = found.and_then(|(key, _)| keys::read_data(key));
        Ok(found.map(|(row, _)| row))
    }
}

/// The header of a record that has one.
pub(super) fn header(row: u64, begun: &[u8]) -> Result<Header<'_>> {
    Header::read(begun).ok_or_else(|| damaged(row))
}

pub(super) fn damaged(row: u64) -> Fault {
    Fault::corrupt(format!("the record of row {row} is damaged"))
}
