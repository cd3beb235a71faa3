//! Removes what moderators have deleted: single events, and everything of a group that is gone.
//!
//! Invariant: what has to be removed stands in rows that the deletion has written in its transaction, and that go when it is
//! done. Until then nobody sees it of a group that is gone. Of a group that is there, moderation events stay. Groups take
//! turns, a page of events each, so that none waits until another one's are all gone.

use crate::Groups;
use crate::kinds::{self, CREATE_INVITE, DELETE_GROUP};
use crate::metadata::SAID;
use crate::state::{self, STANDING, TO_CLEAR, TO_ERASE};
use crate::{tags, watch};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use tokio::task::JoinSet;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Events that one group has removed in a turn: together, so that a few commits do for all of them.
const TURN_EVENTS: usize = 50;
/// Ids of one question to the store.
const IDS_MAX: usize = 500;
/// More than any key of a row has behind its group.
const BEHIND: [u8; 33] = [0xff; 33];

/// Removes what there is to remove, for ever.
pub(crate) async fn erase_forever(me: &Groups) -> Result<(), TaskError> {
    loop {
        while erase_in_turn(me).await? {}
        me.agenda.until_erasing().await;
    }
}

/// A turn for every group that has something to remove; whether one had.
async fn erase_in_turn(me: &Groups) -> Result<bool, StoreError> {
    let mut is_any = false;
    for letter in [TO_ERASE, TO_CLEAR] {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let next = me.host.kv_scan(&[letter], after.as_deref(), 1).await?;
            let Some((row, _)) = next.into_iter().next() else {
                break;
            };
            is_any = true;
            match (state::parts(&row), letter) {
                (None, _) => me.host.kv_put(&row, None).await?,
                (Some((id, _)), TO_ERASE) => erase_some(me, id).await?,
                (Some((id, _)), _) => clear_some(me, id).await?,
            }
            let behind = state::parts(&row).map(|(id, _)| state::key(letter, id, &BEHIND));
            after = Some(behind.unwrap_or(row));
        }
    }
    Ok(is_any)
}

/// Removes some of the events that moderators have deleted from a group.
async fn erase_some(me: &Groups, id: &str) -> Result<(), StoreError> {
    let prefix = state::key(TO_ERASE, id, &[]);
    let rows = me.host.kv_scan(&prefix, None, TURN_EVENTS).await?;
    let named = rows.iter().filter_map(|(row, _)| state::parts(row));
    let named = named.filter_map(|(_, event)| EventId::from_slice(event).ok());
    let found = by_ids(me, named.collect()).await?;
    let goes = found.into_iter().filter(|event| {
        let is_state = kinds::is_moderation(event.kind()) && event.kind() != CREATE_INVITE;
        let is_of_group = tags::groups(event).iter().any(|group| group == id);
        is_of_group && !is_state
    });
    remove(me, goes.map(|event| *event.id()).collect()).await?;
    drop_rows(me, rows.into_iter().map(|(row, _)| row).collect()).await
}

/// Removes something of a group that is gone: a page of events, else rows; in the end, that there is something to remove.
async fn clear_some(me: &Groups, id: &str) -> Result<(), StoreError> {
    let sent = Filter {
        tags: BTreeMap::from([(b'h', vec![id.to_owned()])]),
        ..Filter::default()
    };
    let said = Filter {
        kinds: Some(SAID.to_vec()),
        authors: Some(vec![me.rules.relay]),
        tags: BTreeMap::from([(b'd', vec![id.to_owned()])]),
        ..Filter::default()
    };
    if remove_page(me, sent, |event| event.kind() == DELETE_GROUP).await?
        || remove_page(me, said, |_| false).await?
    {
        return Ok(());
    }
    let letters = [STANDING, state::REQUEST, state::LAST_REQUEST, state::ERASED];
    for letter in letters {
        let prefix = state::key(letter, id, &[]);
        let rows = me.host.kv_scan(&prefix, None, IDS_MAX).await?;
        if !rows.is_empty() {
            return drop_rows(me, rows.into_iter().map(|(row, _)| row).collect()).await;
        }
    }
    me.host.kv_put(&state::key(TO_CLEAR, id, &[]), None).await?;
    me.directory.clear(id);
    Ok(())
}

/// Removes a page of the events that match but for those that stay; whether there was one.
async fn remove_page(
    me: &Groups,
    mut filter: Filter,
    stays: impl Fn(&Event) -> bool,
) -> Result<bool, StoreError> {
    filter.limit = Some(TURN_EVENTS);
    loop {
        let events = me.host.query(filter.clone()).await?;
        let goes = events.iter().filter(|event| !stays(event));
        if remove(me, goes.map(|event| *event.id()).collect()).await? > 0 {
            return Ok(true);
        }
        // All of the page stay, or a guard of somebody else keeps them: look at older ones.
        match events.last() {
            Some(oldest) if events.len() == TURN_EVENTS => {
                filter.until = Some(oldest.created_at().saturating_sub(1));
            }
            _ => return Ok(false),
        }
    }
}

async fn by_ids(me: &Groups, mut ids: Vec<EventId>) -> Result<Vec<Arc<Event>>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    ids.sort_unstable();
    ids.dedup();
    let asked = Filter {
        ids: Some(ids),
        ..Filter::default()
    };
    me.host.query(asked).await
}

/// Removes events, all at a time; how many are gone.
async fn remove(me: &Groups, events: Vec<EventId>) -> Result<usize, StoreError> {
    let removals = events.into_iter().map(|event| {
        let host = me.host.clone();
        async move { host.remove(event, Cause::Admin).await }
    });
    let removed = at_once(removals).await?;
    let removed = removed.into_iter().filter(|is_gone| *is_gone);
    Ok(removed.inspect(|_| watch::removed()).count())
}

async fn drop_rows(me: &Groups, rows: Vec<Vec<u8>>) -> Result<(), StoreError> {
    let writes = rows.into_iter().map(|row| {
        let host = me.host.clone();
        async move { host.kv_put(&row, None).await }
    });
    at_once(writes).await.map(drop)
}

/// Waits for all of them; the writer puts what comes together into one commit.
async fn at_once<T: Send + 'static>(
    writes: impl Iterator<Item = impl Future<Output = Result<T, StoreError>> + Send + 'static>,
) -> Result<Vec<T>, StoreError> {
    let mut writing: JoinSet<_> = writes.collect();
    let mut done = Vec::new();
    while let Some(written) = writing.join_next().await {
        let ended = |_| StoreError::Unavailable("a write was given up".to_owned());
        done.push(written.map_err(ended)??);
    }
    Ok(done)
}
