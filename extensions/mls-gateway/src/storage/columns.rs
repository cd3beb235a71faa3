//! What the rows of both SQL databases mean: keys and ids are hex digits, lists are JSON, numbers are signed.
//!
//! Invariant: a row that the gateway did not write so is an error of decoding and never a guess, where who may see what
//! depends on it. What only describes is taken as far as it can be read.

mod text;

pub(super) use text::{read, stored};

use super::{Archived, BoxLoad, Group, Letter, Package, Seen, Stock, VersionedRoster};
use crate::roster::{Role, Roster};
use sqlx::FromRow;
use std::borrow::Cow;
use std::collections::BTreeMap;
use trellis_relay::event::{EventId, PublicKey};

/// A number as a column holds it; what no column can hold is the highest that one can.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same for lengths.
pub(super) fn limit(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A row does not say what the gateway writes.
pub(super) fn unreadable(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("column {column}").into())
}

fn pubkey(column: &'static str, hex: &str) -> sqlx::Result<PublicKey> {
    PublicKey::from_hex(hex).map_err(|_| unreadable(column))
}

/// An event's id in a column of that name.
pub(super) fn event_id(hex: &str) -> sqlx::Result<EventId> {
    EventId::from_hex(hex).map_err(|_| unreadable("id"))
}

/// Ids with spaces between them.
pub(super) fn earlier(ids: &str) -> sqlx::Result<Vec<EventId>> {
    ids.split_ascii_whitespace().map(event_id).collect()
}

/// The same the other way round.
pub(super) fn earlier_text(roster: &Roster) -> Option<String> {
    let ids: Vec<String> = roster.earlier.iter().map(EventId::to_hex).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// Of `groups`, and the count of members.
#[derive(FromRow)]
pub(super) struct GroupRow {
    group_id: String,
    display_name: Option<String>,
    avatar_url: Option<String>,
    owner_pubkey: Option<String>,
    last_epoch: Option<i64>,
    last_event_ts: Option<i64>,
    relays: Option<String>,
    created_at: i64,
    updated_at: i64,
    member_count: i64,
}

impl From<GroupRow> for Group {
    fn from(row: GroupRow) -> Self {
        Group {
            group_id: read(row.group_id),
            display_name: row.display_name.map(read),
            avatar_url: row.avatar_url.map(read),
            owner: row
                .owner_pubkey
                .and_then(|hex| PublicKey::from_hex(&hex).ok()),
            member_count: unsigned(row.member_count),
            last_epoch: row.last_epoch.map(unsigned),
            last_event_s: row.last_event_ts.map(unsigned),
            relays: row.relays.map(|text| relay_list(&text)).unwrap_or_default(),
            created_at_s: unsigned(row.created_at),
            updated_at_s: unsigned(row.updated_at),
        }
    }
}

/// What messages say of each group together: the highest epoch, the newest time. By group, which is the order in which
/// everybody locks rows.
pub(super) fn newest(seen: &[Seen]) -> BTreeMap<Cow<'_, str>, (Option<i64>, i64)> {
    let mut newest: BTreeMap<_, (Option<i64>, i64)> = BTreeMap::new();
    for message in seen {
        let (epoch, time_s) = newest.entry(stored(&message.group_id)).or_default();
        *epoch = message.epoch.map(signed).max(*epoch);
        *time_s = signed(message.created_at_s).max(*time_s);
    }
    newest
}

/// JSON, or words between commas and spaces, as older databases may have them.
fn relay_list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let words = text.split([',', ' ', '\n']).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    })
}

/// A list of relays as its column holds it; none is no text.
pub(super) fn relays_json(relays: &[String]) -> Option<String> {
    (!relays.is_empty()).then(|| list_json(relays))
}

/// A list of texts as JSON.
pub(super) fn list_json(texts: &[impl AsRef<str>]) -> String {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    serde_json::Value::from(texts).to_string()
}

/// Of `rosters`, and its members as a JSON object: roles by key.
#[derive(FromRow)]
pub(super) struct RosterRow {
    group_id: String,
    seq: i64,
    event_id: Option<String>,
    earlier_events: Option<String>,
    revision: i64,
    members: Option<String>,
}

impl TryFrom<RosterRow> for (String, VersionedRoster) {
    type Error = sqlx::Error;

    fn try_from(row: RosterRow) -> sqlx::Result<Self> {
        let roles = row.members.unwrap_or_default();
        let roles: BTreeMap<String, String> =
            serde_json::from_str(&roles).map_err(|_| unreadable("members"))?;
        let mut members = BTreeMap::new();
        for (key, role) in roles {
            let role = Role::parse(&role).ok_or_else(|| unreadable("role"))?;
            members.insert(pubkey("pubkey", &key)?, role);
        }
        // A roster of nobody would be one that everybody may replace, or one that nobody may.
        if members.is_empty() {
            return Err(unreadable("members"));
        }
        let roster = Roster {
            members,
            seq: unsigned(row.seq),
            event: row.event_id.as_deref().map(event_id).transpose()?,
            earlier: earlier(&row.earlier_events.unwrap_or_default())?,
        };
        let revision = unsigned(row.revision);
        Ok((read(row.group_id), VersionedRoster { roster, revision }))
    }
}

/// Who `groups` names as owner: the first by key.
pub(super) fn first_owner(roster: &Roster) -> Option<String> {
    let mut members = roster.members.iter();
    let owner = members.find(|(_, role)| **role == Role::Owner);
    owner.map(|(key, _)| key.to_hex())
}

/// Of `packages`.
#[derive(FromRow)]
pub(super) struct PackageRow {
    id: String,
    owner_pubkey: String,
    reference: Option<String>,
    ciphersuite: Option<String>,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<PackageRow> for Package {
    type Error = sqlx::Error;

    fn try_from(row: PackageRow) -> sqlx::Result<Self> {
        Ok(Package {
            id: event_id(&row.id)?,
            owner: pubkey("owner_pubkey", &row.owner_pubkey)?,
            reference: row.reference.map(read),
            ciphersuite: row.ciphersuite.map(read),
            created_at_s: unsigned(row.created_at),
            expires_at_s: unsigned(row.expires_at),
        })
    }
}

/// Of `packages`, counted.
#[derive(FromRow)]
pub(super) struct StockRow {
    owner_pubkey: String,
    live: i64,
}

impl TryFrom<StockRow> for Stock {
    type Error = sqlx::Error;

    fn try_from(row: StockRow) -> sqlx::Result<Self> {
        Ok(Stock {
            owner: pubkey("owner_pubkey", &row.owner_pubkey)?,
            live: unsigned(row.live),
        })
    }
}

/// Of `mail_keypackages` or `mail_welcomes`, by the names that both can have.
#[derive(FromRow)]
pub(super) struct LetterRow {
    id: String,
    recipient_pubkey: String,
    sender_pubkey: String,
    group_id: Option<String>,
    content_b64: String,
    ratchet_tree_b64: Option<String>,
    tags: Option<String>,
    created_at: i64,
    expires_at: i64,
    picked_up_at: Option<i64>,
    acknowledged_at: Option<i64>,
}

impl TryFrom<LetterRow> for Letter {
    type Error = sqlx::Error;

    fn try_from(row: LetterRow) -> sqlx::Result<Self> {
        Ok(Letter {
            id: read(row.id),
            recipient: pubkey("recipient_pubkey", &row.recipient_pubkey)?,
            sender: pubkey("sender_pubkey", &row.sender_pubkey)?,
            group_id: row.group_id.map(read).filter(|id| !id.is_empty()),
            content_b64: row.content_b64,
            ratchet_tree_b64: row.ratchet_tree_b64,
            tags_json: row.tags,
            created_at_s: unsigned(row.created_at),
            expires_at_s: unsigned(row.expires_at),
            picked_up_at_s: row.picked_up_at.map(unsigned),
            acknowledged_at_s: row.acknowledged_at.map(unsigned),
        })
    }
}

/// Of a mailbox, counted.
#[derive(FromRow)]
pub(super) struct LoadRow {
    letters: i64,
    bytes: i64,
    letters_of_sender: i64,
    bytes_of_sender: i64,
}

impl From<LoadRow> for BoxLoad {
    fn from(row: LoadRow) -> Self {
        BoxLoad {
            letters: unsigned(row.letters),
            bytes: unsigned(row.bytes),
            letters_of_sender: unsigned(row.letters_of_sender),
            bytes_of_sender: unsigned(row.bytes_of_sender),
        }
    }
}

/// Of `archived_events` in PostgreSQL.
#[derive(FromRow)]
pub(super) struct ArchivedRow {
    position: i64,
    id: String,
    kind: i64,
    pubkey: String,
    group_id: Option<String>,
    recipient_pubkey: Option<String>,
    created_at: i64,
    archived_at: i64,
    event: String,
}

impl TryFrom<ArchivedRow> for Archived {
    type Error = sqlx::Error;

    fn try_from(row: ArchivedRow) -> sqlx::Result<Self> {
        let recipient = row.recipient_pubkey.as_deref();
        Ok(Archived {
            position: unsigned(row.position),
            id: event_id(&row.id)?,
            kind: u16::try_from(row.kind).map_err(|_| unreadable("kind"))?,
            pubkey: pubkey("pubkey", &row.pubkey)?,
            group_id: row.group_id.map(read),
            recipient: recipient
                .map(|hex| pubkey("recipient_pubkey", hex))
                .transpose()?,
            created_at_s: unsigned(row.created_at),
            archived_at_s: unsigned(row.archived_at),
            json: row.event,
        })
    }
}

/// All rows as what they mean.
pub(super) fn all<R, T: TryFrom<R, Error = sqlx::Error>>(rows: Vec<R>) -> sqlx::Result<Vec<T>> {
    rows.into_iter().map(T::try_from).collect()
}
