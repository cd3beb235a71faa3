//! The book of what operators and moderators have decided.

use super::columns::{limit, signed, unsigned};
use super::failure::{operating, run};
use super::{Decision, Index, NewDecision, Result};

impl Index {
    /// Writes a decision down.
    pub(crate) async fn add_decision(&self, decision: &NewDecision) -> Result<()> {
        let written = run("add_decision", {
            sqlx::query(
                "INSERT INTO decisions (decided_ms, decided_by, action, subject, reason) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .bind(signed(decision.decided_ms))
            .bind(&decision.decided_by)
            .bind(&decision.action)
            .bind(&decision.subject)
            .bind(&decision.reason)
            .execute(&self.writer)
        });
        written.await.map(drop)
    }

    /// Decisions, the newest first; `max` of those with a lower number.
    pub(crate) async fn decisions(&self, before: Option<u64>, max: usize) -> Result<Vec<Decision>> {
        type Row = (i64, i64, String, String, String, String);
        let found: sqlx::Result<Vec<Row>> = sqlx::query_as(
            "SELECT number, decided_ms, decided_by, action, subject, reason FROM decisions \
             WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
        )
        .bind(signed(before.unwrap_or(u64::MAX)))
        .bind(limit(max))
        .fetch_all(&self.readers)
        .await;
        let rows = found.map_err(|error| operating("decisions", &error))?;
        let read = |(number, decided_ms, decided_by, action, subject, reason)| Decision {
            number: unsigned(number),
            decision: NewDecision {
                decided_ms: unsigned(decided_ms),
                decided_by,
                action,
                subject,
                reason,
            },
        };
        Ok(rows.into_iter().map(read).collect())
    }
}
