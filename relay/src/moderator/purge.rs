//! Removes what banned people have stored, some at a time.
//!
//! Invariant: a ban that was answered is carried out in the end, after a crash too, since its row says what is left to
//! do. Extensions that guard an event keep it. Whatever was on its way into the store when the ban came is found: a scan
//! follows a write, and the writer refuses what comes after that.

use super::change;
use crate::event::{EventId, PublicKey};
use crate::filter::Filter;
use crate::moderation::{Row, Standing, Subject, Verdict};
use crate::relay::Relay;
use crate::store::{Budget, Cause, Order, Position, Scan, Write};
use crate::writer::{Origin, Submission};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Removals in one batch, so that publishers do not wait for them.
const CHUNK: Budget = Budget {
    events: 256,
    entries: 20_000,
    bytes: 4 << 20,
    time: Duration::from_millis(5),
};
/// Where something failed, it is tried again after this time.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks for what is to be done until the relay is gone.
pub(crate) async fn run(relay: Weak<Relay>) {
    while let Some(relay) = relay.upgrade().filter(|relay| !relay.is_stopping()) {
        let next = relay.moderation().to_purge.iter().next().copied();
        let done = match next {
            Some(author) => purge(&relay, author).await,
            None => false,
        };
        if !done {
            // In pieces, and without a hold on the relay, or nothing would ever find it gone.
            let bell = relay.moderator.purge.clone();
            drop(relay);
            let _ = tokio::time::timeout(PAUSE, bell.notified()).await;
        }
    }
}

/// Removes everything of one author; whether it went to the end.
async fn purge(relay: &Arc<Relay>, author: PublicKey) -> bool {
    // Written once more as it is: what was under way before the ban is stored when this is.
    if !write_standing(relay, author, true).await {
        return false;
    }
    let mut resume = None;
    let mut removed = 0;
    loop {
        let started = Instant::now();
        let Some((ids, next)) = find(relay, author, resume).await else {
            return false;
        };
        let Some(gone) = remove(relay, ids).await else {
            return false;
        };
        removed += gone;
        match next {
            Some(_) => resume = next,
            None => break,
        }
        // As long as it took, so that publishers do not wait.
        tokio::time::sleep(started.elapsed().min(PAUSE)).await;
    }
    tracing::info!(removed, "removed the events of a banned public key");
    write_standing(relay, author, false).await
}

async fn write_standing(relay: &Arc<Relay>, author: PublicKey, to_purge: bool) -> bool {
    let subject = Subject::Pubkey(author);
    let store = relay.store.clone();
    let key = subject.key();
    let stored = relay
        .readers
        .run(move || store.kv_get(crate::moderation::SPACE, &key))
        .await;
    let Ok(Ok(Some(value))) = stored else {
        return false;
    };
    let row = Row {
        key: subject.key(),
        value: Some(value),
    };
    let Ok(Some((_, standing))) = row.standing() else {
        return false;
    };
    let new = Standing {
        to_purge,
        ..standing
    };
    let changed = change(relay, move |now| {
        let still = now.banned_pubkeys.contains(&author) && new.verdict == Verdict::Denied;
        let row = still.then(|| Row::of(&subject, Some(&new)));
        row.into_iter().collect()
    });
    changed.await.is_ok()
}

async fn find(
    relay: &Relay,
    author: PublicKey,
    resume: Option<Position>,
) -> Option<(Vec<EventId>, Option<Position>)> {
    let (store, now) = (relay.store.clone(), relay.clock.now_s());
    let page = relay.readers.run(move || {
        let filter = Filter {
            authors: Some(vec![author]),
            ..Filter::default()
        };
        store.scan(&Scan {
            filter: &filter,
            order: Order::NewestFirst,
            resume,
            max_row: u64::MAX,
            now,
            budget: CHUNK,
        })
    });
    match page.await {
        Ok(Ok(page)) => {
            let ids = page.events.iter().map(|stored| *stored.event.id());
            Some((ids.collect(), page.next))
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the events of a banned public key could not be listed");
            None
        }
        Err(_) => None,
    }
}

/// Removes events; how many are gone, or none where the writer has stopped.
async fn remove(relay: &Relay, ids: Vec<EventId>) -> Option<usize> {
    let mut answers = Vec::with_capacity(ids.len());
    for id in ids {
        let (reply, answer) = oneshot::channel();
        let submission = Submission {
            write: Write::Remove(id, Cause::Admin),
            origin: Origin::Internal(Some(reply)),
            permit: None,
        };
        relay.writer.submit(submission).ok()?;
        answers.push(answer);
    }
    let mut gone = 0;
    for answer in answers {
        gone += usize::from(answer.await.ok()? == crate::store::Outcome::Done);
    }
    Some(gone)
}
