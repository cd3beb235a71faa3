//! What stored group messages tell of their groups: the epoch and the time of the newest. Never who belongs to them.

use crate::MlsGateway;
use crate::rules::group_message;
use crate::storage::Seen;
use crate::watch;
use std::borrow::Cow;
use std::collections::HashMap;
use trellis_relay::extension::prelude::*;

impl MlsGateway {
    /// Notes a page of messages, one line a group.
    pub(super) async fn note_messages(&self, page: &[Change]) -> Result<(), HookError> {
        let mut groups: HashMap<Cow<'_, str>, Seen> = HashMap::new();
        for change in page {
            let Change::Stored(stored) = change else {
                continue;
            };
            // Imports may have brought what would not be taken from clients.
            let Ok(message) = group_message::read(&stored.event) else {
                continue;
            };
            let created_at_s = stored.event.created_at();
            let line = groups.entry(message.group_id);
            let seen = line.or_insert_with_key(|group_id| Seen {
                group_id: group_id.to_string(),
                epoch: None,
                created_at_s,
            });
            seen.epoch = seen.epoch.max(message.epoch);
            seen.created_at_s = seen.created_at_s.max(created_at_s);
        }
        if groups.is_empty() {
            return Ok(());
        }
        let seen: Vec<Seen> = groups.into_values().collect();
        let now_s = self.host.clock().now_s();
        self.storage.note_messages(&seen, now_s).await?;
        watch::groups_updated(seen.len());
        Ok(())
    }
}
