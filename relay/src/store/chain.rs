//! Key spaces that only grow: each row has the next number, and begins with the hash of the row before.
//!
//! So what is changed or taken out later shows when the rows are read one after the other; what is cut off at the end does
//! not, unless somebody knows the hash of the last row. Pure. Not here: finding the last row, which is each store's work.

use sha2::{Digest, Sha256};

/// What a row begins with.
const LINK_BYTES: usize = 32;
/// Of the first row.
const NO_LINK: [u8; LINK_BYTES] = [0; LINK_BYTES];

/// Greater than the key of every row.
pub(super) const BEYOND: [u8; 9] = [0xff; 9];

/// The key of a row; rows are counted from 1.
pub fn key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The number that a row's key says.
pub fn number(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// Key and value of the row that follows `last`, if there is any. `None` where the last one's key is no number.
pub(super) fn next(last: Option<(&[u8], &[u8])>, entry: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (before, link) = match last {
        Some((key, value)) => (number(key)?, hash(value)),
        None => (0, NO_LINK),
    };
    let number = before.checked_add(1)?;
    Some((key(number).to_vec(), [&link, entry].concat()))
}

/// The hash by which the next row names this one.
pub fn hash(value: &[u8]) -> [u8; LINK_BYTES] {
    Sha256::digest(value).into()
}

/// Follows rows from the first one on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    last_number: u64,
    last_hash: [u8; LINK_BYTES],
}

/// A row does not follow the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {0} does not follow the one before: something was changed or taken out")]
pub struct Broken(pub u64);

impl Default for Follower {
    fn default() -> Self {
        Follower {
            last_number: 0,
            last_hash: NO_LINK,
        }
    }
}

impl Follower {
    /// What was written into the next row.
    pub fn follow<'v>(&mut self, key: &[u8], value: &'v [u8]) -> Result<&'v [u8], Broken> {
        let wanted = self.last_number.saturating_add(1);
        let entry = value.strip_prefix(&self.last_hash);
        let entry = entry.filter(|_| number(key) == Some(wanted));
        let entry = entry.ok_or(Broken(wanted))?;
        self.last_number = wanted;
        self.last_hash = hash(value);
        Ok(entry)
    }

    /// The row that was followed last, and its hash; 0 before the first one.
    pub fn last(&self) -> (u64, [u8; LINK_BYTES]) {
        (self.last_number, self.last_hash)
    }
}

/// What was written into a row that is read by itself.
pub fn entry(value: &[u8]) -> Option<&[u8]> {
    value.get(LINK_BYTES..)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn c29_what_was_changed_in_a_chain_shows() {
        let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for entry in ["one", "two", "three"] {
            let last = rows.last().map(|(key, value)| (&key[..], &value[..]));
            let next = next(last, entry.as_bytes()).unwrap();
            rows.push(next);
        }
        let read = |rows: &[(Vec<u8>, Vec<u8>)]| -> Result<Vec<String>, Broken> {
            let mut follower = Follower::default();
            let entries = rows.iter().map(|(key, value)| {
                let entry = follower.follow(key, value)?;
                Ok(String::from_utf8_lossy(entry).into_owned())
            });
            entries.collect()
        };
        assert_eq!(read(&rows).unwrap(), ["one", "two", "three"]);
        let mut changed = rows.clone();
        *changed[1].1.last_mut().unwrap() = b'x';
        assert_eq!(read(&changed), Err(Broken(3)));
        let mut without = rows.clone();
        without.remove(1);
        assert_eq!(read(&without), Err(Broken(2)));
        without[1].0 = key(2).to_vec();
        assert_eq!(read(&without), Err(Broken(2)), "renumbered");
        assert_eq!(read(&rows[1..]), Err(Broken(1)));
    }
}
