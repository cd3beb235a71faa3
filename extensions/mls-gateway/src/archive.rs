//! Keeps copies of messages for members who were offline, in the gateway's own database.
//!
//! Follows what was committed, so an event that was answered OK is archived however the relay ends; the same event again
//! changes nothing. The archive is the operator's second copy and not a second life: what its author or recipient deleted,
//! who vanished, what has expired (NIP-40) and what the operator removed by hand leaves it too. What the relay gives up to
//! make room (retention) stays until `message_archive_ttl_days` are over, unless its author or recipient wants it gone. Not
//! here: who may read it (`rest`), bringing it back (`refill`), pruning (`sweep`).

mod copy;
mod unheard;
mod wishes;

use crate::MlsGateway;
use crate::kinds::{DELETION, GIFT_WRAP, ROSTER, VANISHING, archived};
use crate::watch::{self, Stage};
use copy::copy_of;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::Stored;
pub(crate) use unheard::{Looked, look_for};

/// Messages wait so long for others, to be copied together, unless somebody reads the archive meanwhile
/// ([`Host::catch_up`]). What the event store gives up or loses in this time has no copy.
const GATHER: Duration = Duration::from_secs(1);
/// Who reads what the hooks write waits so long for them at most.
pub(crate) const CATCH_UP: Duration = Duration::from_secs(5);
/// What one transaction takes at most.
const BATCH_EVENTS: usize = 2_048;
const BATCH_BYTES: usize = 4 << 20;

/// Registers the hook. It is there with the archive switched off as well: deletions go on to count, and the cursors of other
/// hooks keep their places.
///
/// It begins with the oldest event, because one that is answered in the moment in which the hook is registered would
/// otherwise be missed, and because a relay that has messages already shall have them in its archive.
pub(crate) fn register(hooks: &mut Registrar<MlsGateway>) {
    hooks.gather(GATHER).stored(
        followed(),
        StartAt::Beginning,
        async |me: Arc<MlsGateway>, page: Arc<[Change]>| {
            let followed = follow(&me, &page).await;
            followed.inspect_err(|_| watch::failed(Stage::Archive, None))
        },
    );
}

/// What is archived, and what may want it gone: by one cursor, so that a request never comes before what it is about. And
/// roster events, of which those that changed rosters are waited for.
fn followed() -> Kinds {
    let archived = archived();
    archived
        .iter()
        .chain([DELETION, VANISHING, ROSTER])
        .collect()
}

async fn follow(me: &MlsGateway, page: &[Change]) -> Result<(), HookError> {
    let mut changes = Vec::new();
    for change in page {
        let (id, kind) = match change {
            Change::Stored(stored) => (stored.event.id(), stored.event.kind()),
            Change::Removed { id, kind, .. } => (id, *kind),
            Change::Gap { to, .. } => {
                look_for(&me.host, &*me.storage, &me.looked, *to).await?;
                continue;
            }
        };
        if matches!(kind, ROSTER | GIFT_WRAP) {
            me.unstored.confirm(id);
        }
        if kind != ROSTER {
            changes.push((id, change));
        }
    }
    let has_removed = |(_, change): &(_, &Change)| matches!(change, Change::Removed { .. });
    if changes.iter().any(has_removed) {
        // What happened last to each event; a page may come again and an event more than once.
        let last: HashMap<&EventId, &Change> = changes.into_iter().collect();
        changes = last.into_iter().collect();
    }
    let (mut new, mut wished, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    let is_kept = me.settings.enable_message_archive;
    for (_, change) in changes {
        match change {
            Change::Stored(stored) if wishes::is_wish(&stored.event) => wished.push(stored),
            Change::Stored(stored) if is_kept => new.push(stored),
            Change::Removed { id, cause, .. } if ends(*cause) => gone.push(*id),
            _ => {}
        }
    }
    me.storage.forget(&gone).await?;
    new.sort_unstable_by_key(|stored| stored.row);
    keep(me, &new).await?;
    // After what is new, which may be what they are about.
    wishes::apply(&*me.storage, &wished).await
}

/// Whether an event that is removed from the store for this cause leaves the archive as well.
fn ends(cause: Cause) -> bool {
    match cause {
        Cause::Deletion | Cause::Vanish | Cause::Admin | Cause::Expiry | Cause::Replacement => true,
        Cause::Retention => false,
    }
}

async fn keep(me: &MlsGateway, new: &[&Stored]) -> Result<(), HookError> {
    let now_s = me.host.clock().now_s();
    let oldest_s = now_s.saturating_sub(me.settings.message_archive_ttl_s);
    let (mut batch, mut batch_bytes) = (Vec::new(), 0);
    for stored in new {
        // Of a store that was there before its archive the old part is left where it is.
        if stored.event.created_at() < oldest_s {
            continue;
        }
        let Some(copy) = copy_of(&stored.event, now_s) else {
            continue;
        };
        if batch.len() == BATCH_EVENTS || batch_bytes + copy.json.len() > BATCH_BYTES {
            me.storage.archive(&batch).await?;
            batch.clear();
            batch_bytes = 0;
        }
        batch_bytes += copy.json.len();
        batch.push(copy);
    }
    if !batch.is_empty() {
        me.storage.archive(&batch).await?;
    }
    Ok(())
}
