//! The registry of groups: `mls_groups`.
//!
//! Who knows something of a group writes its own fields: the roster its owner and count, messages their epoch and time. What
//! may only rise is written under a turn, of which there are some, by group.

use super::database::Database;
use super::document::{Fields, Reading, document_id};
use super::failure::Result;
use super::question::Question;
use super::turns::{Decision, Turns};
use super::{GROUPS, ROSTERS};
use crate::storage::{Group, Page, Seen};
use gcloud_sdk::google::firestore::v1::Document;
use std::collections::BTreeMap;
use trellis_relay::event::PublicKey;

pub(super) async fn one(database: &Database, group_id: &str) -> Result<Option<Group>> {
    let document = database.document(GROUPS, &document_id(group_id)).await?;
    document.as_ref().map(read).transpose()
}

pub(super) async fn page(
    database: &Database,
    member: Option<&PublicKey>,
    page: Page<'_>,
) -> Result<Vec<Group>> {
    let collection = if member.is_some() { ROSTERS } else { GROUPS };
    let mut question = Question::to(collection);
    if let Some(member) = member {
        question = question.holds("members", member.to_hex());
    }
    if let Some(after) = page.after {
        question = question.after_text("group_id", after);
    }
    let question = question.in_order_of(["group_id"]);
    let found = database.find(question.at_most_documents(page.max)).await?;
    if member.is_none() {
        return found.iter().map(read).collect();
    }
    let ids = found.iter().map(|roster| Reading(roster).id().to_owned());
    let groups = database.documents(GROUPS, ids).await?;
    let in_order = found
        .iter()
        .filter_map(|roster| groups.get(Reading(roster).id()));
    in_order.map(read).collect()
}

pub(super) async fn describe(
    database: &Database,
    turns: &Turns,
    group_id: &str,
    [display_name, avatar_url]: [Option<&str>; 2],
    now_s: u64,
) -> Result<()> {
    let id = document_id(group_id);
    let id = &id;
    let decide = |_| async move {
        let there = database.document(GROUPS, id).await?;
        let mut fields = touched(there.as_ref(), group_id, now_s)?;
        if let Some(display_name) = display_name {
            fields = fields.text("display_name", display_name);
        }
        if let Some(avatar_url) = avatar_url {
            fields = fields.text("avatar_url", avatar_url);
        }
        Ok(Decision::Write {
            steps: 1,
            writes: vec![database.merge(GROUPS, id, fields)],
            then: (),
        })
    };
    turns.take(database, &turn(id), decide).await
}

pub(super) async fn note(
    database: &Database,
    turns: &Turns,
    seen: &[Seen],
    now_s: u64,
) -> Result<()> {
    let mut by_turn: BTreeMap<String, BTreeMap<String, Seen>> = BTreeMap::new();
    for message in seen {
        let id = document_id(&message.group_id);
        let groups = by_turn.entry(turn(&id)).or_default();
        let group = groups.entry(id).or_insert_with(|| message.clone());
        group.epoch = group.epoch.max(message.epoch);
        group.created_at_s = group.created_at_s.max(message.created_at_s);
    }
    let turns_of = by_turn.iter().map(|(turn, groups)| async move {
        let groups: Vec<(&String, &Seen)> = groups.iter().collect();
        for some in groups.chunks(database.batch_beside_a_turn()) {
            let decide = |_| raise(database, some, now_s);
            turns.take(database, turn, decide).await?;
        }
        Result::Ok(())
    });
    futures_util::future::try_join_all(turns_of).await?;
    Ok(())
}

/// What of these messages is higher than what is known.
async fn raise(
    database: &Database,
    groups: &[(&String, &Seen)],
    now_s: u64,
) -> Result<Decision<()>> {
    let ids = groups.iter().map(|(id, _)| (*id).clone());
    let known = database.documents(GROUPS, ids).await?;
    let mut writes = Vec::new();
    for (id, seen) in groups {
        let there = known.get(*id);
        let (epoch, event_s, is_newer) = match there.map(Reading) {
            Some(there) => (
                there.digits("last_epoch")?,
                there.maybe_number("last_event_at")?,
                there.number("last_updated")? < now_s,
            ),
            None => (None, None, true),
        };
        let is_higher = seen.epoch > epoch || Some(seen.created_at_s) > event_s;
        if !is_newer && !is_higher {
            continue;
        }
        let fields = touched(there, &seen.group_id, now_s)?
            .digits("last_epoch", seen.epoch.max(epoch))
            .maybe_number("last_event_at", Some(seen.created_at_s).max(event_s));
        writes.push(database.merge(GROUPS, id, fields));
    }
    Ok(match writes.is_empty() {
        true => Decision::Leave(()),
        false => Decision::Write {
            steps: 1,
            writes,
            then: (),
        },
    })
}

pub(super) async fn import(database: &Database, turns: &Turns, group: &Group) -> Result<()> {
    let id = document_id(&group.group_id);
    let id = &id;
    let decide = |_| async move {
        let there = database.document(GROUPS, id).await?;
        let there = there.as_ref().map(read).transpose()?;
        let (epoch, event_s) = there.map_or((None, None), |it| (it.last_epoch, it.last_event_s));
        let fields = Fields::default()
            .text("group_id", &group.group_id)
            .maybe_text("display_name", group.display_name.as_deref())
            .maybe_text("avatar_url", group.avatar_url.as_deref())
            .maybe_text("imported_owner", group.owner.map(|key| key.to_hex()))
            .digits("last_epoch", group.last_epoch.max(epoch))
            .maybe_number("last_event_at", group.last_event_s.max(event_s))
            .texts("relays", group.relays.iter().cloned())
            .number("created_at", group.created_at_s)
            .number("last_updated", group.updated_at_s);
        Ok(Decision::Write {
            steps: 1,
            writes: vec![database.merge(GROUPS, id, fields)],
            then: (),
        })
    };
    turns.take(database, &turn(id), decide).await
}

/// The fields that anybody writes who has something to say of a group, of which `there` is what is known.
pub(super) fn touched(there: Option<&Document>, group_id: &str, now_s: u64) -> Result<Fields> {
    let fields = Fields::default().text("group_id", group_id);
    Ok(match there {
        Some(there) => {
            let before_s = Reading(there).number("last_updated")?;
            fields.number("last_updated", before_s.max(now_s))
        }
        None => fields
            .number("last_updated", now_s)
            .number("created_at", now_s),
    })
}

/// The turn that a group's document is written under.
fn turn(id: &str) -> String {
    format!("groups {}", id.get(..1).unwrap_or_default())
}

fn read(document: &Document) -> Result<Group> {
    let group = Reading(document);
    let owner = match group.maybe_key("owner")? {
        Some(owner) => Some(owner),
        None => group.maybe_key("imported_owner")?,
    };
    let relays = group.texts("relays")?;
    Ok(Group {
        group_id: group.text("group_id")?.to_owned(),
        display_name: group.maybe_text("display_name")?.map(str::to_owned),
        avatar_url: group.maybe_text("avatar_url")?.map(str::to_owned),
        owner,
        member_count: group.maybe_number("member_count")?.unwrap_or(0),
        last_epoch: group.digits("last_epoch")?,
        last_event_s: group.maybe_number("last_event_at")?,
        relays: relays.into_iter().map(str::to_owned).collect(),
        created_at_s: group.number("created_at")?,
        updated_at_s: group.number("last_updated")?,
    })
}
