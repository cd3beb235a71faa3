//! How a relay with an empty store takes the place of the one that writes there: it restores what that one has written.
//!
//! Invariant: the place is taken only where there is something to go on from, or surely never was anything. Whoever writes
//! there learns of it by the head, and ends; what it has answered OK is waited for.

use super::BackupError;
use super::catalogue::Link;
use super::fallback::{self, Looked};
use super::manifest::{Head, Parent, to_json};
use super::names;
use super::opening::{Opening, Start, new_writer};
use super::plan::Found;
use super::restoration::Restoration;
use super::target::Target;
use crate::config::Place;
use crate::store::Store;
use std::time::Duration;

/// A lineage of which nothing new has come for so many of its intervals is not written any more.
const SILENT_INTERVALS: u32 = 3;
/// What one object may take in a bucket: a request with all its tries, and the wait after it.
const BUCKET_PATIENCE: Duration = Duration::from_secs(90);
/// A look at whether a lineage has ended.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Opening<'_> {
    /// An empty store: what is there comes first.
    pub(super) fn restore_or_begin(
        &self,
        target: Target,
        store: &dyn Store,
        head: &Head,
        said: &dyn Fn(&str),
    ) -> Result<Start, BackupError> {
        let mut looked = fallback::look(&target, &head.lineage, None)?;
        if looked.instead_of.is_some() || !looked.may_be_taken() {
            // Its first copy may be under way, by a relay that lives: that must not be stopped, nor what is older served.
            let of_head = target.history(&head.lineage)?;
            let newest = newest(&of_head)?;
            self.wait(&target, (newest, 0), said, &|| {
                Ok(!target.snapshots(&newest.lineage)?.is_empty())
            })?;
            looked = fallback::look(&target, &head.lineage, None)?;
        }
        if !looked.may_be_taken() {
            return Err(self.nothing_whole());
        }
        let (lineage, writer) = (self.new_name(), new_writer());
        let of_head = target.history(&head.lineage)?;
        let newest = newest(&of_head)?;
        let parent = Parent {
            lineage: newest.lineage.clone(),
            sequence: None,
        };
        let mut note = self.note(Some(parent), Some(head.lineage.clone()));
        self.write_lineage(&target, &lineage, &note)?;
        self.write_head(&target, &lineage, &writer)?;
        // A start before this one may have taken the place already, and ended while it waited or restored.
        let known_ms = match head.lineage == newest.lineage {
            true => 0,
            false => self.clock.now_ms().saturating_sub(head.at_ms),
        };
        self.wait(&target, (newest, known_ms), said, &|| Ok(false))?;
        let looked = fallback::look(&target, &head.lineage, None)?;
        if !looked.may_be_taken() {
            // So that the next start finds the same.
            target.put(names::HEAD, to_json(head))?;
            return Err(self.nothing_whole());
        }
        let Looked {
            history,
            found,
            instead_of,
            ..
        } = looked;
        let Found::Plan(plan) = found else {
            tracing::warn!(
                head = head.lineage,
                "the backup began with an empty database and has nothing: this one is served empty too"
            );
            let head = Head {
                lineage,
                ..head.clone()
            };
            return self.begin(target, store, Some(&head));
        };
        if let Some(lineage) = instead_of {
            tracing::warn!(
                lineage,
                "the first whole copy of this lineage was never done: what it took the place of is restored, and what was \
                 stored since is not there"
            );
        }
        note.parent = Some(Parent {
            lineage: plan.point.lineage.clone(),
            sequence: Some(plan.point.sequence),
        });
        Ok(Start::Restore(Box::new(Restoration {
            target,
            lineage,
            writer,
            note,
            plan: *plan,
            history,
        })))
    }

    /// Until whoever wrote the lineage has ended it, or has written nothing for long enough to be gone, or it has come
    /// far enough. Whoever it is could have learned so long ago, in milliseconds, that the place is taken.
    fn wait(
        &self,
        target: &Target,
        (link, known_ms): (&Link, u64),
        said: &dyn Fn(&str),
        is_enough: &dyn Fn() -> Result<bool, BackupError>,
    ) -> Result<(), BackupError> {
        if target.ended(&link.lineage)?.is_some() {
            return Ok(());
        }
        let silence = silence(link.note.interval_ms, patience(target));
        let silence = silence.saturating_sub(Duration::from_millis(known_ms));
        let mut signs = Signs::of(&link.lineage);
        signs.are_new(target)?;
        let mut since = self.clock.monotonic();
        let mut is_told = false;
        while target.ended(&link.lineage)?.is_none() && !is_enough()? {
            if self.clock.monotonic().saturating_sub(since) >= silence {
                said("the relay that wrote the backup is gone without a word");
                return Ok(());
            }
            if !std::mem::replace(&mut is_told, true) {
                said(
                    "waiting for the relay that writes the backup to end, or to be silent for long enough",
                );
            }
            std::thread::sleep(LOOK_EVERY.min(silence));
            if signs.are_new(target)? {
                since = self.clock.monotonic();
            }
        }
        Ok(())
    }

    fn nothing_whole(&self) -> BackupError {
        BackupError::NothingWhole {
            url: self.config.url.clone(),
        }
    }
}

/// How long nothing comes from a relay that is gone: a few of its intervals, and no less than one object may take.
fn silence(interval_ms: u64, patience: Duration) -> Duration {
    let intervals = Duration::from_millis(interval_ms).saturating_mul(SILENT_INTERVALS);
    intervals.max(patience)
}

fn patience(target: &Target) -> Duration {
    match Place::parse(target.url()) {
        Some(Place::S3(..) | Place::Google(..)) => BUCKET_PATIENCE,
        Some(Place::Directory(_)) | None => Duration::ZERO,
    }
}

fn newest(history: &[Link]) -> Result<&Link, BackupError> {
    history
        .first()
        .ok_or_else(|| BackupError::damaged(names::HEAD, "it names no history".to_owned()))
}

/// Signs of life of who writes a lineage: segments, and parts of a snapshot.
struct Signs<'l> {
    lineage: &'l str,
    /// The last object of a segment.
    last: Option<String>,
    parts: usize,
}

impl<'l> Signs<'l> {
    fn of(lineage: &'l str) -> Self {
        Signs {
            lineage,
            last: None,
            parts: 0,
        }
    }

    /// Whether there are more than at the last look.
    fn are_new(&mut self, target: &Target) -> Result<bool, BackupError> {
        let segments = names::segments(self.lineage);
        let newest = target.list(&segments, self.last.as_deref())?.pop();
        let parts = target.list(&names::snapshots(self.lineage), None)?.len();
        let are_new = newest.is_some() || parts > self.parts;
        self.last = newest.map(|it| it.name).or(self.last.take());
        self.parts = self.parts.max(parts);
        Ok(are_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d4_a_relay_that_uploads_one_object_is_not_taken_for_dead() {
        let minute = Duration::from_secs(60);
        assert_eq!(silence(5_000, Duration::ZERO), Duration::from_secs(15));
        assert_eq!(silence(5_000, minute), minute);
        assert_eq!(silence(30_000, minute), Duration::from_secs(90));
    }
}
