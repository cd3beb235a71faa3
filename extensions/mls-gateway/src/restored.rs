//! A database that a backup has brought back, which is older than the event store.
//!
//! Rosters are written before their events are stored, so that the database is never behind, but for a copy of it: whoever
//! was taken out of a group after it was made would read on. Invariant: before anybody is served, every roster of a copy has
//! what the stored roster events (450) say that are later than it. The events were judged when they came, and are judged once
//! more. Not here: messages and KeyPackages, which the `stored` hooks bring up to date, since a restore sets them back to
//! where the copy is; members who came by a gift wrap since, which only its recipient can read as such: they are to be
//! invited again.

use crate::config::Settings;
use crate::roster::{self, Authority, Roster, RosterChange, RosterRefusal};
use crate::roster_events;
use crate::rules;
use crate::shorten::Short;
use crate::storage::{PutRoster, Storage};
use std::sync::Arc;
use trellis_relay::event::PublicKey;
use trellis_relay::extension::prelude::*;

/// Brings the rosters of a copy up to what is stored. Does nothing with a database that is none.
pub(crate) async fn bring_up_to_date(
    host: &Host,
    settings: &Settings,
    storage: &dyn Storage,
) -> Result<(), BuildError> {
    if !storage.is_copy().await? {
        return Ok(());
    }
    let (mut changed, mut refused) = (0_u64, 0_u64);
    for group_id in roster_events::group_ids(host).await? {
        let known = storage.rosters(std::slice::from_ref(&group_id)).await?;
        let known = known.into_iter().next().map(|(_, known)| known);
        let replaces = known.as_ref().map(|known| known.revision);
        let events = roster_events::of_group(host, &group_id).await?;
        let Caught {
            roster,
            refused: of_group,
        } = catch_up(
            known.map(|known| known.roster),
            &group_id,
            &events,
            settings,
        );
        if of_group > 0 {
            refused += of_group;
            let group = Short::group(&group_id);
            tracing::error!(%group, refused = of_group, "roster events do not fit the database: see `trellis mls rebuild`");
        }
        let Some(roster) = roster else {
            continue;
        };
        let now_s = host.clock().now_s();
        match storage
            .put_roster(&group_id, &roster, replaces, now_s)
            .await?
        {
            PutRoster::Written(_) => changed += 1,
            PutRoster::Conflict => {
                return Err("the database was changed by others while it was brought up to date; start again".into());
            }
        }
    }
    storage.end_copy().await?;
    tracing::warn!(
        changed,
        refused,
        "the database is a copy from a backup; its rosters were brought up to the stored roster events"
    );
    Ok(())
}

/// What the stored events make of a roster.
struct Caught {
    /// `None` where it is as it should be.
    roster: Option<Roster>,
    /// Events that are later than it, and do not fit.
    refused: u64,
}

fn catch_up(
    known: Option<Roster>,
    group_id: &str,
    events: &[Arc<Event>],
    settings: &Settings,
) -> Caught {
    let mut changes: Vec<(RosterChange, PublicKey, u64)> = Vec::new();
    for event in events {
        match rules::roster_event::read(event) {
            Ok(read) if read.group_id == group_id => {
                changes.push((read.change, *event.pubkey(), event.created_at()));
            }
            // Imported; it never changed anything.
            _ => {}
        }
    }
    changes.sort_by_key(|(change, _, created_at_s)| (change.seq, *created_at_s, change.event));
    let authority = Authority {
        admins: &settings.admin_pubkeys,
        is_bootstrap_open: settings.allow_open_bootstrap,
    };
    let last_seq = known.as_ref().map_or(0, |known| known.seq);
    let is_later = |change: &RosterChange| known.is_none() || change.seq > last_seq;
    let (mut roster, mut refused) = (None, 0);
    for (change, by, _) in changes.iter().filter(|(change, ..)| is_later(change)) {
        let current = roster.as_ref().or(known.as_ref());
        match roster::apply(current, change, by, authority) {
            Ok(changed) => roster = Some(changed),
            Err(RosterRefusal::Applied | RosterRefusal::Stale) => {}
            Err(_) => refused += 1,
        }
    }
    Caught { roster, refused }
}
