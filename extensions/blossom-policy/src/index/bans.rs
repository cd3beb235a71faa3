//! What is not taken, whoever offers it, and from whom nothing is.

use super::columns::{hash, limit, pubkey, signed, unsigned};
use super::failure::operating;
use super::{Ban, Banned, Index, Result};
use crate::blob::BlobHash;
use sqlx::{Executor, Sqlite};

const HASH: i64 = 0;
const PUBKEY: i64 = 1;

impl Banned {
    /// As two columns.
    fn columns(&self) -> (i64, &[u8]) {
        match self {
            Banned::Hash(hash) => (HASH, hash.as_bytes()),
            Banned::Pubkey(pubkey) => (PUBKEY, pubkey.as_bytes()),
        }
    }

    fn read(kind: i64, subject: Vec<u8>) -> sqlx::Result<Self> {
        match kind {
            HASH => hash(subject).map(Banned::Hash),
            PUBKEY => pubkey(subject).map(Banned::Pubkey),
            _ => Err(sqlx::Error::Decode("column kind".into())),
        }
    }
}

/// Kind, subject, reason, milliseconds since 1970.
type BanRow = (i64, Vec<u8>, String, i64);

impl Index {
    /// Why it is banned, if it is.
    pub(crate) async fn ban_of(&self, banned: &Banned) -> Result<Option<String>> {
        let (kind, subject) = banned.columns();
        let found = sqlx::query_scalar("SELECT reason FROM bans WHERE kind = ?1 AND subject = ?2")
            .bind(kind)
            .bind(subject)
            .fetch_optional(&self.readers);
        found.await.map_err(|error| operating("ban_of", &error))
    }

    /// Bans of hashes in their order, then of keys, `max` of those after one.
    pub(crate) async fn bans(&self, after: Option<Banned>, max: usize) -> Result<Vec<Ban>> {
        let (kind, subject) = after.as_ref().map_or((HASH, &[][..]), Banned::columns);
        let found: sqlx::Result<Vec<BanRow>> = sqlx::query_as(
            "SELECT kind, subject, reason, banned_ms FROM bans WHERE (kind, subject) > (?1, ?2) \
             ORDER BY kind, subject LIMIT ?3",
        )
        .bind(kind)
        .bind(subject)
        .bind(limit(max))
        .fetch_all(&self.readers)
        .await;
        let read = |(kind, subject, reason, banned_ms)| {
            Ok(Ban {
                banned: Banned::read(kind, subject)?,
                reason,
                banned_ms: unsigned(banned_ms),
            })
        };
        let bans = found.and_then(|rows| rows.into_iter().map(read).collect());
        bans.map_err(|error| operating("bans", &error))
    }
}

/// Bans a hash or a key; a ban that is there gets the new reason. Whether that changes anything.
pub(super) async fn ban<'c>(
    writer: impl Executor<'c, Database = Sqlite>,
    banned: &Banned,
    reason: &str,
    now_ms: u64,
) -> sqlx::Result<bool> {
    let (kind, subject) = banned.columns();
    let written = sqlx::query(
        "INSERT INTO bans (kind, subject, reason, banned_ms) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (kind, subject) DO UPDATE SET reason = excluded.reason WHERE reason <> excluded.reason",
    )
    .bind(kind)
    .bind(subject)
    .bind(reason)
    .bind(signed(now_ms))
    .execute(writer);
    Ok(written.await?.rows_affected() > 0)
}

/// Takes a ban back. Whether there was one.
pub(super) async fn unban<'c>(
    writer: impl Executor<'c, Database = Sqlite>,
    banned: &Banned,
) -> sqlx::Result<bool> {
    let (kind, subject) = banned.columns();
    let removed = sqlx::query("DELETE FROM bans WHERE kind = ?1 AND subject = ?2")
        .bind(kind)
        .bind(subject)
        .execute(writer);
    Ok(removed.await?.rows_affected() > 0)
}

/// Whether a hash is banned, as a transaction sees it.
pub(super) async fn is_hash_banned<'c>(
    reader: impl Executor<'c, Database = Sqlite>,
    sha256: &BlobHash,
) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM bans WHERE kind = ?1 AND subject = ?2)")
        .bind(HASH)
        .bind(sha256.as_bytes().as_slice())
        .fetch_one(reader)
        .await
}
