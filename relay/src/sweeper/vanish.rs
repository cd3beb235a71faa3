//! Removes what requests to vanish (NIP-62) cover.
//!
//! Invariant: a request is over only after a commit in which nothing was left to be removed but what guards keep; until
//! then the store hides it all, through restarts too, and a sweep that was interrupted begins again.

use super::{CHUNK, SweepError, commit, list};
use crate::relay::Relay;
use crate::store::{Cause, Position, Store, StoreError, Vanishing, Write};

/// Where the sweep stands.
#[derive(Debug, Default)]
pub(super) struct VanishSweep {
    /// In the middle of one request: what guards keep is not asked for again.
    resume: Option<(Vanishing, Position)>,
    /// Nothing is left to be removed for these.
    over: Vec<Vanishing>,
}

/// What to remove in one commit.
#[derive(Debug, Default)]
struct Chunk {
    removals: Vec<Write>,
    resume: Option<(Vanishing, Position)>,
    over: Vec<Vanishing>,
}

impl VanishSweep {
    /// One chunk; says whether there is more.
    pub(super) async fn step(&mut self, relay: &Relay) -> Result<bool, SweepError> {
        let (resume, over) = (self.resume.take(), std::mem::take(&mut self.over));
        let ended = over.clone();
        let chunk = list(relay, move |store| Chunk::next(store, resume, &ended)).await?;
        // The end of a request goes with the removals for the next: its own are durable by now.
        let mut writes: Vec<Write> = over.into_iter().map(Write::EndVanishing).collect();
        writes.extend(chunk.removals);
        commit(relay, writes).await?;
        let more = chunk.resume.is_some() || !chunk.over.is_empty();
        (self.resume, self.over) = (chunk.resume, chunk.over);
        Ok(more)
    }
}

impl Chunk {
    fn next(
        store: &dyn Store,
        resume: Option<(Vanishing, Position)>,
        ended: &[Vanishing],
    ) -> Result<Chunk, StoreError> {
        let mut chunk = Chunk::default();
        // Those that end now are listed still.
        for vanishing in store.vanishings(CHUNK + ended.len())? {
            let room = CHUNK - chunk.removals.len();
            if room == 0 || chunk.over.len() == CHUNK {
                break;
            }
            if ended.contains(&vanishing) {
                continue;
            }
            let after = resume.filter(|(of, _)| *of == vanishing).map(|(_, at)| at);
            let page = store.vanishing_positions(&vanishing, after, room)?;
            let removals = page.positions.iter();
            let removals = removals.map(|position| Write::Remove(position.id, Cause::Vanish));
            chunk.removals.extend(removals);
            match page.next {
                Some(at) => {
                    chunk.resume = Some((vanishing, at));
                    break;
                }
                None => chunk.over.push(vanishing),
            }
        }
        Ok(chunk)
    }
}
