//! Which rows of extensions are copied: all but the backup's own and those that their extensions call passing.

use crate::store::Entry;

/// The key space of the backup itself.
pub(super) const SPACE: &str = "@backup";

/// Which entries are copied.
#[derive(Clone, Debug, Default)]
pub struct Keeps {
    /// Of which extension, and what keys begin with.
    passing: Vec<(String, Vec<u8>)>,
}

impl Keeps {
    /// All but the rows of these extensions whose keys begin so.
    pub fn all_but(passing: Vec<(String, Vec<u8>)>) -> Self {
        Keeps { passing }
    }

    /// Whether an entry is copied.
    pub fn entry(&self, entry: &Entry) -> bool {
        let Entry::Row { extension, key, .. } = entry else {
            return true;
        };
        let passes = |(name, prefix): &(String, Vec<u8>)| {
            name == extension && key.starts_with(prefix.as_slice())
        };
        extension != SPACE && !self.passing.iter().any(passes)
    }
}
