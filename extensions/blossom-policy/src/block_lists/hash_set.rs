//! A set of hashes of one length: as many bytes as the hashes have, and no more.

/// Sorted, without doubles.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct HashSet<const BYTES: usize>(Vec<[u8; BYTES]>);

impl<const BYTES: usize> HashSet<BYTES> {
    /// Sorts where the hashes stand, so that it takes no more memory than they do.
    pub(super) fn new(mut hashes: Vec<[u8; BYTES]>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        // Moving millions for a few doubles would take them twice.
        if hashes.capacity() - hashes.len() > hashes.len() / 8 {
            hashes.shrink_to_fit();
        }
        HashSet(hashes)
    }

    pub(super) fn contains(&self, hash: &[u8; BYTES]) -> bool {
        self.0.binary_search(hash).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
