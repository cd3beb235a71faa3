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
    let letter = |collection: &'static str| {
        move |document: &Document| {
            let mut writes = vec![database.remove(collection, Reading(document).id())];
            letters::remove_parts(database, document, &mut writes)?;
            Ok(writes)
        }
    };
    let package = |document: &Document| Ok(vec![database.remove(PACKAGES, Reading(document).id())]);
    let event = |document: &Document| archive::removal(database, document);
    let boxes = [KEY_PACKAGE_LETTERS, WELCOMES];
    Ok(Pruned {
        key_package_letters: sweep(database, expired(boxes[0]), max, letter(boxes[0])).await?,
        welcome_letters: sweep(database, expired(boxes[1]), max, letter(boxes[1])).await?,
        packages: sweep(database, expired(PACKAGES), max, package).await?,
        archived: sweep(database, old, max, event).await?,
    })
}

/// Removes some of what the question finds; says how many documents.
async fn sweep(
    database: &Database,
    question: Question,
    max: usize,
    removal: impl Fn(&Document) -> Result<Vec<Write>>,
) -> Result<u64> {
    let found = database.find(question.at_most_documents(max)).await?;
    let removals: Result<Vec<Vec<Write>>> = found.iter().map(removal).collect();
    database.commit_pieces(removals?).await?;
    Ok(found.len() as u64)
}
