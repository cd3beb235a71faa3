//! Which rows of extensions are copied: all but the backup's own, and those that their extensions have excluded.

use crate::extension::{Compiled, is_backed_up};
use crate::store::Entry;
use std::sync::Arc;

/// The key space of the backup itself.
pub(super) const SPACE: &str = "@backup";

/// Which entries are copied.
#[derive(Clone)]
pub struct Keeps(Arc<KeepsRow>);

/// Asked with key space and key.
type KeepsRow = dyn Fn(&str, &[u8]) -> bool + Send + Sync;

impl Keeps {
    /// What these extensions have not excluded, whether they are on or off.
    pub fn of(compiled: &'static [Compiled]) -> Self {
        Keeps::by(move |space, key| is_backed_up(compiled, space, key))
    }

    /// Rows by key space and key.
    pub fn by(keeps: impl Fn(&str, &[u8]) -> bool + Send + Sync + 'static) -> Self {
        Keeps(Arc::new(keeps))
    }

    /// Whether an entry is copied.
    pub fn entry(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Row { extension, key, .. } => extension != SPACE && (self.0)(extension, key),
            _ => true,
        }
    }
}

impl std::fmt::Debug for Keeps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keeps")
    }
}
