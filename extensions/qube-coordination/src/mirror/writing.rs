//! Writes rows, many in one statement, each once.

use super::rows::{AckRow, LogRow, SignalRow, number, plain};
use sqlx::postgres::PgPool;

/// The directive that a report belongs to: its developer's newest on the same by the time of the action.
macro_rules! signal_of {
    ($ack:literal) => {
        concat!(
            "(SELECT s.id FROM signals AS s WHERE s.network = ",
            $ack,
            ".network AND s.developer = ",
            $ack,
            ".developer AND s.version = ",
            $ack,
            ".version AND s.action = ",
            $ack,
            ".action AND s.created_at <= ",
            $ack,
            ".action_at AND COALESCE(s.removed_as, 'replacement') = 'replacement' \
             ORDER BY s.created_at DESC, s.id LIMIT 1)"
        )
    };
}

/// Directives that are not there yet. One that is learnt to have been removed is marked.
pub(super) async fn signals(pool: &PgPool, rows: &[SignalRow]) -> sqlx::Result<u64> {
    let texts = |of: fn(&SignalRow) -> String| rows.iter().map(of).collect::<Vec<_>>();
    let urls = rows.iter().map(|row| {
        let url = row.signal.directive.action.genesis_url();
        url.map(|url| plain(url.as_str()))
    });
    let deadlines = rows.iter().map(|row| {
        let required_by = row.signal.directive.action.required_by();
        required_by.map(number)
    });
    let times = rows.iter().map(|row| number(row.signal.created_at));
    let removed = rows.iter().map(|row| row.removed_as.map(str::to_owned));
    let done = sqlx::query(
        "INSERT INTO signals (id, developer, created_at, network, action, action_key, version, hash, genesis_url, \
         required_by, event, removed_as) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], \
         $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[]) \
         ON CONFLICT (id) DO UPDATE SET removed_as = EXCLUDED.removed_as \
         WHERE signals.removed_as IS NULL AND EXCLUDED.removed_as IS NOT NULL",
    )
    .bind(texts(|row| row.signal.id.to_string()))
    .bind(texts(|row| row.signal.developer.to_string()))
    .bind(times.collect::<Vec<_>>())
    .bind(texts(|row| row.signal.directive.network.to_string()))
    .bind(texts(|row| row.signal.directive.action.kind().to_string()))
    .bind(texts(|row| row.signal.directive.key().to_string()))
    .bind(texts(|row| row.signal.directive.version.to_string()))
    .bind(texts(|row| row.signal.directive.hash.to_string()))
    .bind(urls.collect::<Vec<_>>())
    .bind(deadlines.collect::<Vec<_>>())
    .bind(texts(|row| plain(&row.json)))
    .bind(removed.collect::<Vec<_>>())
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Reports that are not there yet.
pub(super) async fn acks(pool: &PgPool, rows: &[AckRow]) -> sqlx::Result<u64> {
    let texts = |of: fn(&AckRow) -> String| rows.iter().map(of).collect::<Vec<_>>();
    let errors = rows
        .iter()
        .map(|row| row.ack.report.status.error().map(plain));
    let made = rows.iter().map(|row| number(row.ack.created_at));
    let acted = rows.iter().map(|row| number(row.ack.report.action_at));
    let done = sqlx::query(concat!(
        "INSERT INTO acks (id, node, created_at, developer, network, action, version, status, error, node_id, action_at, \
         event, signal_id) SELECT u.*, ",
        signal_of!("u"),
        " FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
         $9::text[], $10::text[], $11::bigint[], $12::text[]) \
         AS u (id, node, created_at, developer, network, action, version, status, error, node_id, action_at, event) \
         ON CONFLICT (id) DO NOTHING",
    ))
    .bind(texts(|row| row.ack.id.to_string()))
    .bind(texts(|row| row.ack.node.to_string()))
    .bind(made.collect::<Vec<_>>())
    .bind(texts(|row| row.ack.report.developer.to_string()))
    .bind(texts(|row| row.ack.report.network.to_string()))
    .bind(texts(|row| row.ack.report.action.to_string()))
    .bind(texts(|row| row.ack.report.version.to_string()))
    .bind(texts(|row| row.ack.report.status.kind().as_str().to_owned()))
    .bind(errors.collect::<Vec<_>>())
    .bind(texts(|row| plain(&row.ack.report.node_id.to_string())))
    .bind(acted.collect::<Vec<_>>())
    .bind(texts(|row| plain(&row.json)))
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Finds out anew to which directives the reports on the same as these belong: some of them came before.
pub(super) async fn link(pool: &PgPool, rows: &[SignalRow]) -> sqlx::Result<u64> {
    let ids: Vec<String> = rows.iter().map(|row| row.signal.id.to_string()).collect();
    let done = sqlx::query(concat!(
        "WITH subject AS (SELECT DISTINCT network, developer, version, action FROM signals WHERE id = ANY($1)), \
         found AS (SELECT a.id AS ack, ",
        signal_of!("a"),
        " AS signal FROM acks AS a JOIN subject USING (network, developer, version, action)) \
         UPDATE acks SET signal_id = found.signal FROM found WHERE acks.id = found.ack \
         AND found.signal IS NOT NULL AND acks.signal_id IS DISTINCT FROM found.signal",
    ))
    .bind(ids)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Entries of the history that are not there yet.
pub(super) async fn log(pool: &PgPool, relay: &str, rows: &[LogRow<'_>]) -> sqlx::Result<u64> {
    let texts = |of: fn(&LogRow<'_>) -> String| rows.iter().map(of).collect::<Vec<_>>();
    let numbers = |of: fn(&LogRow<'_>) -> u64| {
        let numbers = rows.iter().map(of).map(number);
        numbers.collect::<Vec<_>>()
    };
    let done = sqlx::query(
        "INSERT INTO log (relay, chain, seq, at, kind, event, previous, hash) \
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[]) \
         ON CONFLICT (relay, chain, seq) DO NOTHING",
    )
    .bind(relay)
    .bind(texts(|row| row.chain.to_owned()))
    .bind(numbers(|row| row.entry.seq))
    .bind(numbers(|row| row.entry.at_s))
    .bind(texts(|row| row.entry.kind.as_str().to_owned()))
    .bind(texts(|row| plain(&row.entry.event)))
    .bind(texts(|row| row.entry.previous.to_string()))
    .bind(texts(|row| row.entry.hash.to_string()))
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Marks what the relay has removed.
pub(super) async fn removed(pool: &PgPool, ids: &[String], causes: &[String]) -> sqlx::Result<u64> {
    let mut marked = 0;
    for statement in [
        "UPDATE signals SET removed_as = gone.cause FROM unnest($1::text[], $2::text[]) AS gone (id, cause) \
         WHERE signals.id = gone.id AND signals.removed_as IS NULL",
        "UPDATE acks SET removed_as = gone.cause FROM unnest($1::text[], $2::text[]) AS gone (id, cause) \
         WHERE acks.id = gone.id AND acks.removed_as IS NULL",
    ] {
        let done = sqlx::query(statement).bind(ids).bind(causes).execute(pool);
        marked += done.await?.rows_affected();
    }
    Ok(marked)
}

/// The number and the hash of the last entry that is there.
pub(super) async fn last_entry(
    pool: &PgPool,
    relay: &str,
    chain: &str,
) -> sqlx::Result<Option<(u64, String)>> {
    let last =
        "SELECT seq, hash FROM log WHERE relay = $1 AND chain = $2 ORDER BY seq DESC LIMIT 1";
    let last: Option<(i64, String)> = sqlx::query_as(last)
        .bind(relay)
        .bind(chain)
        .fetch_optional(pool)
        .await?;
    Ok(last.map(|(seq, hash)| (u64::try_from(seq).unwrap_or(0), hash)))
}

/// How many pages of events were copied, where what the relay had before the mirror is all there.
pub(super) async fn copied(pool: &PgPool, relay: &str) -> sqlx::Result<Option<i64>> {
    let copied = "SELECT copied FROM relays WHERE relay = $1";
    sqlx::query_scalar(copied)
        .bind(relay)
        .fetch_optional(pool)
        .await
}

/// Notes that all of it is there, and so many pages.
pub(super) async fn note_filled(
    pool: &PgPool,
    relay: &str,
    now_s: u64,
    copied: u64,
) -> sqlx::Result<()> {
    let note = "INSERT INTO relays (relay, filled_at, copied) VALUES ($1, $2, $3) \
                ON CONFLICT (relay) DO UPDATE SET filled_at = EXCLUDED.filled_at, copied = EXCLUDED.copied";
    let note = sqlx::query(note)
        .bind(relay)
        .bind(number(now_s))
        .bind(number(copied));
    note.execute(pool).await.map(drop)
}

/// Notes one page more, where none is missing before it.
pub(super) async fn note_copied(pool: &PgPool, relay: &str, copied: u64) -> sqlx::Result<()> {
    let note = "UPDATE relays SET copied = $2 WHERE relay = $1 AND copied = $2 - 1";
    let note = sqlx::query(note).bind(relay).bind(number(copied));
    note.execute(pool).await.map(drop)
}
