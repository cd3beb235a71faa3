//! One batch, one transaction; where it does not fit, smaller ones.

use super::apply;
use super::batch;
use super::fault::Result;
use super::mapped::Mapped;
use super::meta;
use super::overlay::Overlay;
use super::plan::Planner;
use super::records::Records;
use super::room::{Admission, Verdict};
use crate::reason::Reason;
use crate::store::{CommitPolicy, Outcome, StoreError, Write, refusal};
use lmdb::{RwTransaction, Transaction};
use std::cell::RefCell;

impl Mapped {
    pub(super) fn commit_batch(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
    ) -> std::result::Result<Vec<Outcome>, StoreError> {
        let mut admission = self.room.admission(&self.env)?;
        self.commit_part(batch, policy, now, &mut admission)
    }

    fn commit_part(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
        admission: &mut Admission,
    ) -> std::result::Result<Vec<Outcome>, StoreError> {
        let fault = match self.attempt(batch, policy, now, *admission) {
            Ok(outcomes) => return Ok(outcomes),
            Err(fault) => fault,
        };
        match self.room.judge(fault) {
            Verdict::DiskFull if *admission == Admission::Everything => {
                *admission = Admission::RemovalsOnly;
                self.commit_part(batch, policy, now, admission)
            }
            Verdict::MapFull | Verdict::DiskFull => {
                self.commit_halves(batch, policy, now, admission)
            }
            Verdict::Broken(error) | Verdict::Other(error) => Err(error),
        }
    }

    /// For a batch that was too much at once.
    fn commit_halves(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
        admission: &mut Admission,
    ) -> std::result::Result<Vec<Outcome>, StoreError> {
        if batch.len() < 2 {
            self.room.mark_full();
            *admission = Admission::RemovalsOnly;
            return Ok(vec![
                Outcome::Refused(refusal::store_is_full());
                batch.len()
            ]);
        }
        let (first, second) = batch.split_at(batch.len() / 2);
        let mut outcomes = self.commit_part(first, policy, now, admission)?;
        match self.commit_part(second, policy, now, admission) {
            Ok(rest) => outcomes.extend(rest),
            // The first half is committed, and an error would deny that.
            Err(error) => {
                tracing::error!(%error, "a part of a batch was not committed");
                outcomes.resize(batch.len(), Outcome::Refused(Reason::internal()));
            }
        }
        Ok(outcomes)
    }

    fn attempt(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
        admission: Admission,
    ) -> Result<Vec<Outcome>> {
        let mut txn = self.env.begin_rw_txn()?;
        let begun_at = meta::last_row(&txn, &self.tables)?;
        let (outcomes, overlay) = self.decide(&txn, batch, policy, now, admission)?;
        apply::apply(
            &mut txn,
            &self.tables,
            &self.hash,
            &overlay,
            self.removal_log_entries,
        )?;
        let cut_at = meta::removals_cut_at(&txn, &self.tables)?;
        txn.commit()?;
        self.newest.note(begun_at, &overlay, cut_at);
        Ok(outcomes)
    }

    fn decide(
        &self,
        txn: &RwTransaction<'_>,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
        admission: Admission,
    ) -> Result<(Vec<Outcome>, Overlay)> {
        let planner = Planner {
            txn,
            tables: &self.tables,
            hash: &self.hash,
            records: RefCell::new(Records::new(txn, &self.tables)?),
            overlay: Overlay::after(meta::last_row(txn, &self.tables)?),
            now_s: now,
        };
        batch::decide(planner, batch, policy, now, admission)
    }
}
