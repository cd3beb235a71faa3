//! Events as frames that are ready to be sent: masked, and many behind each other.
//!
//! Invariant: a feed holds all of them before the clock starts, or, where they are too many for memory, a bounded number
//! that a thread keeps ready.

use super::answer;
use super::dice::Dice;
use super::frames::append_text;
use super::lines::Lines;
use anyhow::Context as _;
use std::thread;
use tokio::sync::{Mutex, mpsc};

/// Events in a batch. A connection takes one batch after the other.
const BATCH_EVENTS: usize = 256;
/// Batches that are kept ready where not all are.
const READY_BATCHES: usize = 256;
/// Larger files are read while they are sent.
const PREBUILT_BYTES: u64 = 4 << 30;

/// Some events.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Their frames.
    pub(super) frames: Vec<u8>,
    /// Where each frame ends, and the id of the event in it.
    pub(super) events: Vec<(usize, [u8; 32])>,
}

impl Batch {
    fn push(&mut self, dice: &mut Dice, json: &[u8]) -> anyhow::Result<()> {
        let id = answer::event_id(json).context("an event must be a JSON object with an id")?;
        append_text(dice, &[b"[\"EVENT\",", json, b"]"], &mut self.frames);
        self.events.push((self.frames.len(), id));
        Ok(())
    }
}

/// Batches for all connections.
#[derive(Debug)]
pub(super) struct Feed(Mutex<mpsc::Receiver<anyhow::Result<Batch>>>);

impl Feed {
    /// The next batch; none when all are taken.
    pub(super) async fn next(&self) -> anyhow::Result<Option<Batch>> {
        self.0.lock().await.recv().await.transpose()
    }

    /// Of these batches.
    pub(super) fn of(batches: Vec<Batch>) -> Self {
        let (sender, receiver) = mpsc::channel(batches.len().max(1));
        for batch in batches {
            // It has room for all of them.
            let _ = sender.try_send(Ok(batch));
        }
        Feed(Mutex::new(receiver))
    }

    /// Of a file, but for its last `kept_back` events, which come with it; and whether all of it is in memory already,
    /// which is so unless it is too large or is to be read meanwhile.
    pub(super) fn of_file(
        lines: &Lines,
        kept_back: usize,
        meanwhile: bool,
    ) -> anyhow::Result<(Self, Vec<Vec<u8>>, bool)> {
        let kept = match kept_back {
            0 => Vec::new(),
            _ => last(lines, kept_back)?,
        };
        if lines.bytes()? <= PREBUILT_BYTES && !meanwhile {
            let mut batches = Vec::new();
            read(lines, kept.len(), |batch| {
                batches.push(batch);
                true
            })?;
            return Ok((Self::of(batches), kept, true));
        }
        let (sender, receiver) = mpsc::channel(READY_BATCHES);
        let (lines, skipped) = (lines.clone(), kept.len());
        thread::spawn(move || {
            let done = read(&lines, skipped, |batch| {
                sender.blocking_send(Ok(batch)).is_ok()
            });
            if let Err(error) = done {
                // Where nobody waits any more, nobody wants to know.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok((Feed(Mutex::new(receiver)), kept, false))
    }
}

/// The events' batches.
pub(super) fn batches<'e>(
    events: impl IntoIterator<Item = &'e Vec<u8>>,
) -> anyhow::Result<Vec<Batch>> {
    let mut dice = mask_dice();
    let mut batches = vec![Batch::default()];
    for json in events {
        if batches
            .last()
            .is_none_or(|batch| batch.events.len() == BATCH_EVENTS)
        {
            batches.push(Batch::default());
        }
        if let Some(batch) = batches.last_mut() {
            batch.push(&mut dice, json)?;
        }
    }
    Ok(batches)
}

/// Hands batches on for as long as they are wanted. The last `kept_back` lines stay out.
fn read(
    lines: &Lines,
    kept_back: usize,
    mut wanted: impl FnMut(Batch) -> bool,
) -> anyhow::Result<()> {
    let mut dice = mask_dice();
    let mut batch = Batch::default();
    let mut waiting = std::collections::VecDeque::with_capacity(kept_back + 1);
    lines.each(|_, json| {
        waiting.push_back(json.to_vec());
        if waiting.len() <= kept_back {
            return Ok(());
        }
        let Some(json) = waiting.pop_front() else {
            return Ok(());
        };
        batch.push(&mut dice, &json)?;
        if batch.events.len() == BATCH_EVENTS && !wanted(std::mem::take(&mut batch)) {
            anyhow::bail!("the upload has ended");
        }
        Ok(())
    })?;
    wanted(batch);
    Ok(())
}

fn last(lines: &Lines, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut kept = std::collections::VecDeque::with_capacity(count + 1);
    let mut all = 0;
    lines.each(|_, json| {
        all += 1;
        kept.push_back(json.to_vec());
        if kept.len() > count {
            kept.pop_front();
        }
        Ok(())
    })?;
    anyhow::ensure!(
        count < all,
        "--lone {count} leaves nothing to send before: there are {all} events"
    );
    Ok(kept.into())
}

/// Masks need not be secret, but differ from run to run.
fn mask_dice() -> Dice {
    Dice::of(u64::from(std::process::id()), 0)
}
