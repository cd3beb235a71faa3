//! Turns: who read something decides on it and writes, and only one of those who read the same gets to write.
//!
//! A turn has a name and a number. A document whose id holds both, the token, is there exactly while the number is current.
//! Whoever writes removes the token of the number that was read, on the condition that it exists, and in the same commit
//! puts one of a higher number and what was decided. Who comes second finds no token, reads again and decides again. So
//! what is written under a turn is written in the order of its numbers, and a number that is seen says that all lower ones
//! are there: positions and revisions are numbers of turns.
//!
//! The first turn of a name takes a document that is made once and stays.
//!
//! A transaction of Firestore would do the same where the server compares what was read; this way needs no more of it than
//! the condition `exists`, takes no lock, and no clock is asked. A turn goes round in some tens of milliseconds, so what is
//! written often is written in batches or under many names.

use super::TURNS;
use super::database::{Committed, Database};
use super::document::{Fields, Reading, document_id};
use super::failure::{Failure, Result};
use super::pause::Pause;
use super::question::Question;
use gcloud_sdk::google::firestore::v1::Write;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use tokio::sync::Mutex;

/// What somebody made of a turn.
#[derive(Debug)]
pub(super) enum Decision<T> {
    /// There is nothing to write.
    Leave(T),
    /// These are to be written, and the number rises by so many.
    Write {
        steps: u64,
        writes: Vec<Write>,
        then: T,
    },
}

/// Writes that a turn needs for itself.
pub(super) const WRITES_OF_A_TURN: usize = 2;

/// Queues in front of the turns, so that those of this process do not get into each other's way.
#[derive(Debug)]
pub(super) struct Turns {
    queues: [Mutex<()>; 64],
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Turns {
            queues: std::array::from_fn(|_| Mutex::new(())),
            hasher: RandomState::new(),
        }
    }
}

impl Turns {
    /// Asks `decide`, given the current number, until what it decided is written. What it reads it has to read anew.
    pub(super) async fn take<T, F, D>(
        &self,
        database: &Database,
        name: &str,
        decide: F,
    ) -> Result<T>
    where
        F: Fn(u64) -> D + Send + Sync,
        D: Future<Output = Result<Decision<T>>> + Send,
    {
        let queue = self.hasher.hash_one(name) as usize % self.queues.len();
        let _first = self.queues[queue].lock().await;
        let mut pause = Pause::default();
        loop {
            let number = current(database, name).await?;
            match decide(number).await? {
                Decision::Leave(result) => return Ok(result),
                Decision::Write {
                    steps,
                    writes,
                    then,
                } => {
                    let mut all = pass(database, name, number, number + steps);
                    all.extend(writes);
                    if database.commit(all).await? == Committed::Done {
                        return Ok(then);
                    }
                }
            }
            pause.take().await;
        }
    }
}

/// The number of a turn; 0 if nobody ever took it.
pub(super) async fn current(database: &Database, name: &str) -> Result<u64> {
    // Between the two questions somebody may begin; after that there is a token for ever.
    for _ in 0..2 {
        // There is one, and those of lower numbers were there a moment ago: an index that is read from its upper end does
        // not lead past them.
        let token = Question::to(TURNS).equal("name", name).highest_of("number");
        if let Some(token) = database.find(token).await?.first() {
            return Reading(token).number("number");
        }
        if database.document(TURNS, &beginning(name)).await?.is_none() {
            return Ok(0);
        }
    }
    Err(Failure::Corrupt("number of a turn"))
}

/// The writes that take the turn; the first has the condition.
fn pass(database: &Database, name: &str, from: u64, to: u64) -> Vec<Write> {
    let condition = match from {
        0 => database.create(
            TURNS,
            &beginning(name),
            Fields::default().text("begun", name),
        ),
        _ => database.take(TURNS, &token(name, from)),
    };
    let fields = Fields::default().text("name", name).number("number", to);
    vec![condition, database.put(TURNS, &token(name, to), fields)]
}

fn beginning(name: &str) -> String {
    document_id(name)
}

fn token(name: &str, number: u64) -> String {
    format!("{}-{number}", document_id(name))
}
