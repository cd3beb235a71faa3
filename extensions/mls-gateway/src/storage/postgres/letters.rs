//! The two mailboxes, a table each.

use crate::storage::columns::{LetterRow, LoadRow, all, limit, signed, stored};
use crate::storage::{BoxLoad, Letter, LetterBox, Page};
use sqlx::postgres::PgPool;
use trellis_relay::event::PublicKey;

/// What is said to the table of one box.
struct Statements {
    one: &'static str,
    page: &'static str,
    load: &'static str,
    live: &'static str,
    mark: &'static str,
    acknowledge: &'static str,
}

const KEY_PACKAGES: Statements = Statements {
    one: "SELECT *, NULL::text AS group_id, NULL::text AS ratchet_tree_b64 FROM mail_keypackages WHERE id = $1",
    page: "SELECT *, NULL::text AS group_id, NULL::text AS ratchet_tree_b64 FROM mail_keypackages \
           WHERE id > $1 AND acknowledged_at IS NULL ORDER BY id LIMIT $2",
    load: "SELECT count(*) AS letters, coalesce(sum(size), 0) AS bytes, \
           count(*) FILTER (WHERE sender_pubkey = $2) AS letters_of_sender, \
           coalesce(sum(size) FILTER (WHERE sender_pubkey = $2), 0) AS bytes_of_sender \
           FROM (SELECT sender_pubkey, octet_length(content_b64) + coalesce(octet_length(tags), 0) AS size \
           FROM mail_keypackages \
           WHERE recipient_pubkey = $1 AND expires_at > $3 AND acknowledged_at IS NULL) AS lying",
    live: "SELECT *, NULL::text AS group_id, NULL::text AS ratchet_tree_b64 FROM mail_keypackages \
           WHERE recipient_pubkey = $1 AND expires_at > $2 AND acknowledged_at IS NULL \
           ORDER BY created_at, id LIMIT $3 FOR UPDATE",
    mark: "UPDATE mail_keypackages SET picked_up_at = $1 WHERE id = ANY($2)",
    acknowledge: "UPDATE mail_keypackages SET acknowledged_at = coalesce(acknowledged_at, $2), \
                  content_b64 = '', tags = NULL WHERE id = $1",
};

const WELCOMES: Statements = Statements {
    one: "SELECT *, welcome_b64 AS content_b64, NULL::text AS tags FROM mail_welcomes WHERE id = $1",
    page: "SELECT *, welcome_b64 AS content_b64, NULL::text AS tags FROM mail_welcomes \
           WHERE id > $1 AND acknowledged_at IS NULL ORDER BY id LIMIT $2",
    load: "SELECT count(*) AS letters, coalesce(sum(size), 0) AS bytes, \
           count(*) FILTER (WHERE sender_pubkey = $2) AS letters_of_sender, \
           coalesce(sum(size) FILTER (WHERE sender_pubkey = $2), 0) AS bytes_of_sender \
           FROM (SELECT sender_pubkey, octet_length(welcome_b64) + coalesce(octet_length(ratchet_tree_b64), 0) AS size \
           FROM mail_welcomes \
           WHERE recipient_pubkey = $1 AND expires_at > $3 AND acknowledged_at IS NULL) AS lying",
    live: "SELECT *, welcome_b64 AS content_b64, NULL::text AS tags FROM mail_welcomes \
           WHERE recipient_pubkey = $1 AND expires_at > $2 AND acknowledged_at IS NULL \
           ORDER BY created_at, id LIMIT $3 FOR UPDATE",
    mark: "UPDATE mail_welcomes SET picked_up_at = $1 WHERE id = ANY($2)",
    acknowledge: "UPDATE mail_welcomes SET acknowledged_at = coalesce(acknowledged_at, $2), \
                  welcome_b64 = '', ratchet_tree_b64 = NULL WHERE id = $1",
};

fn of(letter_box: LetterBox) -> &'static Statements {
    match letter_box {
        LetterBox::KeyPackages => &KEY_PACKAGES,
        LetterBox::Welcomes => &WELCOMES,
    }
}

pub(super) async fn deposit(
    pool: &PgPool,
    letter_box: LetterBox,
    letter: &Letter,
) -> sqlx::Result<bool> {
    let query = match letter_box {
        LetterBox::KeyPackages => sqlx::query(
            "INSERT INTO mail_keypackages (id, recipient_pubkey, sender_pubkey, created_at, expires_at, \
             picked_up_at, acknowledged_at, content_b64, tags) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
        ),
        LetterBox::Welcomes => sqlx::query(
            "INSERT INTO mail_welcomes (id, recipient_pubkey, sender_pubkey, created_at, expires_at, \
             picked_up_at, acknowledged_at, welcome_b64, ratchet_tree_b64, group_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
        ),
    };
    let query = query
        .bind(stored(&letter.id))
        .bind(letter.recipient.to_hex())
        .bind(letter.sender.to_hex())
        .bind(signed(letter.created_at_s))
        .bind(signed(letter.expires_at_s))
        .bind(letter.picked_up_at_s.map(signed))
        .bind(letter.acknowledged_at_s.map(signed))
        .bind(&letter.content_b64);
    let query = match letter_box {
        LetterBox::KeyPackages => query.bind(&letter.tags_json),
        LetterBox::Welcomes => query
            .bind(&letter.ratchet_tree_b64)
            .bind(stored(letter.group_id.as_deref().unwrap_or_default())),
    };
    Ok(query.execute(pool).await?.rows_affected() > 0)
}

pub(super) async fn load(
    pool: &PgPool,
    letter_box: LetterBox,
    recipient: &PublicKey,
    sender: &PublicKey,
    now_s: u64,
) -> sqlx::Result<BoxLoad> {
    let row: LoadRow = sqlx::query_as(of(letter_box).load)
        .bind(recipient.to_hex())
        .bind(sender.to_hex())
        .bind(signed(now_s))
        .fetch_one(pool)
        .await?;
    Ok(row.into())
}

pub(super) async fn pick_up(
    pool: &PgPool,
    letter_box: LetterBox,
    recipient: &PublicKey,
    max: usize,
    now_s: u64,
) -> sqlx::Result<Vec<Letter>> {
    let mut transaction = pool.begin().await?;
    let rows: Vec<LetterRow> = sqlx::query_as(of(letter_box).live)
        .bind(recipient.to_hex())
        .bind(signed(now_s))
        .bind(limit(max))
        .fetch_all(&mut *transaction)
        .await?;
    let mut letters: Vec<Letter> = all(rows)?;
    let mut new = Vec::new();
    for letter in letters.iter_mut().filter(|it| it.picked_up_at_s.is_none()) {
        letter.picked_up_at_s = Some(now_s);
        new.push(stored(&letter.id).into_owned());
    }
    // Whoever looks every second writes nothing.
    if !new.is_empty() {
        sqlx::query(of(letter_box).mark)
            .bind(signed(now_s))
            .bind(new)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(letters)
}

pub(super) async fn one(
    pool: &PgPool,
    letter_box: LetterBox,
    id: &str,
) -> sqlx::Result<Option<Letter>> {
    let row: Option<LetterRow> = sqlx::query_as(of(letter_box).one)
        .bind(stored(id))
        .fetch_optional(pool)
        .await?;
    row.map(Letter::try_from).transpose()
}

pub(super) async fn acknowledge(
    pool: &PgPool,
    letter_box: LetterBox,
    id: &str,
    now_s: u64,
) -> sqlx::Result<bool> {
    let done = sqlx::query(of(letter_box).acknowledge)
        .bind(stored(id))
        .bind(signed(now_s))
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn page(
    pool: &PgPool,
    letter_box: LetterBox,
    page: Page<'_>,
) -> sqlx::Result<Vec<Letter>> {
    let rows: Vec<LetterRow> = sqlx::query_as(of(letter_box).page)
        .bind(stored(page.after.unwrap_or_default()))
        .bind(limit(page.max))
        .fetch_all(pool)
        .await?;
    all(rows)
}
