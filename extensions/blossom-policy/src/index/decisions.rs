//! The book of what operators and moderators have decided.

use super::columns::{limit, signed, unsigned};
use super::failure::{operating, run};
use super::{Banned, Decision, Index, NewDecision, Result, bans, blobs};
use crate::blob::BlobHash;
use sqlx::{Executor, Sqlite};

/// What a decision changes in the index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'c> {
    /// A ban that is there gets the new reason.
    Ban(&'c Banned),
    Unban(&'c Banned),
    Quarantine(&'c BlobHash),
    Unquarantine(&'c BlobHash),
}

impl Index {
    /// Does what was decided and writes it down, both or neither. Whether it changes anything: what does not is not written
    /// down.
    pub(crate) async fn decide(&self, change: Change<'_>, decision: &NewDecision) -> Result<bool> {
        run("decide", async {
            let mut writer = self.begin().await?;
            let (reason, now_ms) = (&decision.reason, decision.decided_ms);
            let has_changed = match change {
                Change::Ban(banned) => bans::ban(&mut *writer, banned, reason, now_ms).await?,
                Change::Unban(banned) => bans::unban(&mut *writer, banned).await?,
                Change::Quarantine(hash) => blobs::quarantine(&mut *writer, hash, reason).await?,
                Change::Unquarantine(hash) => blobs::unquarantine(&mut *writer, hash).await?,
            };
            if has_changed {
                add(&mut *writer, decision).await?;
                writer.commit().await?;
            }
            Ok(has_changed)
        })
        .await
    }

    /// Writes a decision down that was carried out elsewhere.
    pub(crate) async fn add_decision(&self, decision: &NewDecision) -> Result<()> {
        run("add_decision", add(&self.writer, decision)).await
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

async fn add<'c>(
    writer: impl Executor<'c, Database = Sqlite>,
    decision: &NewDecision,
) -> sqlx::Result<()> {
    let written = sqlx::query(
        "INSERT INTO decisions (decided_ms, decided_by, action, subject, reason) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(signed(decision.decided_ms))
    .bind(&decision.decided_by)
    .bind(&decision.action)
    .bind(&decision.subject)
    .bind(&decision.reason)
    .execute(writer);
    written.await.map(drop)
}
