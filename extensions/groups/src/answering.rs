//! What the relay says to requests: a put-user to who may join and who has created a group, a remove-user to who leaves.
//!
//! Invariant: an answer names the request in an `e` tag and is stored only while this is what the user asked last. Requests
//! wait in rows that their answers delete, so that each is answered once, a crash in between included. A row that is dropped
//! here is that of the request that was looked at, whatever the user has asked since.

use crate::Groups;
use crate::directory::each_row;
use crate::kinds::{CREATE_GROUP, JOIN, LEAVE, PUT_USER, REMOVE_USER};
use crate::state::{self, REQUEST};
use crate::watch;
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::nostr::event::{EventBuilder, Kind, Tag};
use trellis_relay::reason::Prefix;
use trellis_relay::store::StoreError;

/// An answer that could not be stored is tried again so much later.
const PAUSE: Duration = Duration::from_millis(500);

/// Answers requests for ever.
pub(crate) async fn answer_forever(me: &Groups) -> Result<(), TaskError> {
    let mut unreadable = Vec::new();
    each_row(&me.host, &[REQUEST], |row, _| {
        match state::request_of(row) {
            Some((id, user, _)) => me.agenda.answer(id, &user),
            None => unreadable.push(row.to_vec()),
        }
    })
    .await?;
    for row in unreadable {
        drop_unreadable(me, &row).await?;
    }
    loop {
        let (id, user, failures) = me.agenda.next_request().await;
        if !answer(me, &id, &user).await? {
            if !me.agenda.answer_again(&id, &user, failures) {
                tracing::warn!(failures, "a request of a user waits for the next start");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// A row that says of no request must not stand before others.
async fn drop_unreadable(me: &Groups, row: &[u8]) -> Result<(), StoreError> {
    tracing::warn!("a row that should be a request of a user cannot be read, and is dropped");
    me.host.kv_put(row, None).await
}

/// Answers a request, if there is still one; whether that is done.
async fn answer(me: &Groups, id: &str, user: &PublicKey) -> Result<bool, StoreError> {
    let of_user = state::key(REQUEST, id, user.as_bytes());
    let request = loop {
        let waiting = me.host.kv_scan(&of_user, None, 1).await?;
        let Some((row, _)) = waiting.into_iter().next() else {
            return Ok(true);
        };
        match state::request_of(&row) {
            Some((_, _, request)) => break request,
            None => drop_unreadable(me, &row).await?,
        }
    };
    let row = state::request_key(id, user, &request);
    let asked = Filter {
        ids: Some(vec![request]),
        ..Filter::default()
    };
    let asked = me.host.query(asked).await?;
    let answer = asked.first().and_then(|asked| match asked.kind() {
        JOIN => Some((PUT_USER, vec![], "join")),
        CREATE_GROUP => Some((PUT_USER, vec![me.rules.creator_role.clone()], "create")),
        LEAVE => Some((REMOVE_USER, vec![], "leave")),
        _ => None,
    });
    let Some((kind, roles, to)) = answer else {
        // Whoever asked has taken it back.
        me.host.kv_put(&row, None).await?;
        return Ok(true);
    };
    let p = [vec!["p".to_owned(), user.to_hex()], roles].concat();
    let tags = [
        vec!["h".to_owned(), id.to_owned()],
        p,
        vec!["e".to_owned(), request.to_hex()],
    ];
    let tags = tags.into_iter().filter_map(|tag| Tag::parse(tag).ok());
    let event = EventBuilder::new(Kind::from(kind), "").tags(tags);
    match me.host.publish(event).await {
        Ok(_) => {
            watch::answered(to);
            Ok(true)
        }
        Err(reason) if reason.prefix == Prefix::Error => Ok(false),
        Err(reason) => {
            tracing::debug!(%reason, to, "a request of a user is not granted after all");
            me.host.kv_put(&row, None).await?;
            Ok(true)
        }
    }
}
