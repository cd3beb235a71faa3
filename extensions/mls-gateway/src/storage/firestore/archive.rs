//! The archive: `archived_events`, a document each, named by its event.
//!
//! Events are written under one turn, and their positions are its numbers: who has seen a position has seen all lower ones,
//! or finds them. It follows that batches are archived one after another, some tens a second at most, which is why they are
//! batches.

use super::ARCHIVE;
use super::database::Database;
use super::document::{Fields, Reading};
use super::failure::{Failure, Result};
use super::long_text::LongText;
use super::question::Question;
use super::turns::{Decision, Turns};
use crate::kinds::GIFT_WRAP;
use crate::storage::{ArchiveQuery, Archived};
use gcloud_sdk::google::firestore::v1::{Document, Write};
use std::collections::{BTreeMap, BTreeSet};
use trellis_relay::event::{EventId, PublicKey};

const TURN: &str = "archive";

const EVENT: LongText = LongText {
    field: "event",
    count_field: "event_parts",
};

/// Bytes of events in one commit, which the service takes up to 10 MiB of, and some servers 4.
const COMMIT_BYTES: usize = 2 << 20;

/// Documents that are looked at together to be removed.
const DOCUMENTS_AT_ONCE: usize = 50;

/// Groups or recipients that one question names; the service takes 30.
const NAMES_IN_A_QUESTION: usize = 30;

pub(super) async fn put(database: &Database, turns: &Turns, events: &[Archived]) -> Result<usize> {
    let mut new = 0;
    let mut rest = events;
    while !rest.is_empty() {
        let (some, after) = rest.split_at(fitting(rest, database.batch_beside_a_turn()));
        let decide = |number| put_some(database, number, some);
        new += turns.take(database, TURN, decide).await?;
        rest = after;
    }
    Ok(new)
}

/// How many of the first events go into one commit; at least one.
fn fitting(events: &[Archived], max_writes: usize) -> usize {
    let (mut writes, mut bytes) = (0, 0);
    let fits = |event: &&Archived| {
        writes += 1 + EVENT.parts_of(&event.json);
        bytes += event.json.len();
        writes <= max_writes && bytes <= COMMIT_BYTES
    };
    events.iter().take_while(fits).count().max(1)
}

async fn put_some(
    database: &Database,
    number: u64,
    events: &[Archived],
) -> Result<Decision<usize>> {
    let ids = events.iter().map(|event| event.id.to_hex());
    let mut known: Vec<String> = database
        .documents(ARCHIVE, ids)
        .await?
        .into_keys()
        .collect();
    let mut writes = Vec::new();
    let mut position = number;
    for event in events {
        let id = event.id.to_hex();
        if known.contains(&id) {
            continue;
        }
        position += 1;
        let fields = fields(event).number("position", position);
        let fields = EVENT.write(database, &id, Some(&event.json), fields, &mut writes);
        writes.push(database.put(ARCHIVE, &id, fields));
        known.push(id);
    }
    let new = position - number;
    Ok(match new {
        0 => Decision::Leave(0),
        _ => Decision::Write {
            steps: new,
            writes,
            then: new as usize,
        },
    })
}

pub(super) async fn page(database: &Database, query: &ArchiveQuery<'_>) -> Result<Vec<Archived>> {
    let mut documents: BTreeMap<u64, Document> = BTreeMap::new();
    for question in questions(query) {
        for document in database.find(question).await? {
            documents.insert(Reading(&document).number("position")?, document);
        }
    }
    // Each question gave its lowest positions, so the lowest of all are among them.
    let mut events = Vec::new();
    for (position, document) in documents.into_iter().take(query.max) {
        if let Some(json) = EVENT.read(database, &document).await? {
            events.push(read(&document, position, json)?);
        }
    }
    Ok(events)
}

fn questions(query: &ArchiveQuery<'_>) -> Vec<Question> {
    let base = || {
        let question = Question::to(ARCHIVE).above("position", query.after_position);
        let question = match query.since_s {
            Some(since_s) => question.at_least("created_at", since_s),
            None => question,
        };
        let question = question.in_order_of(["position"]);
        question.at_most_documents(query.max)
    };
    if query.groups.is_none() && query.recipients.is_none() {
        return vec![base()];
    }
    let groups = query.groups.unwrap_or_default();
    let of_groups = groups.chunks(NAMES_IN_A_QUESTION);
    let of_groups = of_groups.map(|some| base().among("group_id", some));
    let recipients = query.recipients.unwrap_or_default().iter();
    let recipients: Vec<String> = recipients.map(|key| key.to_hex()).collect();
    let for_recipients = recipients.chunks(NAMES_IN_A_QUESTION);
    let for_recipients = for_recipients.map(|some| base().among("recipient", some));
    of_groups.chain(for_recipients).collect()
}

pub(super) async fn forget(database: &Database, ids: &[EventId]) -> Result<usize> {
    let ids = ids.iter().map(EventId::to_hex);
    let found = database.documents(ARCHIVE, ids).await?;
    let removals: Result<Vec<Vec<Write>>> =
        found.values().map(|it| removal(database, it)).collect();
    database.commit_pieces(removals?).await?;
    Ok(found.len())
}

pub(super) async fn forget_for(
    database: &Database,
    wishes: &[(EventId, PublicKey)],
) -> Result<usize> {
    let mut forgotten = 0;
    for some in wishes.chunks(DOCUMENTS_AT_ONCE) {
        let ids: BTreeSet<String> = some.iter().map(|(id, _)| id.to_hex()).collect();
        let found = database.documents(ARCHIVE, ids).await?;
        let mut removals = Vec::new();
        for document in found.values() {
            let copy = Reading(document);
            let (id, author) = (copy.event_id("id")?, copy.key("pubkey")?);
            let recipient = match copy.number("kind")? == u64::from(GIFT_WRAP) {
                true => copy.maybe_key("recipient")?,
                false => None,
            };
            let may = |key: &PublicKey| *key == author || Some(*key) == recipient;
            if some.iter().any(|(wished, key)| *wished == id && may(key)) {
                removals.push(removal(database, document)?);
            }
        }
        forgotten += removals.len();
        database.commit_pieces(removals).await?;
    }
    Ok(forgotten)
}

pub(super) async fn forget_all_of(
    database: &Database,
    pubkey: &PublicKey,
    until_s: u64,
) -> Result<usize> {
    let key = pubkey.to_hex();
    let of_author = Question::to(ARCHIVE).equal("pubkey", key.clone());
    let to_recipient = Question::to(ARCHIVE)
        .equal("recipient", key)
        .equal_number("kind", GIFT_WRAP.into());
    let mut forgotten = 0;
    for question in [of_author, to_recipient] {
        let question = question
            .at_most("created_at", until_s)
            .giving([FIELD_OF_PARTS])
            .at_most_documents(DOCUMENTS_AT_ONCE);
        loop {
            let found = database.find(question.clone()).await?;
            let removals: Result<Vec<Vec<Write>>> =
                found.iter().map(|it| removal(database, it)).collect();
            database.commit_pieces(removals?).await?;
            forgotten += found.len();
            if found.len() < DOCUMENTS_AT_ONCE {
                break;
            }
        }
    }
    Ok(forgotten)
}

/// The field that [`removal`] looks at.
pub(super) const FIELD_OF_PARTS: &str = EVENT.count_field;

/// What removes an event.
pub(super) fn removal(database: &Database, document: &Document) -> Result<Vec<Write>> {
    let mut writes = vec![database.remove(ARCHIVE, Reading(document).id())];
    EVENT.remove(database, document, &mut writes)?;
    Ok(writes)
}

/// All but its place and itself.
fn fields(event: &Archived) -> Fields {
    Fields::default()
        .text("id", event.id.to_hex())
        .number("kind", event.kind.into())
        .text("pubkey", event.pubkey.to_hex())
        .maybe_text("group_id", event.group_id.as_deref())
        .maybe_text("recipient", event.recipient.map(|key| key.to_hex()))
        .number("created_at", event.created_at_s)
        .number("archived_at", event.archived_at_s)
}

fn read(document: &Document, position: u64, json: String) -> Result<Archived> {
    let event = Reading(document);
    let kind = event.number("kind")?;
    Ok(Archived {
        position,
        id: event.event_id("id")?,
        kind: u16::try_from(kind).map_err(|_| Failure::Corrupt("kind"))?,
        pubkey: event.key("pubkey")?,
        group_id: event.maybe_text("group_id")?.map(str::to_owned),
        recipient: event.maybe_key("recipient")?,
        created_at_s: event.number("created_at")?,
        archived_at_s: event.number("archived_at")?,
        json,
    })
}
