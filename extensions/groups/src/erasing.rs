//! Removes what moderators have deleted: single events, and everything of a group that is gone.
//!
//! Invariant: what has to be removed stands in rows that the deletion has written in its transaction, and that go when it is
//! done. Until then nobody sees it of a group that is gone. Of a group that is there, moderation events stay.

use crate::Groups;
use crate::directory::each_row;
use crate::kinds::{self, CREATE_INVITE, DELETE_GROUP};
use crate::metadata::SAID;
use crate::state::{self, STANDING, TO_CLEAR, TO_ERASE};
use crate::tags;
use crate::watch;
use std::collections::BTreeMap;
use tokio::task::JoinSet;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Events that are looked at at a time.
const PAGE_EVENTS: usize = 200;

/// Removes what there is to remove, for ever.
pub(crate) async fn erase_forever(me: &Groups) -> Result<(), TaskError> {
    loop {
        let mut events = Vec::new();
        each_row(&me.host, &[TO_ERASE], |key, _| events.push(key.to_vec())).await?;
        for row in events {
            erase_event(me, &row).await?;
        }
        let mut groups = Vec::new();
        each_row(&me.host, &[TO_CLEAR], |key, _| groups.push(key.to_vec())).await?;
        for row in groups {
            clear_group(me, &row).await?;
        }
        me.agenda.until_erasing().await;
    }
}

async fn erase_event(me: &Groups, row: &[u8]) -> Result<(), StoreError> {
    let named = state::parts(row);
    let named = named.and_then(|(id, event)| Some((id, EventId::from_slice(event).ok()?)));
    if let Some((id, event_id)) = named {
        let asked = Filter {
            ids: Some(vec![event_id]),
            ..Filter::default()
        };
        if let Some(event) = me.host.query(asked).await?.first() {
            let is_state = kinds::is_moderation(event.kind()) && event.kind() != CREATE_INVITE;
            let is_of_group = tags::groups(event).iter().any(|group| group == id);
            if is_of_group && !is_state && me.host.remove(event_id, Cause::Admin).await? {
                watch::removed();
            }
        }
    }
    me.host.kv_put(row, None).await
}

async fn clear_group(me: &Groups, row: &[u8]) -> Result<(), StoreError> {
    let Some((id, _)) = state::parts(row) else {
        return me.host.kv_put(row, None).await;
    };
    let sent = Filter {
        tags: BTreeMap::from([(b'h', vec![id.to_owned()])]),
        ..Filter::default()
    };
    remove_all(me, sent, |event| event.kind() == DELETE_GROUP).await?;
    let said = Filter {
        kinds: Some(SAID.to_vec()),
        authors: Some(vec![me.rules.relay]),
        tags: BTreeMap::from([(b'd', vec![id.to_owned()])]),
        ..Filter::default()
    };
    remove_all(me, said, |_| false).await?;
    let mut rows = Vec::new();
    for letter in [STANDING, state::REQUEST, state::ERASED] {
        each_row(&me.host, &state::key(letter, id, &[]), |key, _| {
            rows.push(key.to_vec());
        })
        .await?;
    }
    for some in rows.chunks(PAGE_EVENTS) {
        let mut writes = JoinSet::new();
        for row in some {
            let (host, row) = (me.host.clone(), row.clone());
            writes.spawn(async move { host.kv_put(&row, None).await });
        }
        while let Some(written) = writes.join_next().await {
            written.unwrap_or(Ok(()))?;
        }
    }
    me.host.kv_put(row, None).await
}

/// Removes all events that match but for those that stay.
async fn remove_all(
    me: &Groups,
    mut filter: Filter,
    stays: impl Fn(&Event) -> bool,
) -> Result<(), StoreError> {
    filter.limit = Some(PAGE_EVENTS);
    loop {
        let events = me.host.query(filter.clone()).await?;
        let is_last = events.len() < PAGE_EVENTS;
        let mut removed = 0;
        for event in events.iter().filter(|event| !stays(event)) {
            if me.host.remove(*event.id(), Cause::Admin).await? {
                watch::removed();
                removed += 1;
            }
        }
        if is_last {
            return Ok(());
        }
        if removed == 0 {
            // All of the page stay, or a guard of somebody else keeps them: look at older ones.
            let Some(oldest) = events.last() else {
                return Ok(());
            };
            filter.until = Some(oldest.created_at().saturating_sub(1));
        }
    }
}
