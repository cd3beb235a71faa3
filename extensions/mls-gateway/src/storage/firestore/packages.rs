//! The stock of KeyPackages: `keypackages`, a document each, named by its event.
//!
//! What becomes of an owner's packages is decided under a turn of the owner, so of two readers who see the same packages
//! one gets them. Only those that have expired are removed without. Live are those that have not expired and are reserved
//! for nobody.

use super::PACKAGES;
use super::database::Database;
use super::document::{Fields, Reading};
use super::failure::Result;
use super::question::Question;
use super::turns::{Decision, Turns};
use crate::storage::{Package, Page, PutPackage, RESERVED_S_MAX, Stock, USED_UP_AT_S};
use gcloud_sdk::google::firestore::v1::{Document, Write};
use std::collections::BTreeMap;
use trellis_relay::event::{EventId, PublicKey};

pub(super) async fn put(
    database: &Database,
    turns: &Turns,
    package: &Package,
) -> Result<PutPackage> {
    let decide = |_| async move {
        let id = package.id.to_hex();
        let same = database.document(PACKAGES, &id);
        let others = all_of(database, &package.owner);
        let (same, others) = futures_util::try_join!(same, others)?;
        if let Some(same) = same {
            return Ok(Decision::Leave(match is_used_up(&same)? {
                true => PutPackage::UsedUp,
                false => PutPackage::Known,
            }));
        }
        for there in &others {
            let reference = Reading(there).maybe_text("reference")?;
            if reference.is_some() && reference == package.reference.as_deref() {
                return Ok(Decision::Leave(PutPackage::ReferenceTaken));
            }
        }
        Ok(Decision::Write {
            steps: 1,
            writes: vec![database.put(PACKAGES, &id, fields(package))],
            then: PutPackage::Stored,
        })
    };
    turns.take(database, &turn(&package.owner), decide).await
}

/// Oldest first.
pub(super) async fn live(
    database: &Database,
    owner: &PublicKey,
    now_s: u64,
    max: usize,
) -> Result<Vec<Package>> {
    let mut live = Vec::new();
    for document in all_of(database, owner).await? {
        let reserved_at_s = Reading(&document).maybe_number("reserved_at")?;
        if reserved_at_s.is_none_or(|at_s| at_s.saturating_add(RESERVED_S_MAX) <= now_s) {
            live.push(read(&document)?);
        }
    }
    live.retain(|package| package.expires_at_s > now_s);
    live.sort_by_key(|package| (package.created_at_s, package.id));
    live.truncate(max);
    Ok(live)
}

pub(super) async fn reserve(
    database: &Database,
    turns: &Turns,
    owner: &PublicKey,
    max: usize,
    now_s: u64,
) -> Result<Vec<EventId>> {
    let max = max.min(database.batch_beside_a_turn());
    let decide = |_| async move {
        let mut given = live(database, owner, now_s, usize::MAX).await?;
        given.truncate(given.len().saturating_sub(1).min(max));
        if given.is_empty() {
            return Ok(Decision::Leave(Vec::new()));
        }
        let writes = given.iter().map(|package| {
            let reserved = fields(package)
                .flag("reserved", true)
                .number("reserved_at", now_s);
            database.put(PACKAGES, &package.id.to_hex(), reserved)
        });
        Ok(Decision::Write {
            steps: 1,
            writes: writes.collect(),
            then: given.iter().map(|package| package.id).collect(),
        })
    };
    turns.take(database, &turn(owner), decide).await
}

pub(super) async fn use_up(database: &Database, turns: &Turns, ids: &[EventId]) -> Result<usize> {
    let write = |id: &str, package: &Package| {
        let used_up = fields(package)
            .flag("reserved", true)
            .number("reserved_at", USED_UP_AT_S);
        database.put(PACKAGES, id, used_up)
    };
    change(database, turns, ids, &write).await
}

pub(super) async fn remove(database: &Database, turns: &Turns, ids: &[EventId]) -> Result<usize> {
    let write = |id: &str, _: &Package| database.remove(PACKAGES, id);
    change(database, turns, ids, &write).await
}

/// Writes those that are not used up; says how many they are.
async fn change(
    database: &Database,
    turns: &Turns,
    ids: &[EventId],
    write: &(dyn Fn(&str, &Package) -> Write + Sync),
) -> Result<usize> {
    let found = database
        .documents(PACKAGES, ids.iter().map(EventId::to_hex))
        .await?;
    let mut by_owner: BTreeMap<PublicKey, Vec<EventId>> = BTreeMap::new();
    for document in found.values() {
        let package = read(document)?;
        by_owner.entry(package.owner).or_default().push(package.id);
    }
    let mut removed = 0;
    for (owner, ids) in &by_owner {
        for some in ids.chunks(database.batch_beside_a_turn()) {
            let decide = |_| async move {
                let names = some.iter().map(EventId::to_hex);
                let there = database.documents(PACKAGES, names).await?;
                let mut writes = Vec::new();
                for (id, document) in &there {
                    if !is_used_up(document)? {
                        writes.push(write(id, &read(document)?));
                    }
                }
                let changed = writes.len();
                if changed == 0 {
                    return Ok(Decision::Leave(0));
                }
                Ok(Decision::Write {
                    steps: 1,
                    writes,
                    then: changed,
                })
            };
            removed += turns.take(database, &turn(owner), decide).await?;
        }
    }
    Ok(removed)
}

pub(super) async fn surplus(
    database: &Database,
    owner: &PublicKey,
    keep: usize,
    now_s: u64,
) -> Result<Vec<EventId>> {
    let mut live = live(database, owner, now_s, usize::MAX).await?;
    live.truncate(live.len().saturating_sub(keep));
    Ok(live.into_iter().map(|package| package.id).collect())
}

/// Documents of which the owners of a page are counted at a time.
const COUNTED_AT_ONCE: usize = 500;

pub(super) async fn stock(database: &Database, now_s: u64, page: Page<'_>) -> Result<Vec<Stock>> {
    let mut owners: Vec<Stock> = Vec::new();
    let mut after = page.after.unwrap_or_default().to_owned();
    while owners.len() < page.max {
        let question = Question::to(PACKAGES)
            .equal_flag("reserved", false)
            .after_text("owner", &after)
            .in_order_of(["owner"])
            .at_most_documents(COUNTED_AT_ONCE);
        let found = database.find(question).await?;
        let mut live: BTreeMap<PublicKey, u64> = BTreeMap::new();
        for document in &found {
            let package = read(document)?;
            *live.entry(package.owner).or_default() += u64::from(package.expires_at_s > now_s);
        }
        let is_all = found.len() < COUNTED_AT_ONCE;
        if !is_all && live.len() > 1 {
            // The last of them may have more.
            live.pop_last();
        } else if let (false, Some((owner, count))) = (is_all, live.iter_mut().next()) {
            let of_one = Question::to(PACKAGES)
                .equal("owner", owner.to_hex())
                .equal_flag("reserved", false)
                .above("expires_at", now_s);
            (*count, _) = database.count(of_one, None).await?;
        }
        let Some((last, _)) = live.last_key_value() else {
            break;
        };
        after = last.to_hex();
        let with_some = live.into_iter().filter(|(_, live)| *live > 0);
        owners.extend(with_some.map(|(owner, live)| Stock { owner, live }));
        if is_all {
            break;
        }
    }
    owners.truncate(page.max);
    Ok(owners)
}

async fn all_of(database: &Database, owner: &PublicKey) -> Result<Vec<Document>> {
    let question = Question::to(PACKAGES).equal("owner", owner.to_hex());
    database.find(question).await
}

fn turn(owner: &PublicKey) -> String {
    format!("keypackages {}", owner.to_hex())
}

pub(super) async fn is_known_as_used_up(
    database: &Database,
    id: &EventId,
    owner: &PublicKey,
) -> Result<bool> {
    let Some(package) = database.document(PACKAGES, &id.to_hex()).await? else {
        return Ok(false);
    };
    Ok(Reading(&package).key("owner")? == *owner && is_used_up(&package)?)
}

fn is_used_up(document: &Document) -> Result<bool> {
    let reserved_at_s = Reading(document).maybe_number("reserved_at")?;
    Ok(reserved_at_s == Some(USED_UP_AT_S))
}

fn fields(package: &Package) -> Fields {
    Fields::default()
        .text("id", package.id.to_hex())
        .text("owner", package.owner.to_hex())
        .maybe_text("reference", package.reference.as_deref())
        .maybe_text("ciphersuite", package.ciphersuite.as_deref())
        .number("created_at", package.created_at_s)
        .number("expires_at", package.expires_at_s)
        .flag("reserved", false)
        .maybe_number("reserved_at", None)
}

fn read(document: &Document) -> Result<Package> {
    let package = Reading(document);
    Ok(Package {
        id: package.event_id("id")?,
        owner: package.key("owner")?,
        reference: package.maybe_text("reference")?.map(str::to_owned),
        ciphersuite: package.maybe_text("ciphersuite")?.map(str::to_owned),
        created_at_s: package.number("created_at")?,
        expires_at_s: package.number("expires_at")?,
    })
}
