//! How far `stored` hooks had come, as a backup keeps it.

use super::super::follow;
use super::super::hook::{Call, Hook};
use super::super::relay_side::Core;
use crate::store::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The last row that each `stored` hook of an extension had dealt with, by the hook's place among them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct StoredCursors(BTreeMap<usize, u64>);

impl StoredCursors {
    /// The cursors that are saved at the moment. A hook that begins with what comes next, and has not begun, has none.
    pub(super) async fn read(core: &dyn Core, hooks: &[Arc<Hook>]) -> Result<Self, StoreError> {
        let is_stored = |hook: &&Arc<Hook>| matches!(hook.call, Call::Stored(..));
        let hooks: Vec<_> = hooks.iter().filter(is_stored).cloned().collect();
        if hooks.is_empty() {
            return Ok(StoredCursors::default());
        }
        let read = core.ask(move |store| {
            let mut cursors = BTreeMap::new();
            for (place, hook) in hooks.iter().enumerate() {
                if let Some(cursor) = follow::saved_cursor(hook, place, store)? {
                    cursors.insert(place, cursor);
                }
            }
            Ok(StoredCursors(cursors))
        });
        read.await
    }

    /// The rows that set the hooks of an extension back: key space, key and value of each. None goes beyond `last_row`, the
    /// last one of the store that they are put into: what comes after that is new.
    ///
    /// ```
    /// use trellis_relay::extension::StoredCursors;
    /// let cursors: StoredCursors = serde_json::from_str(r#"{"0": 41, "1": 7}"#)?;
    /// let rows = cursors.rows("diary", 40);
    /// assert_eq!(rows[0], ("diary@stored".to_owned(), b"0".to_vec(), 40_u64.to_be_bytes().to_vec()));
    /// assert_eq!(rows[1], ("diary@stored".to_owned(), b"1".to_vec(), 7_u64.to_be_bytes().to_vec()));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn rows(&self, extension: &str, last_row: u64) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let rows = self.0.iter().map(|(place, cursor)| {
            let (space, key) = follow::cursor_row(extension, *place);
            (space, key, follow::encode(last_row.min(*cursor)))
        });
        rows.collect()
    }
}
