//! What a full store takes: events that remove more than they bring.
//!
//! Deletions and requests to vanish stay for good, and enter the reserve that removals need. So each must remove something
//! that is here, and none may be much larger than what it removes: else a few of them would fill the store past help.

use super::cursor::Walk;
use super::fault::Result;
use super::keys;
use super::plan::{Plan, Planner};
use super::tables::Table;
use super::vanishing::{GIFT_WRAP, recipient_hash};
use crate::event::Event;

/// An event may be so much larger than what it removes.
const MARGIN_BYTES: usize = 4 << 10;
/// Mentions of an author that are looked at in search of a wrap.
const MENTIONS: usize = 20_000;

impl Planner<'_> {
    /// Whether the event, stored as planned, leads to a smaller store.
    pub(super) fn makes_room(&self, event: &Event, plan: &Plan) -> Result<bool> {
        let event_bytes = event.json().len();
        if plan.vanishes {
            return Ok(
                event_bytes <= MARGIN_BYTES && self.has_something_of(event.pubkey().as_bytes())?
            );
        }
        if !plan.is_deletion() || plan.removes.is_empty() {
            return Ok(false);
        }
        let mut removed_bytes = 0;
        for resident in &plan.removes {
            removed_bytes += self.event_of(resident)?.json().len();
        }
        Ok(event_bytes <= removed_bytes + MARGIN_BYTES)
    }

    /// NIP-62: whether there is an event that goes when this author vanishes.
    fn has_something_of(&self, pubkey: &[u8; 32]) -> Result<bool> {
        let mut events = Walk::new(self.txn, self.tables.of(Table::Author))?;
        let prefix = keys::pk8(pubkey);
        if let Some((key, _)) = events.at_or_after(&prefix)?
            && key.starts_with(&prefix)
        {
            return Ok(true);
        }
        let mut mentions = Walk::new(self.txn, self.tables.of(Table::Tag))?;
        let prefix = recipient_hash(self.hash, pubkey);
        let mut found = mentions.at_or_after(&prefix)?;
        for _ in 0..MENTIONS {
            match found {
                Some((key, kind)) if key.starts_with(&prefix) => {
                    if kind == GIFT_WRAP.to_be_bytes() {
                        return Ok(true);
                    }
                }
                _ => return Ok(false),
            }
            found = mentions.next()?;
        }
        // Who is mentioned so often may well have wraps, and a commit cannot look for ever.
        Ok(true)
    }
}
