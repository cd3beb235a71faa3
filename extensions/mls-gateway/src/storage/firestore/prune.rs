//! Removes what has expired. Nothing that is live is touched, so no turn is needed. Of a document, which may have a mebibyte,
//! only that is fetched which its removal needs.

use super::database::Database;
use super::document::Reading;
use super::failure::Result;
use super::question::Question;
use super::{ARCHIVE, KEY_PACKAGE_LETTERS, PACKAGES, WELCOMES, archive, letters};
use crate::storage::Pruned;
use gcloud_sdk::google::firestore::v1::{Document, Write};

pub(super) async fn prune(
    database: &Database,
    now_s: u64,
    archived_before_s: u64,
    max: usize,
) -> Result<Pruned> {
    let packages = expired(PACKAGES, now_s).giving(["id"]);
    let package = |document: &Document| Ok(vec![database.remove(PACKAGES, Reading(document).id())]);
    let old = Question::to(ARCHIVE).below("archived_at", archived_before_s);
    let old = old.giving([archive::FIELD_OF_PARTS]);
    let event = |document: &Document| archive::removal(database, document);
    let key_package_letters = sweep_letters(database, KEY_PACKAGE_LETTERS, now_s, max).await?;
    let welcome_letters = sweep_letters(database, WELCOMES, now_s, max).await?;
    Ok(Pruned {
        key_package_letters: key_package_letters.0,
        welcome_letters: welcome_letters.0,
        acknowledged_letters: key_package_letters.1 + welcome_letters.1,
        packages: sweep(database, packages, max, package).await?.len() as u64,
        archived: sweep(database, old, max, event).await?.len() as u64,
    })
}

fn expired(collection: &'static str, now_s: u64) -> Question {
    Question::to(collection).at_most("expires_at", now_s)
}

/// How many of the removed were not acknowledged, and how many were.
async fn sweep_letters(
    database: &Database,
    collection: &'static str,
    now_s: u64,
    max: usize,
) -> Result<(u64, u64)> {
    let fields = letters::FIELDS_OF_PARTS.into_iter();
    let question = expired(collection, now_s).giving(fields.chain([letters::ACKNOWLEDGED]));
    let removal = |document: &Document| {
        let mut writes = vec![database.remove(collection, Reading(document).id())];
        letters::remove_parts(database, document, &mut writes)?;
        Ok(writes)
    };
    let removed = sweep(database, question, max, removal).await?;
    let mut acknowledged = 0;
    for letter in &removed {
        acknowledged += u64::from(Reading(letter).flag(letters::ACKNOWLEDGED)?);
    }
    Ok((removed.len() as u64 - acknowledged, acknowledged))
}

/// Removes some of what the question finds, and says what.
async fn sweep(
    database: &Database,
    question: Question,
    max: usize,
    removal: impl Fn(&Document) -> Result<Vec<Write>>,
) -> Result<Vec<Document>> {
    let found = database.find(question.at_most_documents(max)).await?;
    let removals: Result<Vec<Vec<Write>>> = found.iter().map(removal).collect();
    database.commit_pieces(removals?).await?;
    Ok(found)
}
