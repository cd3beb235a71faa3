//! The layout of keys. Numbers are big-endian, so that bytes sort as numbers do, but for the keys of records.
//!
//! Index keys end in a *place*, `ts5 . !id8 . row5`, ascending and read backwards: that is NIP-01's order, newest first
//! and then by id. The id is shortened; events whose first eight bytes agree are put in order by their readers. Keys grow
//! with time, so that pages fill from one side. Whatever is hashed is hashed with a key of the database's own, so that
//! nobody can look for collisions.

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};
use smallvec::SmallVec;
use std::hash::Hasher;
use std::ops::Deref;

/// Rows and seconds are below 2^40.
pub(super) const END_5: u64 = 1 << 40;

/// A key on the stack.
pub(super) type Key = SmallVec<[u8; 64]>;

pub(super) const PLACE_BYTES: usize = 18;
pub(super) const VANISHING_BYTES: usize = 9 + 32;

pub(super) fn five(number: u64) -> [u8; 5] {
    let [_, _, _, a, b, c, d, e] = number.to_be_bytes();
    [a, b, c, d, e]
}

/// Reads five bytes; more are ignored, fewer give `None`.
pub(super) fn read_five(bytes: &[u8]) -> Option<u64> {
    let [a, b, c, d, e] = *bytes.first_chunk()?;
    Some(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
}

/// The first eight bytes of an id.
pub(super) fn id8(id: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *id;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// `id16`, which names an event; the rest is compared with its record.
pub(super) fn id16(id: &[u8; 32]) -> [u8; 16] {
    id.first_chunk().copied().unwrap_or_default()
}

/// `pk8`, which is compared with the record.
pub(super) fn pk8(pubkey: &[u8; 32]) -> [u8; 8] {
    pubkey.first_chunk().copied().unwrap_or_default()
}

/// `row << 8 | chunk` as the machine writes numbers: LMDB compares such keys as numbers, and wants them aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(8))]
pub(super) struct DataKey([u8; 8]);

/// LMDB compares numbers of this size only where an address is as long.
const _: () = assert!(size_of::<usize>() == size_of::<DataKey>());

impl Deref for DataKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A row's chunk. Rows are below 2^40.
pub(super) fn data(row: u64, chunk: u8) -> DataKey {
    DataKey((row << 8 | u64::from(chunk)).to_ne_bytes())
}

/// Reads what [`data`] wrote: row and chunk.
pub(super) fn read_data(key: &[u8]) -> Option<(u64, u8)> {
    let number = u64::from_ne_bytes(key.try_into().ok()?);
    Some((number >> 8, number as u8))
}

/// The data key of schema versions 1 and 2, `row5 . chunk1`, as it is now.
pub(super) fn data_from_version_2(key: &[u8]) -> Option<DataKey> {
    let [a, b, c, d, e, chunk] = <[u8; 6]>::try_from(key).ok()?;
    Some(data(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]), chunk))
}

/// `ts5 . !id32`
pub(super) fn time(created_at: u64, id: &[u8; 32]) -> [u8; 37] {
    let mut key = [0xff; 37];
    key[..5].copy_from_slice(&five(created_at));
    for (negated, byte) in key[5..].iter_mut().zip(id) {
        *negated = !byte;
    }
    key
}

/// `ts5 . !id8 . row5`
pub(super) fn place(created_at: u64, id: &[u8; 32], row: u64) -> [u8; PLACE_BYTES] {
    let mut key = [0; PLACE_BYTES];
    key[..5].copy_from_slice(&five(created_at));
    key[5..13].copy_from_slice(&(!id8(id)).to_be_bytes());
    key[13..].copy_from_slice(&five(row));
    key
}

/// `at5 . row5`; none for a time beyond what the table holds.
pub(super) fn expiry(expires_at: u64, row: u64) -> Option<[u8; 10]> {
    let mut key = [0; 10];
    key[..5].copy_from_slice(&five(expires_at));
    key[5..].copy_from_slice(&five(row));
    (expires_at < END_5).then_some(key)
}

/// `id32 . pk32`
pub(super) fn deleted_id(id: &[u8; 32], by: &[u8; 32]) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(id);
    key[32..].copy_from_slice(by);
    key
}

/// `letter1 . siphash8 . pk32`
pub(super) fn vanishing(tag: &TagHash, pubkey: &[u8; 32]) -> [u8; VANISHING_BYTES] {
    let mut key = [0; VANISHING_BYTES];
    key[..9].copy_from_slice(tag);
    key[9..].copy_from_slice(pubkey);
    key
}

/// `ext2 . key`
pub(super) fn extension(number: u16, key: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes(), key].concat()
}

/// A letter and the hash of a value, as records and the tag table hold them.
pub(super) type TagHash = [u8; 9];

/// Hashes with the database's own key.
#[derive(Clone, Debug)]
pub(super) struct KeyedHash {
    key: [u8; 16],
}

impl KeyedHash {
    pub(super) fn new(key: [u8; 16]) -> Self {
        KeyedHash { key }
    }

    pub(super) fn tag(&self, letter: u8, value: &str) -> TagHash {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(value.as_bytes());
        let [a, b, c, d, e, f, g, h] = hasher.finish().to_be_bytes();
        [letter, a, b, c, d, e, f, g, h]
    }

    /// The key of `kind:pubkey:d`.
    pub(super) fn address(&self, kind: u16, pubkey: &[u8; 32], d: &str) -> [u8; 16] {
        let mut hasher = SipHasher128::new_with_key(&self.key);
        hasher.write(&kind.to_be_bytes());
        hasher.write(pubkey);
        hasher.write(d.as_bytes());
        hasher.finish128().as_bytes()
    }
}
