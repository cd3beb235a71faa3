//! What the thread of the backup does, round after round.
//!
//! At each interval: am I still the one who writes, then what was committed since, then as much of a snapshot as there is
//! time for, resting as long as it worked. What is too old is left to the thread for files. What fails is tried again with growing waits, and shown. A relay that is not the
//! head any more takes nothing more from anybody, brings what it has answered OK to its place, and ends its lineage.

use super::pruning::{self, Due, Old};
use super::shipping::{Shipped, Shipper};
use super::status::Status;
use super::thread::{ENDED, Order, Stopping};
use super::{BackupError, configuration, names};
use crate::admin::backup::Written;
use crate::config::{Backup, Config};
use crate::relay::Relay;
use crate::store::{Outcome, StoreError};
use crate::worker::WorkerMessage;
use crate::writer::{Origin, Submission};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest wait after a failure.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Tries to bring the last segment to its place when another relay has taken over.
const LAST_TRIES: u32 = 3;
/// A rest between them at the longest: clients are told afterwards.
const LAST_REST: Duration = Duration::from_secs(1);

pub(super) struct Work {
    config: Backup,
    relay: Weak<Relay>,
    shipper: Shipper,
    status: Arc<Status>,
    stopping: Stopping,
    /// What another thread deletes.
    pruning: Arc<Due>,
    /// That of which the backup has a copy.
    config_sent: Option<Arc<Config>>,
    /// In a row.
    failures: u32,
    snapshot_wanted: bool,
    /// Who waits for a snapshot to be done.
    waiting: Vec<SyncSender<Result<Written, String>>>,
}

enum Step {
    GoOn,
    End,
}

impl Work {
    pub(super) fn new(
        relay: &Arc<Relay>,
        shipper: Shipper,
        status: Arc<Status>,
        stopping: Stopping,
        pruning: Arc<Due>,
    ) -> Self {
        Work {
            config: relay.config().backup.clone(),
            relay: Arc::downgrade(relay),
            shipper,
            status,
            stopping,
            pruning,
            config_sent: None,
            failures: 0,
            snapshot_wanted: false,
            waiting: Vec::new(),
        }
    }

    /// Until the relay stops or is gone.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        loop {
            if self.stopping.is_set() {
                if let Err(error) = self.finish() {
                    let error = error.in_full();
                    tracing::error!(error, "what was stored last is not in the backup");
                }
                return;
            }
            let due = self.tick();
            let wait = match due {
                Step::End => return self.serve_the_end(orders),
                Step::GoOn => self.copy_until_due(orders),
            };
            let order = match wait {
                Waited::Order(order) => Some(order),
                Waited::Due => None,
                Waited::Gone => return,
            };
            match order {
                None | Some(Order::Stop) => {}
                Some(Order::Files(list, reply)) => {
                    self.write_list(|shipper| shipper.list_files(list), &reply);
                }
                Some(Order::Blobs(list, reply)) => {
                    self.write_list(|shipper| shipper.list_blobs(list), &reply);
                }
                Some(Order::Now { snapshot, reply }) => self.write_now(snapshot, reply),
            }
        }
    }

    /// One look at head and store.
    fn tick(&mut self) -> Step {
        let worked = self.look();
        match worked {
            Ok(Look::Head(shipped)) => {
                self.failures = 0;
                self.note_success(shipped);
                Step::GoOn
            }
            Ok(Look::Superseded) => {
                self.give_way();
                Step::End
            }
            Err(error) if matches!(error, BackupError::NotAlone { .. }) => {
                tracing::error!(error = error.in_full(), "the backup ends");
                self.give_way();
                Step::End
            }
            Err(BackupError::Gap) => {
                self.begin_anew();
                Step::GoOn
            }
            Err(error) => {
                self.note_failure(&error);
                Step::GoOn
            }
        }
    }

    fn look(&mut self) -> Result<Look, BackupError> {
        let shipper = &mut self.shipper;
        if !shipper.opened.is_claimed {
            let Some(relay) = self.relay.upgrade() else {
                return Ok(Look::Superseded);
            };
            match shipper.claim(&self.config, &|lineage| note_lineage(&relay, lineage)) {
                // Somebody has gone on from here meanwhile.
                Err(error @ (BackupError::Superseded { .. } | BackupError::Foreign { .. })) => {
                    tracing::error!(error = error.in_full(), "the backup ends");
                    return Ok(Look::Superseded);
                }
                claimed => claimed?,
            }
        }
        if !shipper.is_head()? {
            return Ok(Look::Superseded);
        }
        let shipped = shipper.ship()?;
        if let Some(config) = self.relay.upgrade().map(|relay| relay.config())
            && self
                .config_sent
                .as_ref()
                .is_none_or(|sent| **sent != *config)
        {
            let opened = &shipper.opened;
            let name = names::config(&opened.lineage, opened.sequence);
            opened.target.put(&name, configuration::text(&config))?;
            self.config_sent = Some(config);
        }
        let now_ms = shipper.clock.now_ms();
        let interval_ms = self.config.snapshot_interval.as_millis();
        if is_due(shipper.opened.snapshot_at_ms, now_ms, interval_ms) || self.snapshot_wanted {
            shipper.begin_snapshot();
        }
        Ok(Look::Head(shipped))
    }

    /// Copies some of the snapshot that is under way, until something else is due.
    fn copy_until_due(&mut self, orders: &Receiver<Order>) -> Waited {
        let mut left = match self.failures {
            0 => self.config.interval.duration(),
            many => {
                let wait = self.config.interval.duration();
                wait.saturating_mul(1 << many.min(10)).min(WAIT_MAX)
            }
        };
        while self.failures == 0 && self.shipper.is_copying() {
            let began = self.shipper.clock.monotonic();
            let copied = self.copy_some();
            if let Err(error) = copied {
                self.note_failure(&error);
                return Waited::Due;
            }
            let shipper = &self.shipper;
            let worked = shipper.clock.monotonic().saturating_sub(began);
            let rest = worked.min(left);
            left = left.saturating_sub(worked + rest);
            match wait(orders, rest) {
                Waited::Due if left.is_zero() => return Waited::Due,
                Waited::Due => {}
                other => return other,
            }
        }
        wait(orders, left)
    }

    fn copy_some(&mut self) -> Result<(), BackupError> {
        let shipper = &mut self.shipper;
        let bytes = shipper.copy_some()?;
        metrics::counter!("trellis_backup_bytes_total", "of" => "snapshot").increment(bytes);
        if !shipper.is_copied() {
            return Ok(());
        }
        let shipped = shipper.end_snapshot()?;
        tracing::info!("everything was copied to the backup");
        self.snapshot_wanted = false;
        self.note_success(shipped);
        self.answer_waiting(true);
        self.have_pruned();
        Ok(())
    }

    fn have_pruned(&self) {
        let (shipper, config) = (&self.shipper, &self.config);
        let now_ms = shipper.clock.now_ms();
        let retention_ms = config.retention.as_millis();
        let kept_from = pruning::kept_from(
            now_ms,
            shipper.snapshot_before_ms,
            config.snapshot_interval.as_millis(),
            retention_ms,
        );
        let Some(before_ms) = kept_from else { return };
        if before_ms < now_ms.saturating_sub(retention_ms) {
            tracing::warn!(
                "the clock is more than a day ahead of what is in the backup: what is too old by it stays for now"
            );
        }
        let lineage = shipper.opened.lineage.clone();
        self.pruning.want(Old { lineage, before_ms });
    }

    fn write_now(&mut self, snapshot: bool, reply: SyncSender<Result<Written, String>>) {
        match self.look() {
            Ok(Look::Head(shipped)) => {
                self.failures = 0;
                self.note_success(shipped);
                if snapshot {
                    self.snapshot_wanted = true;
                    self.waiting.push(reply);
                } else {
                    // Whoever asked may be gone.
                    let _ = reply.send(Ok(self.written(false)));
                }
            }
            Ok(Look::Superseded) => {
                let _ = reply.send(Err(ENDED.to_owned()));
            }
            Err(error) => {
                self.note_failure(&error);
                let _ = reply.send(Err(error.in_full()));
            }
        }
    }

    /// A failure is shown; the next look at the same files or blobs makes up for it.
    fn write_list(
        &mut self,
        write: impl FnOnce(&mut Shipper) -> Result<Shipped, BackupError>,
        reply: &SyncSender<()>,
    ) {
        let shipper = &mut self.shipper;
        match write(shipper) {
            Ok(shipped) => {
                self.note_success(shipped);
                // Likewise.
                let _ = reply.send(());
            }
            Err(error) => self.note_failure(&error),
        }
    }

    fn answer_waiting(&mut self, snapshot: bool) {
        for reply in std::mem::take(&mut self.waiting) {
            // Likewise.
            let _ = reply.send(Ok(self.written(snapshot)));
        }
    }

    fn written(&self, snapshot: bool) -> Written {
        let opened = &self.shipper.opened;
        Written {
            lineage: opened.lineage.clone(),
            sequence: opened.sequence,
            row: opened.row,
            snapshot,
        }
    }

    /// The last segment of a relay that has stored everything, and the end of its lineage.
    fn finish(&mut self) -> Result<(), BackupError> {
        for reply in std::mem::take(&mut self.waiting) {
            let _ = reply.send(Err("the relay is stopping".to_owned()));
        }
        let shipper = &mut self.shipper;
        let shipped = shipper.ship()?;
        shipper.end()?;
        self.note_success(shipped);
        Ok(())
    }

    /// Another relay has the place: nothing more is stored here, and what was answered OK goes there.
    fn give_way(&mut self) {
        tracing::error!(
            "another relay has taken over the backup: this one stores nothing more and sends its clients away"
        );
        self.status.supersede();
        let Some(relay) = self.relay.upgrade() else {
            return;
        };
        // What was judged before is committed, and counts.
        relay.writer.finish_batch_blocking();
        let tries = match self.shipper.opened.is_claimed {
            true => LAST_TRIES,
            // Its place was somebody else's all the time.
            false => 0,
        };
        for left in (0..tries).rev() {
            match self.finish() {
                Ok(()) => break,
                Err(error) => {
                    let error = error.in_full();
                    tracing::error!(error, left, "what was stored last is not in the backup");
                    std::thread::sleep(self.config.interval.duration().min(LAST_REST));
                }
            }
        }
        for worker in relay.workers().iter() {
            // One that has ended has nobody to send away.
            let _ = worker.blocking_send(WorkerMessage::Close);
        }
    }

    /// Until the relay stops.
    fn serve_the_end(&mut self, orders: &Receiver<Order>) {
        while !self.stopping.is_set()
            && let Ok(order) = orders.recv()
        {
            match order {
                Order::Stop | Order::Files(..) | Order::Blobs(..) => {}
                Order::Now { reply, .. } => {
                    let _ = reply.send(Err("another relay has taken over the backup".to_owned()));
                }
            }
        }
    }

    fn begin_anew(&mut self) {
        tracing::warn!(
            "removals went unnoticed for too long: the backup begins anew with a snapshot"
        );
        let Some(relay) = self.relay.upgrade() else {
            return;
        };
        let note = |lineage: &str| note_lineage(&relay, lineage);
        // The new history has to have it as well.
        self.config_sent = None;
        if let Err(error) = self.shipper.begin_anew(&self.config, &note) {
            self.note_failure(&error);
        }
    }

    fn note_success(&mut self, shipped: Shipped) {
        let shipper = &self.shipper;
        let opened = &shipper.opened;
        let now_ms = shipper.clock.now_ms();
        let last_row = shipper.store.last_row().unwrap_or(opened.row);
        self.status
            .succeed(now_ms, opened.row, opened.snapshot_at_ms);
        let lag = last_row.saturating_sub(opened.row);
        metrics::gauge!("trellis_backup_lag_rows").set(lag as f64);
        metrics::gauge!("trellis_backup_last_success_timestamp_seconds")
            .set(now_ms as f64 / 1_000.0);
        if let Some(at_ms) = opened.snapshot_at_ms {
            metrics::gauge!("trellis_backup_last_snapshot_timestamp_seconds")
                .set(at_ms as f64 / 1_000.0);
        }
        metrics::counter!("trellis_backup_segments_total").increment(shipped.segments);
        metrics::counter!("trellis_backup_bytes_total", "of" => "segment").increment(shipped.bytes);
    }

    fn note_failure(&mut self, error: &BackupError) {
        self.failures = self.failures.saturating_add(1);
        let words = error.in_full();
        tracing::warn!(
            error = words,
            failures = self.failures,
            "the backup cannot go on; trying again"
        );
        // Where it goes, and as whom, is nobody else's affair.
        self.status
            .fail("it failed, and is tried again; the log says why".to_owned());
        metrics::counter!("trellis_backup_failures_total").increment(1);
        let row = self.shipper.opened.row;
        let last_row = self.shipper.store.last_row().unwrap_or(row);
        metrics::gauge!("trellis_backup_lag_rows").set(last_row.saturating_sub(row) as f64);
    }
}

/// Whether a snapshot is due, by when the last one was done: one of the future says nothing.
fn is_due(snapshot_at_ms: Option<u64>, now_ms: u64, interval_ms: u64) -> bool {
    snapshot_at_ms.is_none_or(|at_ms| at_ms > now_ms || now_ms - at_ms >= interval_ms)
}

enum Look {
    Head(Shipped),
    Superseded,
}

enum Waited {
    Due,
    Order(Order),
    /// Nobody is left who could order anything.
    Gone,
}

fn wait(orders: &Receiver<Order>, time: Duration) -> Waited {
    match orders.recv_timeout(time) {
        Ok(order) => Waited::Order(order),
        Err(RecvTimeoutError::Timeout) => Waited::Due,
        Err(RecvTimeoutError::Disconnected) => Waited::Gone,
    }
}

fn note_lineage(relay: &Relay, lineage: &str) -> Result<(), BackupError> {
    for write in super::own_rows::rows_of_lineage(lineage) {
        let (reply, answer) = oneshot::channel();
        let submission = Submission {
            write,
            origin: Origin::Internal(Some(reply)),
            permit: None,
        };
        let submitted = relay.writer.submit(submission);
        let answer = submitted.ok().and_then(|()| answer.blocking_recv().ok());
        if answer != Some(Outcome::Done) {
            let problem = StoreError::Unavailable("the writer stores nothing".to_owned());
            return Err(problem.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d4_a_snapshot_of_the_future_keeps_no_other_away() {
        assert!(is_due(None, 100, 10));
        assert!(!is_due(Some(95), 100, 10));
        assert!(is_due(Some(90), 100, 10));
        assert!(is_due(Some(101), 100, 10));
    }
}
