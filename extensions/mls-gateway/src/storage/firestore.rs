//! The gateway's data in Google's Firestore, which relays anywhere may share.
//!
//! Invariant: nothing depends on clocks, and nothing on more of a server than what every one of them has: documents by name,
//! queries, commits, and the condition that a document exists. What is decided on what was read is decided under a turn
//! (`turns`). A call that does not fit one commit is several, each of which may stand alone and be repeated.
//!
//! Who may do what in the database is the affair of Google's project: the relay's account has rights there, and
//! `firestore.rules` gives none to anybody else. The composite indexes in `firestore.indexes.json` have to be there.

mod access;
mod archive;
mod database;
mod document;
mod failure;
mod groups;
#[cfg(test)]
mod indexes;
mod letters;
mod long_text;
mod packages;
mod pause;
mod prune;
mod question;
mod rosters;
#[cfg(test)]
mod tests;
mod turns;

use super::{
    ArchiveQuery, Archived, BoxLoad, Group, Letter, LetterBox, Package, Page, Pruned, PutPackage,
    PutRoster, Result, Seen, Stock, Storage, StorageError, VersionedRoster,
};
use crate::roster::Roster;
use crate::watch;
use async_trait::async_trait;
use database::Database;
use failure::Failure;
use std::future::Future;
use std::time::Duration;
use trellis_relay::event::{EventId, PublicKey};
use turns::Turns;

const GROUPS: &str = "mls_groups";
const ROSTERS: &str = "mls_rosters";
const PACKAGES: &str = "keypackages";
const KEY_PACKAGE_LETTERS: &str = "mls_keypackage_letters";
const WELCOMES: &str = "mls_welcomes";
const ARCHIVE: &str = "archived_events";
const PARTS: &str = "mls_parts";
const TURNS: &str = "mls_turns";

/// For how long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Firestore database.
#[derive(Debug)]
pub(crate) struct FirestoreStorage {
    database: Database,
    turns: Turns,
}

impl FirestoreStorage {
    /// Connects to the project's default database, or to the emulator that `FIRESTORE_EMULATOR_HOST` names. A commit has at
    /// most `batch_size` writes, but for those that have to stand together.
    pub(crate) async fn open(project_id: &str, batch_size: usize) -> Result<Self> {
        let emulator = std::env::var("FIRESTORE_EMULATOR_HOST").ok();
        let emulator = emulator.filter(|host| !host.is_empty());
        Self::connect(project_id, batch_size, emulator.as_deref()).await
    }

    async fn connect(project_id: &str, batch_size: usize, emulator: Option<&str>) -> Result<Self> {
        let connecting = tokio::time::timeout(PATIENCE, access::client(project_id, emulator));
        let client = match connecting.await {
            Ok(client) => client.map_err(|failure| StorageError::Connect(failure.to_string()))?,
            Err(_) => return Err(StorageError::Connect(Failure::TimedOut.to_string())),
        };
        let storage = FirestoreStorage {
            database: Database { client, batch_size },
            turns: Turns::default(),
        };
        match storage.ping().await {
            Ok(()) => Ok(storage),
            Err(StorageError::Unavailable { source, .. }) => {
                Err(StorageError::Connect(source.to_string()))
            }
            Err(error) => Err(error),
        }
    }
}

/// Takes the time of an operation and ends it when it takes too long.
async fn timed<T>(
    operation: &'static str,
    work: impl Future<Output = failure::Result<T>>,
) -> Result<T> {
    let work = tokio::time::timeout(PATIENCE, work);
    let failure = match watch::database(operation, work).await {
        Ok(Ok(result)) => return Ok(result),
        Ok(Err(Failure::Corrupt(what))) => return Err(StorageError::Corrupt(what)),
        Ok(Err(failure)) if failure.is_of_document() => {
            return Err(StorageError::Refused {
                operation,
                source: Box::new(failure),
            });
        }
        Ok(Err(failure)) => failure,
        Err(_) => Failure::TimedOut,
    };
    Err(StorageError::Unavailable {
        operation,
        source: Box::new(failure),
    })
}

#[async_trait]
impl Storage for FirestoreStorage {
    async fn group(&self, group_id: &str) -> Result<Option<Group>> {
        timed("group", groups::one(&self.database, group_id)).await
    }

    async fn groups(&self, member: Option<&PublicKey>, page: Page<'_>) -> Result<Vec<Group>> {
        timed("groups", groups::page(&self.database, member, page)).await
    }

    async fn describe_group(
        &self,
        group_id: &str,
        display_name: Option<&str>,
        avatar_url: Option<&str>,
        now_s: u64,
    ) -> Result<()> {
        let words = [display_name, avatar_url];
        let work = groups::describe(&self.database, &self.turns, group_id, words, now_s);
        timed("describe_group", work).await
    }

    async fn note_messages(&self, seen: &[Seen], now_s: u64) -> Result<()> {
        let work = groups::note(&self.database, &self.turns, seen, now_s);
        timed("note_messages", work).await
    }

    async fn import_group(&self, group: &Group) -> Result<()> {
        let work = groups::import(&self.database, &self.turns, group);
        timed("import_group", work).await
    }

    async fn rosters(&self, group_ids: &[String]) -> Result<Vec<(String, VersionedRoster)>> {
        timed("rosters", rosters::load(&self.database, group_ids)).await
    }

    async fn groups_of(&self, pubkey: &PublicKey) -> Result<Vec<String>> {
        timed("groups_of", rosters::groups_of(&self.database, pubkey)).await
    }

    async fn put_roster(
        &self,
        group_id: &str,
        roster: &Roster,
        replaces: Option<u64>,
        now_s: u64,
    ) -> Result<PutRoster> {
        let work = rosters::put(
            &self.database,
            &self.turns,
            group_id,
            roster,
            replaces,
            now_s,
        );
        timed("put_roster", work).await
    }

    async fn roster_changes(&self, cursor: u64, max: usize) -> Result<(Vec<String>, u64)> {
        let work = rosters::changes(&self.database, cursor, max);
        timed("roster_changes", work).await
    }

    async fn roster_cursor(&self) -> Result<u64> {
        timed("roster_cursor", rosters::cursor(&self.database)).await
    }

    async fn put_package(&self, package: &Package) -> Result<PutPackage> {
        let work = packages::put(&self.database, &self.turns, package);
        timed("put_package", work).await
    }

    async fn packages(&self, owner: &PublicKey, now_s: u64, max: usize) -> Result<Vec<Package>> {
        let work = packages::live(&self.database, owner, now_s, max);
        timed("packages", work).await
    }

    async fn reserve_packages(
        &self,
        owner: &PublicKey,
        max: usize,
        now_s: u64,
    ) -> Result<Vec<EventId>> {
        let work = packages::reserve(&self.database, &self.turns, owner, max, now_s);
        timed("reserve_packages", work).await
    }

    async fn use_up_packages(&self, ids: &[EventId]) -> Result<usize> {
        let work = packages::use_up(&self.database, &self.turns, ids);
        timed("use_up_packages", work).await
    }

    async fn is_used_up(&self, id: &EventId, owner: &PublicKey) -> Result<bool> {
        let work = packages::is_known_as_used_up(&self.database, id, owner);
        timed("is_used_up", work).await
    }

    async fn remove_packages(&self, ids: &[EventId]) -> Result<usize> {
        let work = packages::remove(&self.database, &self.turns, ids);
        timed("remove_packages", work).await
    }

    async fn surplus_packages(
        &self,
        owner: &PublicKey,
        keep: usize,
        now_s: u64,
    ) -> Result<Vec<EventId>> {
        let work = packages::surplus(&self.database, owner, keep, now_s);
        timed("surplus_packages", work).await
    }

    async fn stock(&self, now_s: u64, page: Page<'_>) -> Result<Vec<Stock>> {
        timed("stock", packages::stock(&self.database, now_s, page)).await
    }

    async fn deposit(&self, letter_box: LetterBox, letter: &Letter) -> Result<bool> {
        let work = letters::deposit(&self.database, letter_box, letter);
        timed("deposit", work).await
    }

    async fn box_load(
        &self,
        letter_box: LetterBox,
        recipient: &PublicKey,
        sender: &PublicKey,
        now_s: u64,
    ) -> Result<BoxLoad> {
        let work = letters::load(&self.database, letter_box, recipient, sender, now_s);
        timed("box_load", work).await
    }

    async fn pick_up(
        &self,
        letter_box: LetterBox,
        recipient: &PublicKey,
        max: usize,
        now_s: u64,
    ) -> Result<Vec<Letter>> {
        let work = letters::pick_up(&self.database, letter_box, recipient, max, now_s);
        timed("pick_up", work).await
    }

    async fn letter(&self, letter_box: LetterBox, id: &str) -> Result<Option<Letter>> {
        timed("letter", letters::one(&self.database, letter_box, id)).await
    }

    async fn acknowledge(&self, letter_box: LetterBox, id: &str, now_s: u64) -> Result<bool> {
        let work = letters::acknowledge(&self.database, letter_box, id, now_s);
        timed("acknowledge", work).await
    }

    async fn letters(&self, letter_box: LetterBox, page: Page<'_>) -> Result<Vec<Letter>> {
        let work = letters::page(&self.database, letter_box, page);
        timed("letters", work).await
    }

    async fn archive(&self, events: &[Archived]) -> Result<usize> {
        let work = archive::put(&self.database, &self.turns, events);
        timed("archive", work).await
    }

    async fn archived(&self, query: &ArchiveQuery<'_>) -> Result<Vec<Archived>> {
        timed("archived", archive::page(&self.database, query)).await
    }

    async fn forget(&self, ids: &[EventId]) -> Result<usize> {
        timed("forget", archive::forget(&self.database, ids)).await
    }

    async fn forget_for(&self, wishes: &[(EventId, PublicKey)]) -> Result<usize> {
        let work = archive::forget_for(&self.database, wishes);
        timed("forget_for", work).await
    }

    async fn forget_all_of(&self, pubkey: &PublicKey, until_s: u64) -> Result<usize> {
        let work = archive::forget_all_of(&self.database, pubkey, until_s);
        timed("forget_all_of", work).await
    }

    async fn prune(&self, now_s: u64, archived_before_s: u64, max: usize) -> Result<Pruned> {
        let work = prune::prune(&self.database, now_s, archived_before_s, max);
        timed("prune", work).await
    }

    async fn ping(&self) -> Result<()> {
        let asked = async {
            self.database.document(TURNS, "ping").await?;
            Ok(())
        };
        timed("ping", asked).await
    }
}
