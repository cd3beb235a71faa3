//! What was reported (NIP-56), and what became of it.

use super::columns::{event_id, hash, limit, pubkey, signed, unsigned};
use super::failure::{operating, run};
use super::{Added, Index, NewReport, Report, Result};
use crate::blob::BlobHash;
use sqlx::FromRow;
use trellis_relay::event::EventId;

#[derive(FromRow)]
struct ReportRow {
    number: i64,
    event_id: Vec<u8>,
    sha256: Vec<u8>,
    reporter: Vec<u8>,
    kind: String,
    content: String,
    received_ms: i64,
    outcome: Option<String>,
}

impl TryFrom<ReportRow> for Report {
    type Error = sqlx::Error;

    fn try_from(row: ReportRow) -> sqlx::Result<Self> {
        Ok(Report {
            number: unsigned(row.number),
            report: NewReport {
                event_id: event_id(row.event_id)?,
                sha256: hash(row.sha256)?,
                reporter: pubkey(row.reporter)?,
                kind: row.kind,
                content: row.content,
                received_ms: unsigned(row.received_ms),
            },
            outcome: row.outcome,
        })
    }
}

impl Index {
    /// Stores a report, unless it is there, or as many wait as may.
    pub(crate) async fn add_report(&self, report: &NewReport, max_waiting: usize) -> Result<Added> {
        let added = run("add_report", {
            sqlx::query(
                "INSERT INTO reports (event_id, sha256, reporter, kind, content, received_ms) \
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6 \
                 WHERE (SELECT count(*) FROM reports WHERE outcome IS NULL) < ?7 \
                 ON CONFLICT DO NOTHING",
            )
            .bind(report.event_id.as_bytes().as_slice())
            .bind(report.sha256.as_bytes().as_slice())
            .bind(report.reporter.as_bytes().as_slice())
            .bind(&report.kind)
            .bind(&report.content)
            .bind(signed(report.received_ms))
            .bind(limit(max_waiting))
            .execute(&self.writer)
        });
        if added.await?.rows_affected() > 0 {
            return Ok(Added::New);
        }
        let found = self.report(&report.event_id, &report.sha256).await?;
        Ok(found.unwrap_or(Added::TooMany))
    }

    /// What has become of the report of a blob by an event: [`Added::Waiting`] or [`Added::Done`]; nothing where there is
    /// none.
    pub(crate) async fn report(
        &self,
        event_id: &EventId,
        sha256: &BlobHash,
    ) -> Result<Option<Added>> {
        let found: sqlx::Result<Option<bool>> = sqlx::query_scalar(
            "SELECT outcome IS NULL FROM reports WHERE event_id = ?1 AND sha256 = ?2",
        )
        .bind(event_id.as_bytes().as_slice())
        .bind(sha256.as_bytes().as_slice())
        .fetch_optional(&self.readers)
        .await;
        let found = found.map_err(|error| operating("report", &error))?;
        Ok(found.map(|is_waiting| match is_waiting {
            true => Added::Waiting,
            false => Added::Done,
        }))
    }

    /// Forgets reports that were done with, of those received before then. How many these were.
    pub(crate) async fn forget_reports(&self, before_ms: u64) -> Result<u64> {
        let removed = run("forget_reports", {
            sqlx::query("DELETE FROM reports WHERE outcome IS NOT NULL AND received_ms < ?1")
                .bind(signed(before_ms))
                .execute(&self.writer)
        });
        Ok(removed.await?.rows_affected())
    }

    /// Reports that wait, or all, in the order in which they came; `max` of those with a higher number.
    pub(crate) async fn reports(
        &self,
        only_waiting: bool,
        after: u64,
        max: usize,
    ) -> Result<Vec<Report>> {
        let found: sqlx::Result<Vec<ReportRow>> = sqlx::query_as(
            "SELECT * FROM reports WHERE number > ?1 AND (outcome IS NULL OR NOT ?2) \
             ORDER BY number LIMIT ?3",
        )
        .bind(signed(after))
        .bind(only_waiting)
        .bind(limit(max))
        .fetch_all(&self.readers)
        .await;
        let reports = found.and_then(|rows| rows.into_iter().map(Report::try_from).collect());
        reports.map_err(|error| operating("reports", &error))
    }

    /// Reports that wait.
    pub(crate) async fn reports_waiting(&self) -> Result<u64> {
        let found: sqlx::Result<i64> =
            sqlx::query_scalar("SELECT count(*) FROM reports WHERE outcome IS NULL")
                .fetch_one(&self.readers)
                .await;
        let count = found.map_err(|error| operating("reports_waiting", &error))?;
        Ok(unsigned(count))
    }

    /// Says what became of one report. False where none with this number waits.
    pub(crate) async fn resolve_report(&self, number: u64, outcome: &str) -> Result<bool> {
        let changed = run("resolve_report", {
            sqlx::query("UPDATE reports SET outcome = ?2 WHERE number = ?1 AND outcome IS NULL")
                .bind(signed(number))
                .bind(outcome)
                .execute(&self.writer)
        });
        Ok(changed.await?.rows_affected() > 0)
    }

    /// Says what became of all reports of a blob that wait; how many these were.
    pub(crate) async fn resolve_reports_of(&self, sha256: &BlobHash, outcome: &str) -> Result<u64> {
        let changed = run("resolve_reports_of", {
            sqlx::query("UPDATE reports SET outcome = ?2 WHERE sha256 = ?1 AND outcome IS NULL")
                .bind(sha256.as_bytes().as_slice())
                .bind(outcome)
                .execute(&self.writer)
        });
        Ok(changed.await?.rows_affected())
    }
}
