//! An event as the data table holds it: a fixed header that answers filters without parsing, then the packed body.
//!
//! ```text
//! flags1 length4 tags4 id32 pubkey32 created_at5 kind2 [expires_at8] [address16] (letter1 hash8)* | sig64 tags_length4 tags content
//! ```
//! `length` counts the whole record. Tag hashes are those of single-letter tags, sorted, each once. Records are cut into
//! chunks that fit several to a page.

use super::fault::{Fault, Result};
use super::hex_runs;
use super::keys::{KeyedHash, TagHash, five, read_five};
use crate::event::{Address, Assembler, Draft, Event, FixedFields};

const HAS_EXPIRY: u8 = 1;
const HAS_ADDRESS: u8 = 2;
/// After flags, length and the number of tags.
const ID_AT: usize = 1 + 4 + 4;
const FIXED_BYTES: usize = ID_AT + 32 + 32 + 5 + 2;
/// Four chunks of this size fill a page of 4,096 bytes; a larger value would take pages of its own.
const CHUNK_BYTES: usize = 1_000;
/// A byte of the key numbers the chunks.
const MOST_CHUNKS: usize = 256;

/// The header, read in place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub(super) record_bytes: usize,
    pub(super) id: &'a [u8; 32],
    pub(super) pubkey: &'a [u8; 32],
    pub(super) created_at: u64,
    pub(super) kind: u16,
    pub(super) expires_at: Option<u64>,
    /// Of a replaceable or addressable event.
    pub(super) address: Option<[u8; 16]>,
    pub(super) tags: &'a [TagHash],
    header_bytes: usize,
}

impl<'a> Header<'a> {
    /// Reads the header that begins a record; `None` where these bytes end before it does or make no sense.
    pub(super) fn read(record: &'a [u8]) -> Option<Self> {
        let mut rest = record;
        let [flags] = *take::<1>(&mut rest)?;
        let record_bytes = u32::from_be_bytes(*take(&mut rest)?) as usize;
        let tag_count = u32::from_be_bytes(*take(&mut rest)?) as usize;
        let id = take(&mut rest)?;
        let pubkey = take(&mut rest)?;
        let created_at = read_five(take::<5>(&mut rest)?)?;
        let kind = u16::from_be_bytes(*take(&mut rest)?);
        let expires_at = match flags & HAS_EXPIRY {
            0 => None,
            _ => Some(u64::from_be_bytes(*take(&mut rest)?)),
        };
        let address = match flags & HAS_ADDRESS {
            0 => None,
            _ => Some(*take(&mut rest)?),
        };
        let tags = rest.get(..tag_count.checked_mul(size_of::<TagHash>())?)?;
        let (tags, _) = tags.as_chunks();
        Some(Header {
            record_bytes,
            id,
            pubkey,
            created_at,
            kind,
            expires_at,
            address,
            tags,
            header_bytes: record.len() - rest.len() + size_of_val(tags),
        })
    }

    /// Whether the event has a tag with this letter whose value hashes to one of the sorted hashes.
    pub(super) fn has_tag(&self, letter: u8, sorted: &[TagHash]) -> bool {
        let from = self.tags.partition_point(|tag| tag[0] < letter);
        self.tags[from..]
            .iter()
            .take_while(|tag| tag[0] == letter)
            .any(|tag| sorted.binary_search(tag).is_ok())
    }

    /// The part of the record that this is.
    pub(super) fn bytes(&self, record: &'a [u8]) -> &'a [u8] {
        &record[..self.header_bytes]
    }
}

/// Writes the record of an event.
pub(super) fn write(
    event: &Event,
    expires_at: Option<u64>,
    address: Option<[u8; 16]>,
    hash: &KeyedHash,
) -> Vec<u8> {
    let mut tags: Vec<TagHash> = event
        .tags()
        .filter_map(|tag| Some(hash.tag(tag.letter()?, &tag.value()?)))
        .collect();
    tags.sort_unstable();
    tags.dedup();
    let mut record = Vec::with_capacity(event.json().len());
    let flags = if expires_at.is_some() { HAS_EXPIRY } else { 0 }
        | if address.is_some() { HAS_ADDRESS } else { 0 };
    record.push(flags);
    record.extend_from_slice(&[0; 4]);
    record.extend_from_slice(&(tags.len() as u32).to_be_bytes());
    record.extend_from_slice(event.id().as_bytes());
    record.extend_from_slice(event.pubkey().as_bytes());
    record.extend_from_slice(&five(event.created_at()));
    record.extend_from_slice(&event.kind().to_be_bytes());
    if let Some(at) = expires_at {
        record.extend_from_slice(&at.to_be_bytes());
    }
    record.extend(address.into_iter().flatten());
    record.extend_from_slice(tags.as_flattened());

    let mut sig = [0; 64];
    // The canonical form holds exactly 128 digits.
    let _ = const_hex::decode_to_slice(event.sig_hex(), &mut sig);
    record.extend_from_slice(&sig);
    let length_at = record.len();
    record.extend_from_slice(&[0; 4]);
    hex_runs::pack_into(&mut record, event.tags_json().as_bytes());
    let tags_bytes = (record.len() - length_at - 4) as u32;
    record[length_at..length_at + 4].copy_from_slice(&tags_bytes.to_be_bytes());
    hex_runs::pack_into(&mut record, event.content_json().as_bytes());
    let record_bytes = record.len() as u32;
    record[1..5].copy_from_slice(&record_bytes.to_be_bytes());
    record
}

/// Builds the event from its whole record.
pub(super) fn read_event(record: &[u8], assembler: &mut Assembler) -> Result<Event> {
    let event = with_parts(record, |fixed, tags, content| {
        assembler.assemble(
            fixed,
            |json| hex_runs::unpack_into(json, tags),
            |json| hex_runs::unpack_into(json, content),
        )
    });
    event.ok_or_else(no_event)
}

/// As [`read_event`], among other drafts.
pub(super) fn draft_event(record: &[u8], assembler: &mut Assembler) -> Result<Draft> {
    let draft = with_parts(record, |fixed, tags, content| {
        assembler.draft(
            fixed,
            |json| hex_runs::unpack_into(json, tags),
            |json| hex_runs::unpack_into(json, content),
        )
    });
    draft.ok_or_else(no_event)
}

fn no_event() -> Fault {
    Fault::corrupt("a record makes no event")
}

/// Calls with the fixed fields and the packed tags and content.
fn with_parts<T>(
    record: &[u8],
    build: impl FnOnce(&FixedFields<'_>, &[u8], &[u8]) -> Option<T>,
) -> Option<T> {
    let header = Header::read(record)?;
    let mut rest = record.get(header.header_bytes..)?;
    let sig = take(&mut rest)?;
    let tags_bytes = u32::from_be_bytes(*take(&mut rest)?) as usize;
    let (tags, content) = rest.split_at_checked(tags_bytes)?;
    let fixed = FixedFields {
        id: header.id,
        pubkey: header.pubkey,
        created_at: header.created_at,
        kind: header.kind,
        sig,
    };
    build(&fixed, tags, content)
}

/// The key of an event's address in the tables, if its kind has one.
pub(super) fn address_key(event: &Event, hash: &KeyedHash) -> Option<[u8; 16]> {
    let Address { kind, pubkey, d } = event.address()?;
    Some(hash.address(kind, pubkey.as_bytes(), &d))
}

/// Into how large pieces a record is cut.
pub(super) fn chunk_bytes(record_bytes: usize) -> usize {
    CHUNK_BYTES.max(record_bytes.div_ceil(MOST_CHUNKS))
}

/// How many chunks a record has.
pub(super) fn chunk_count(record_bytes: usize) -> usize {
    record_bytes.div_ceil(chunk_bytes(record_bytes))
}

/// Whose record begins so; the id stands in the first chunk even where the header goes beyond it.
pub(super) fn id_of(first_chunk: &[u8]) -> Option<&[u8; 32]> {
    first_chunk.get(ID_AT..)?.first_chunk()
}

/// How long the record is that begins so.
pub(super) fn record_bytes(first_chunk: &[u8]) -> Option<usize> {
    let length = first_chunk.get(1..5)?.first_chunk()?;
    (first_chunk.len() >= FIXED_BYTES).then_some(u32::from_be_bytes(*length) as usize)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(taken)
}
