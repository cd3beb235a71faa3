//! What stored group messages tell of their groups: the epoch and the time of the newest. Never who belongs to them.
//!
//! Invariant: a new epoch is told to the database at once, and a time to within [`PRECISION_S`], so that a group in which
//! many write costs no more writes than one in which few do.

use crate::MlsGateway;
use crate::rules::group_message;
use crate::storage::Seen;
use crate::watch;
use hashbrown::HashMap;
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use trellis_relay::extension::prelude::*;

const PRECISION_S: u64 = 60;
/// Groups of which is known what was told. Without one it is told again.
const GROUPS_MAX: usize = 20_000;

/// What the database was told last, by group.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<String, Line>>);

#[derive(Debug)]
struct Line {
    epoch: Option<u64>,
    created_at_s: u64,
    told_at_s: u64,
}

impl Told {
    /// Whether it is worth telling.
    fn is_news(&self, seen: &Seen, now_s: u64) -> bool {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.get(&seen.group_id).is_none_or(|line| {
            seen.epoch > line.epoch
                || seen.created_at_s >= line.created_at_s.saturating_add(PRECISION_S)
                || now_s.abs_diff(line.told_at_s) >= PRECISION_S
        })
    }

    fn note(&self, told: Vec<Seen>, now_s: u64) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for seen in told {
            if lines.len() >= GROUPS_MAX && !lines.contains_key(&seen.group_id) {
                lines.clear();
            }
            let before = lines.get(&seen.group_id);
            let line = Line {
                epoch: seen.epoch.max(before.and_then(|line| line.epoch)),
                created_at_s: before
                    .map_or(0, |line| line.created_at_s)
                    .max(seen.created_at_s),
                told_at_s: now_s,
            };
            lines.insert(seen.group_id, line);
        }
    }
}

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
        let now_s = self.host.clock().now_s();
        let mut seen: Vec<Seen> = groups.into_values().collect();
        seen.retain(|seen| self.told.is_news(seen, now_s));
        if seen.is_empty() {
            return Ok(());
        }
        self.storage.note_messages(&seen, now_s).await?;
        watch::groups_updated(seen.len());
        self.told.note(seen, now_s);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m26_an_epoch_is_news_at_once_and_a_time_once_a_minute() {
        let told = Told::default();
        let seen = |epoch, created_at_s| Seen {
            group_id: "g".to_owned(),
            epoch,
            created_at_s,
        };
        assert!(told.is_news(&seen(None, 100), 100), "nothing was told");
        told.note(vec![seen(Some(3), 100)], 100);
        assert!(!told.is_news(&seen(Some(3), 159), 159));
        assert!(!told.is_news(&seen(None, 90), 101), "older");
        assert!(told.is_news(&seen(Some(4), 90), 101), "an epoch");
        assert!(told.is_news(&seen(None, 160), 101), "a time");
        assert!(
            told.is_news(&seen(None, 90), 160),
            "that there are messages"
        );
        told.note(vec![seen(None, 90)], 160);
        assert!(
            !told.is_news(&seen(Some(3), 159), 200),
            "what was told before holds"
        );
        for number in 0..2 * GROUPS_MAX {
            let group_id = number.to_string();
            told.note(
                vec![Seen {
                    group_id,
                    ..seen(None, 1)
                }],
                1,
            );
        }
        let lines = told.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(lines.len() <= GROUPS_MAX);
    }
}
