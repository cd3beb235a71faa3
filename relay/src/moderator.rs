//! Carries out what the operator decides while the relay runs: first durable, then in force everywhere.
//!
//! Invariant: decisions are taken one after the other; one that was answered survives a crash, and one that could not be
//! stored has no effect until a restart finds what of its rows was stored. Not here: what a decision means for a client
//! (`access`), and the calls themselves (`http`).

mod purge;

pub(crate) use purge::run as run_purge;

use crate::config::Config;
use crate::decisions::Decision;
use crate::event::PublicKey;
use crate::moderation::{Moderation, Row, SPACE, Subject};
use crate::reason::Reason;
use crate::relay::Relay;
use crate::store::{Outcome, StoreError, Write};
use crate::worker::WorkerMessage;
use crate::writer::{Origin, Submission};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::mpsc::channel;
use tokio::sync::{Notify, oneshot};

/// How long workers may take to put a decision in force before the operator is answered all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// The decisions in force.
#[derive(Debug)]
pub struct Moderator {
    current: RwLock<Arc<Moderation>>,
    /// The configuration as the file and the environment have it.
    written: Mutex<Arc<Config>>,
    changing: tokio::sync::Mutex<()>,
    /// Rung when there is something to purge.
    purge: Arc<Notify>,
    /// Whose events are being removed; none where the operator has decided about that person since.
    purging: Mutex<Option<PublicKey>>,
    /// Rung when a configuration is put in force, for the one who waits for that.
    pub(crate) reconfigured: Arc<Notify>,
}

/// Why a decision has no effect.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The lists are full.
    #[error("the lists hold {0} entries, and auth.max_managed_entries allows no more")]
    TooMany(usize),
    /// The row was not stored.
    #[error("the decision could not be stored, and has no effect")]
    NotStored,
    /// The store takes nothing more.
    #[error("the decision has no effect: {}", .0.text)]
    Refused(Reason),
    /// Stored rows make no sense.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Moderator {
    /// With what a store holds, and the configuration that it overrules.
    pub fn new(moderation: Moderation, written: Arc<Config>) -> Self {
        Moderator {
            current: RwLock::new(Arc::new(moderation)),
            written: Mutex::new(written),
            changing: tokio::sync::Mutex::default(),
            purge: Arc::default(),
            purging: Mutex::default(),
            reconfigured: Arc::default(),
        }
    }

    /// Tells the log which keys of the configuration have no say.
    pub(crate) fn say_what_is_overruled(&self) {
        let keys = self.current().settings.keys().join(", ");
        if !keys.is_empty() {
            tracing::info!(
                keys,
                "set by the management API, which beats the configuration"
            );
        }
    }

    /// The decisions in force.
    pub fn current(&self) -> Arc<Moderation> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The configuration that is in force where this one is written.
    pub fn overrule(&self, written: &Arc<Config>) -> Arc<Config> {
        let current = self.current();
        if current.settings.is_empty() {
            return written.clone();
        }
        let mut config = Config::clone(written);
        current.settings.overrule(&mut config);
        Arc::new(config)
    }

    fn purging(&self) -> MutexGuard<'_, Option<PublicKey>> {
        self.purging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a decision: `decide` sees those in force and gives the rows that change them. When it returns `Ok`, they are
/// durable and in force, all at once; after an `Err` or a crash the first of them may be durable, where there are more than
/// one commit holds. `noted` goes into the log of decisions with them, if there is anything to change: in the same commit, or
/// in one before. Goes on to its end even if nobody waits for it. Must be called within an actix runtime.
pub async fn change(
    relay: &Arc<Relay>,
    noted: Option<Decision>,
    decide: impl FnOnce(&Moderation) -> Vec<Row> + 'static,
) -> Result<(), ChangeError> {
    let watching = relay.clone();
    change_unwatched(relay, noted, move |now| {
        let rows = decide(now);
        let mut purging = watching.moderator.purging();
        if let Some(author) = *purging {
            let key = Subject::Pubkey(author).key();
            purging.take_if(|_| rows.iter().any(|row| row.key == key));
        }
        rows
    })
    .await
}

/// The same for what the purge notes of its own progress.
async fn change_unwatched(
    relay: &Arc<Relay>,
    noted: Option<Decision>,
    decide: impl FnOnce(&Moderation) -> Vec<Row> + 'static,
) -> Result<(), ChangeError> {
    let relay = relay.clone();
    let task = actix_rt::spawn(async move { carry_out(&relay, noted, decide).await });
    task.await.unwrap_or(Err(ChangeError::NotStored))
}

async fn carry_out(
    relay: &Relay,
    noted: Option<Decision>,
    decide: impl FnOnce(&Moderation) -> Vec<Row>,
) -> Result<(), ChangeError> {
    let _one_by_one = relay.moderator.changing.lock().await;
    let old = relay.moderator.current();
    let mut new = Moderation::clone(&old);
    let rows = decide(&old);
    new.take_all(&rows)?;
    let most = relay.config().auth.max_managed_entries as usize;
    if new.len() > old.len() && new.len() > most {
        return Err(ChangeError::TooMany(most));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let rows = rows.into_iter().map(|row| Write::Kv {
        extension: SPACE.to_owned(),
        key: row.key,
        value: row.value,
    });
    store(relay, noted.iter().map(Decision::write).chain(rows)).await?;
    put_in_force(relay, &old, Arc::new(new)).await;
    Ok(())
}

async fn store(relay: &Relay, writes: impl Iterator<Item = Write>) -> Result<(), ChangeError> {
    let mut answers = Vec::new();
    // So that the writer takes the rows as a whole, as far as one batch goes.
    let approach = relay.writer.approach();
    for write in writes {
        let (reply, answer) = oneshot::channel();
        let submission = Submission {
            write,
            origin: Origin::Internal(Some(reply)),
            permit: None,
        };
        let queued = relay.writer.submit(submission);
        queued.map_err(|_| ChangeError::NotStored)?;
        answers.push(answer);
    }
    drop(approach);
    for answer in answers {
        match answer.await {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Refused(reason)) => return Err(ChangeError::Refused(reason)),
            _ => return Err(ChangeError::NotStored),
        }
    }
    Ok(())
}

/// When this returns, what clients do next meets the decision, on whichever worker they are; unless one of them is too
/// busy to be waited for.
async fn put_in_force(relay: &Relay, old: &Moderation, new: Arc<Moderation>) {
    let moderator = &relay.moderator;
    *moderator
        .current
        .write()
        .unwrap_or_else(PoisonError::into_inner) = new.clone();
    if new.settings != old.settings {
        reconfigure(relay, None);
    }
    let (in_force, mut everywhere) = channel(1);
    relay.tell_workers(|| WorkerMessage::Moderation(new.clone(), in_force.clone()));
    drop(in_force);
    let in_force_everywhere = async {
        everywhere.recv().await;
        relay.writer.finish_batch().await;
    };
    let _ = tokio::time::timeout(PATIENCE, in_force_everywhere).await;
    if !new.to_purge.is_empty() {
        moderator.purge.notify_one();
    }
}

/// Puts a newly written configuration, or the last one, in force with what the operator has overruled.
pub(crate) fn reconfigure(relay: &Relay, written: Option<Arc<Config>>) {
    let moderator = &relay.moderator;
    // Held to the end, so that of two callers the later one has the last word.
    let mut last = moderator
        .written
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(written) = written {
        *last = written;
    }
    let config = moderator.overrule(&last);
    moderator.say_what_is_overruled();
    *relay.config.write().unwrap_or_else(PoisonError::into_inner) = config.clone();
    relay.tell_workers(|| WorkerMessage::Config(config.clone()));
    moderator.reconfigured.notify_one();
}
