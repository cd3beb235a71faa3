//! Removes what banned people have stored, some at a time.
//!
//! Invariant: a ban that was answered is carried out in the end, after a crash too, since its row says what is left to
//! do; one that was taken back removes nothing more, since pages are handed to the writer between decisions, and a newer
//! ban is carried out from its beginning. Extensions that guard an event keep it. Whatever was on its way into the store
//! when the ban came is found: a scan follows a write, and the writer refuses what comes after that.

use super::change_unwatched;
use crate::event::{EventId, PublicKey};
use crate::filter::Filter;
use crate::moderation::{Row, Standing, Subject, Verdict};
use crate::relay::Relay;
use crate::store::{Budget, Cause, Order, Outcome, Position, Scan, Write};
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

/// Removes everything of one author; whether it went to the end, of the author's events or of the ban.
async fn purge(relay: &Arc<Relay>, author: PublicKey) -> bool {
    {
        let _between_decisions = relay.moderator.changing.lock().await;
        *relay.moderator.purging() = Some(author);
    }
    let Some(ban) = standing(relay, author).await else {
        return false;
    };
    // Written once more as it is: what was under way before the ban is stored when this is.
    if !note(relay, author, ban.clone(), true).await {
        return false;
    }
    let mut resume = None;
    let mut removed = 0;
    loop {
        let started = Instant::now();
        let Some((ids, next)) = find(relay, author, resume).await else {
            return false;
        };
        match remove(relay, author, ids).await {
            Removal::Done { gone } => removed += gone,
            Removal::NoLongerWanted => return true,
            Removal::Stopping => return false,
        }
        match next {
            Some(_) => resume = next,
            None => break,
        }
        // As long as it took, so that publishers do not wait.
        tokio::time::sleep(started.elapsed().min(PAUSE)).await;
    }
    tracing::info!(removed, "removed the events of a banned public key");
    note(relay, author, ban, false).await
}

/// Whether the ban that is being carried out is in force.
fn is_wanted(relay: &Relay, author: PublicKey) -> bool {
    *relay.moderator.purging() == Some(author) && relay.moderation().to_purge.contains(&author)
}

/// The ban as it is stored.
async fn standing(relay: &Relay, author: PublicKey) -> Option<Standing> {
    let subject = Subject::Pubkey(author);
    let store = relay.store.clone();
    let key = subject.key();
    let stored = relay
        .readers
        .run(move || store.kv_get(crate::moderation::SPACE, &key))
        .await;
    let value = Some(stored.ok()?.ok()??);
    let (_, standing) = Row {
        key: subject.key(),
        value,
    }
    .standing()
    .ok()??;
    (standing.verdict == Verdict::Denied).then_some(standing)
}

/// Writes down whether the ban is still to be carried out, unless the operator has decided anew.
async fn note(relay: &Arc<Relay>, author: PublicKey, ban: Standing, to_purge: bool) -> bool {
    let new = Standing { to_purge, ..ban };
    let asked = relay.clone();
    let changed = change_unwatched(relay, None, move |_| {
        let row = is_wanted(&asked, author).then(|| Row::of(&Subject::Pubkey(author), Some(&new)));
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

/// What became of a page.
enum Removal {
    Done { gone: usize },
    NoLongerWanted,
    Stopping,
}

/// Removes events of a ban that is in force.
async fn remove(relay: &Relay, author: PublicKey, ids: Vec<EventId>) -> Removal {
    let mut answers = Vec::with_capacity(ids.len());
    {
        // Held while the writer is told, so that whoever takes the ban back is answered after these, and before no others.
        let _between_decisions = relay.moderator.changing.lock().await;
        if !is_wanted(relay, author) {
            return Removal::NoLongerWanted;
        }
        for id in ids {
            let (reply, answer) = oneshot::channel();
            let submission = Submission {
                write: Write::Remove(id, Cause::Admin),
                origin: Origin::Internal(Some(reply)),
                permit: None,
            };
            if relay.writer.submit(submission).is_err() {
                return Removal::Stopping;
            }
            answers.push(answer);
        }
    }
    let mut gone = 0;
    for answer in answers {
        match answer.await {
            Ok(outcome) => gone += usize::from(outcome == Outcome::Done),
            Err(_) => return Removal::Stopping,
        }
    }
    Removal::Done { gone }
}
