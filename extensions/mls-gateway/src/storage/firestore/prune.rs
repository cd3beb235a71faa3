//! Removes what has expired. Nothing that is live is touched, so no turn is needed.

use super::database::{Database, Question};
use super::document::Reading;
use super::failure::Result;
use super::{ARCHIVE, KEY_PACKAGE_LETTERS, PACKAGES, WELCOMES, archive, letters};
use crate::storage::Pruned;
use gcloud_sdk::google::firestore::v1::{Document, Write};

pub(super) async fn prune(
    database: &Database,
    now_s: u64,
    archived_before_s: u64,
    max: usize,
) -> Result<Pruned> {
    let expired = |collection| Question::to(collection).at_most("expires_at", now_s);
    let old = Question::to(ARCHIVE).below("archived_at", archived_before_s);
    let remove = |collection: &'static str| {
        move |document: &Document, writes: &mut Vec<Write>| {
            writes.push(database.remove(collection, Reading(document).id()));
            letters::remove_parts(database, document, writes)
        }
    };
    let remove_package = |document: &Document, writes: &mut Vec<Write>| {
        writes.push(database.remove(PACKAGES, Reading(document).id()));
        Ok(())
    };
    let remove_event =
        |document: &Document, writes: &mut Vec<Write>| archive::remove(database, document, writes);
    let boxes = [KEY_PACKAGE_LETTERS, WELCOMES];
    Ok(Pruned {
        key_package_letters: sweep(database, expired(boxes[0]), max, remove(boxes[0])).await?,
        welcome_letters: sweep(database, expired(boxes[1]), max, remove(boxes[1])).await?,
        packages: sweep(database, expired(PACKAGES), max, remove_package).await?,
        archived: sweep(database, old, max, remove_event).await?,
    })
}

/// Removes some of what the question finds; says how many documents.
async fn sweep(
    database: &Database,
    question: Question,
    max: usize,
    remove: impl Fn(&Document, &mut Vec<Write>) -> Result<()>,
) -> Result<u64> {
    let found = database.find(question.at_most_documents(max)).await?;
    let mut writes = Vec::new();
    for document in &found {
        remove(document, &mut writes)?;
    }
    database.commit_all(writes).await?;
    Ok(found.len() as u64)
}
