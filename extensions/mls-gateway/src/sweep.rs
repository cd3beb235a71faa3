//! Removes what has expired: from mailboxes, stock and archive in the database, and of the gateway's own kinds from the
//! event store. Asks owners for KeyPackages before they run out.
//!
//! In small pieces, so that others have their turn. Several instances that sweep the same database do each other no harm: a
//! piece is removed once, and each has an event store of its own. What fails is tried again with the next sweep.

mod events;
mod stock;

use crate::MlsGateway;
use crate::storage::{LetterBox, Pruned, Storage, StorageError};
use crate::watch::{self, Stage};
use events::EventSweep;
use std::fmt::Display;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// Seconds of the relay's clock between two sweeps, and between two looks at the stock.
const EVERY_S: u64 = 60;
const STOCK_EVERY_S: u64 = 600;
/// Groups are few, and looking for those that are over takes longer.
const GROUPS_EVERY_S: u64 = 3_600;
/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Rows of a kind that one transaction removes.
const ROWS_MAX: usize = 500;

/// Sweeps now and then, for as long as the instance runs.
pub(crate) async fn sweep_forever(me: &MlsGateway) -> Result<(), TaskError> {
    let mut events = EventSweep::default();
    let (mut swept, mut stocktaking) = (Due::default(), Due::default());
    let mut groups = Due::default();
    loop {
        let now_s = me.host.clock().now_s();
        if swept.is_due(now_s, EVERY_S) {
            let archived_before_s = now_s.saturating_sub(me.settings.message_archive_ttl_s);
            tell(prune(&*me.storage, now_s, archived_before_s).await);
            tell(events.sweep(me, now_s).await);
        }
        if groups.is_due(now_s, GROUPS_EVERY_S) {
            let heard_before_s = now_s.saturating_sub(me.settings.message_archive_ttl_s);
            tell(prune_groups(&*me.storage, heard_before_s).await);
        }
        if stocktaking.is_due(now_s, STOCK_EVERY_S) {
            tell(stock::ask_for_more(me, now_s).await);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// When something was done last.
#[derive(Default)]
struct Due(Option<u64>);

impl Due {
    /// Whether it is time again, and then it counts as done. A clock that was set back makes it time, too.
    fn is_due(&mut self, now_s: u64, every_s: u64) -> bool {
        let is_due = self
            .0
            .is_none_or(|last_s| now_s < last_s || now_s - last_s >= every_s);
        if is_due {
            self.0 = Some(now_s);
        }
        is_due
    }
}

fn tell<E: Display>(swept: Result<(), E>) {
    if let Err(error) = swept {
        watch::failed(Stage::Sweep, None);
        tracing::warn!(%error, "what has expired could not be removed; trying again in a minute");
    }
}

/// The database's part.
async fn prune(
    storage: &dyn Storage,
    now_s: u64,
    archived_before_s: u64,
) -> Result<(), StorageError> {
    loop {
        let pruned = storage.prune(now_s, archived_before_s, ROWS_MAX).await?;
        if pruned == Pruned::default() {
            return Ok(());
        }
        watch::expired(LetterBox::KeyPackages, pruned.key_package_letters);
        watch::expired(LetterBox::Welcomes, pruned.welcome_letters);
        tracing::debug!(
            key_package_letters = pruned.key_package_letters,
            welcome_letters = pruned.welcome_letters,
            acknowledged_letters = pruned.acknowledged_letters,
            packages = pruned.packages,
            archived = pruned.archived,
            "the database was swept"
        );
        tokio::task::yield_now().await;
    }
}

/// Whoever knows nothing but an id can make a group known.
async fn prune_groups(storage: &dyn Storage, before_s: u64) -> Result<(), StorageError> {
    while storage.prune_groups(before_s, ROWS_MAX).await? > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
