//! A row of `archived_events`: how it is written, many in one statement, and what it means.

use super::keys::{author_key, group_key, id_key, part};
use crate::storage::Archived;
use crate::storage::columns::{read, signed, stored, unreadable, unsigned};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, FromRow};
use std::sync::LazyLock;
use trellis_relay::event::{EventId, PublicKey};

const COLUMNS: usize = 13;
/// Rows of the statements that are kept prepared, the longest first.
const LENGTHS: [usize; 3] = [64, 8, 1];

static STATEMENTS: LazyLock<[String; LENGTHS.len()]> = LazyLock::new(|| LENGTHS.map(statement));

/// What conflicts with anything but the key of an id ends the statement (`OR FAIL`), and the transaction with it. By default SQLite
/// would undo the statement alone, for which it copies every page beforehand that the statement touches.
fn statement(rows: usize) -> String {
    let row = format!("({})", ["?"; COLUMNS].join(", "));
    let values = vec![row; rows].join(", ");
    format!(
        "INSERT OR FAIL INTO archived_events (position, part, id_key, author_key, group_key, id, kind, pubkey, group_id, \
         recipient_pubkey, created_at, archived_at, event) VALUES {values} ON CONFLICT (id_key) DO NOTHING"
    )
}

/// The statement that takes the most of so many rows, and how many; none for no row.
pub(super) fn longest(rows: usize) -> Option<(&'static str, usize)> {
    let statements: &'static [String; LENGTHS.len()] = &STATEMENTS;
    let mut by_length = statements.iter().zip(LENGTHS);
    by_length
        .find(|(_, length)| *length <= rows)
        .map(|(statement, length)| (statement.as_str(), length))
}

/// What one statement is bound to.
pub(super) fn values(events: &[Archived], first_position: i64) -> sqlx::Result<SqliteArguments> {
    let mut values = SqliteArguments::default();
    values.reserve(events.len() * COLUMNS, 0);
    for (event, position) in events.iter().zip(first_position..) {
        add(&mut values, event, position).map_err(sqlx::Error::Encode)?;
    }
    Ok(values)
}

fn add(
    values: &mut SqliteArguments,
    event: &Archived,
    position: i64,
) -> Result<(), sqlx::error::BoxDynError> {
    let recipient = event.recipient.map(|key| key.to_bytes().to_vec());
    let group_id = event.group_id.as_deref().map(stored);
    values.add(position)?;
    values.add(part(position))?;
    values.add(id_key(&event.id))?;
    values.add(author_key(&event.pubkey))?;
    values.add(group_id.as_deref().map(group_key))?;
    values.add(event.id.as_bytes().as_slice())?;
    values.add(i64::from(event.kind))?;
    values.add(event.pubkey.as_bytes().as_slice())?;
    values.add(group_id)?;
    values.add(recipient)?;
    values.add(signed(event.created_at_s))?;
    values.add(signed(event.archived_at_s))?;
    values.add(event.json.as_str())
}

/// Of `archived_events`.
#[derive(FromRow)]
pub(super) struct CopyRow {
    position: i64,
    id: Vec<u8>,
    kind: i64,
    pubkey: Vec<u8>,
    group_id: Option<String>,
    recipient_pubkey: Option<Vec<u8>>,
    created_at: i64,
    archived_at: i64,
    event: String,
}

impl TryFrom<CopyRow> for Archived {
    type Error = sqlx::Error;

    fn try_from(row: CopyRow) -> sqlx::Result<Self> {
        let key =
            |column, bytes: &[u8]| PublicKey::from_slice(bytes).map_err(|_| unreadable(column));
        let recipient = row.recipient_pubkey.as_deref();
        Ok(Archived {
            position: unsigned(row.position),
            id: EventId::from_slice(&row.id).map_err(|_| unreadable("id"))?,
            kind: u16::try_from(row.kind).map_err(|_| unreadable("kind"))?,
            pubkey: key("pubkey", &row.pubkey)?,
            group_id: row.group_id.map(read),
            recipient: recipient
                .map(|bytes| key("recipient_pubkey", bytes))
                .transpose()?,
            created_at_s: unsigned(row.created_at),
            archived_at_s: unsigned(row.archived_at),
            json: row.event,
        })
    }
}
