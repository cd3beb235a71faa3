//! What authors and recipients want gone: deletions (NIP-09) and requests to vanish (NIP-62), applied to the archive.
//!
//! The store tells of the removal of what it had. A copy outlives its event where that made room, or was another
//! instance's, and then the request alone tells. Invariant: nobody's request removes a copy that is neither theirs nor, as
//! a gift wrap, to them.

use crate::kinds::{DELETION, VANISHING};
use crate::storage::Storage;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::Stored;

/// Events that one transaction looks for at most.
const WISHES_AT_ONCE: usize = 500;

/// Whether it is a request of either kind.
pub(super) fn is_wish(event: &Event) -> bool {
    matches!(event.kind(), DELETION | VANISHING)
}

/// Forgets what these events, which may be of any kind, want gone.
pub(super) async fn apply(storage: &dyn Storage, stored: &[&Stored]) -> Result<(), HookError> {
    let mut wishes = Vec::new();
    for event in stored.iter().map(|stored| &stored.event) {
        match event.kind() {
            DELETION => {
                let ids = event.tag_values(b'e');
                let ids = ids.filter_map(|id| EventId::from_hex(&id).ok());
                wishes.extend(ids.map(|id| (id, *event.pubkey())));
            }
            // The relay stores only those that are addressed to it.
            VANISHING => {
                let until_s = event.created_at();
                storage.forget_all_of(event.pubkey(), until_s).await?;
            }
            _ => {}
        }
    }
    for some in wishes.chunks(WISHES_AT_ONCE) {
        storage.forget_for(some).await?;
    }
    Ok(())
}
