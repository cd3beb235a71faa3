//! Rosters: `mls_rosters`, a document each, with the members as a list that can be asked for one.
//!
//! All are written under one turn, whose number is the revision of the roster that was written under it. So revisions rise
//! over all groups in the order in which they become visible, and are the cursor of changes as well: none is missed. It
//! follows that rosters are written one after another, some tens a second at most.
//!
//! A document holds at most 1 MiB and 40,000 entries of indexes, which 15,000 members stay below: `max_group_members` is
//! never more.

use super::database::Database;
use super::document::{Fields, Reading, document_id, key};
use super::failure::{Failure, Result};
use super::groups::touched;
use super::question::Question;
use super::turns::{Decision, Turns, current};
use super::{GROUPS, ROSTERS};
use crate::roster::{Role, Roster};
use crate::storage::columns::{earlier, earlier_text};
use crate::storage::{PutRoster, VersionedRoster};
use gcloud_sdk::google::firestore::v1::Document;
use std::collections::BTreeMap;
use trellis_relay::event::PublicKey;

const TURN: &str = "rosters";

pub(super) async fn load(
    database: &Database,
    group_ids: &[String],
) -> Result<Vec<(String, VersionedRoster)>> {
    let ids = group_ids.iter().map(|group_id| document_id(group_id));
    let documents = database.documents(ROSTERS, ids).await?;
    documents.values().map(read).collect()
}

pub(super) async fn groups_of(database: &Database, pubkey: &PublicKey) -> Result<Vec<String>> {
    let question = Question::to(ROSTERS).holds("members", pubkey.to_hex());
    group_ids(&database.find(question.giving(["group_id"])).await?)
}

pub(super) async fn put(
    database: &Database,
    turns: &Turns,
    group_id: &str,
    roster: &Roster,
    replaces: Option<u64>,
    now_s: u64,
) -> Result<PutRoster> {
    let id = document_id(group_id);
    let id = &id;
    let decide = |number| async move {
        let there = database.document(ROSTERS, id).await?;
        let there = there
            .map(|it| Reading(&it).number("revision"))
            .transpose()?;
        if there != replaces {
            return Ok(Decision::Leave(PutRoster::Conflict));
        }
        let group = database.document(GROUPS, id).await?;
        let revision = number + 1;
        let group = touched(group.as_ref(), group_id, now_s)?
            .maybe_text("owner", holders(roster, Role::Owner).next())
            .number("member_count", roster.members.len() as u64);
        Ok(Decision::Write {
            steps: 1,
            writes: vec![
                database.put(ROSTERS, id, fields(group_id, roster, revision, now_s)),
                database.merge(GROUPS, id, group),
            ],
            then: PutRoster::Written(revision),
        })
    };
    turns.take(database, TURN, decide).await
}

pub(super) async fn changes(
    database: &Database,
    cursor: u64,
    max: usize,
) -> Result<(Vec<String>, u64)> {
    let question = Question::to(ROSTERS)
        .above("revision", cursor)
        .in_order_of(["revision"])
        .at_most_documents(max);
    let found = database.find(question).await?;
    let cursor = match found.last() {
        Some(last) => Reading(last).number("revision")?,
        None => cursor,
    };
    Ok((group_ids(&found)?, cursor))
}

pub(super) async fn cursor(database: &Database) -> Result<u64> {
    current(database, TURN).await
}

fn group_ids(found: &[Document]) -> Result<Vec<String>> {
    let ids = found.iter().map(|it| Reading(it).text("group_id"));
    ids.map(|id| id.map(str::to_owned)).collect()
}

/// Those who have this role, by key.
fn holders(roster: &Roster, wanted: Role) -> impl Iterator<Item = String> {
    let members = roster.members.iter();
    let holders = members.filter(move |(_, role)| **role == wanted);
    holders.map(|(key, _)| key.to_hex())
}

pub(super) fn fields(group_id: &str, roster: &Roster, revision: u64, now_s: u64) -> Fields {
    Fields::default()
        .text("group_id", group_id)
        .texts("members", roster.members.keys().map(PublicKey::to_hex))
        .texts("admins", holders(roster, Role::Admin))
        .texts("owners", holders(roster, Role::Owner))
        .digits("seq", Some(roster.seq))
        .maybe_text("event_id", roster.event.map(|id| id.to_hex()))
        .maybe_text("earlier_events", earlier_text(roster))
        .number("revision", revision)
        .number("last_updated", now_s)
}

fn read(document: &Document) -> Result<(String, VersionedRoster)> {
    let reading = Reading(document);
    let mut members = BTreeMap::new();
    for (name, role) in [
        ("members", Role::Member),
        ("admins", Role::Admin),
        ("owners", Role::Owner),
    ] {
        for hex in reading.texts(name)? {
            members.insert(key(name, hex)?, role);
        }
    }
    let roster = Roster {
        members,
        seq: reading.digits("seq")?.ok_or(Failure::Corrupt("seq"))?,
        event: reading.maybe_event_id("event_id")?,
        earlier: earlier(reading.maybe_text("earlier_events")?.unwrap_or_default())
            .map_err(|_| Failure::Corrupt("earlier_events"))?,
    };
    let revision = reading.number("revision")?;
    let group_id = reading.text("group_id")?.to_owned();
    Ok((group_id, VersionedRoster { roster, revision }))
}
