//! The gateway's own data: groups, rosters, stock of KeyPackages, mailboxes, the archive.
//!
//! Invariant: every method is one transaction, whole or not at all, and right while other instances of the relay write to
//! the same database. Nothing in here decides: what may be written was decided before, and a write that was decided on old
//! data is refused by its revision. Contents are opaque.
//!
//! `sqlite`, `postgres` and `firestore` are three ways to keep the same promises; `conformance` shows that they do.

mod columns;
#[cfg(test)]
mod conformance;
mod error;
pub(crate) mod examination;
mod failure;
#[cfg(feature = "firestore")]
mod firestore;
mod postgres;
mod rows;
mod sqlite;

pub(crate) use error::StorageError;
pub(crate) use rows::{
    ArchiveQuery, Archived, BoxLoad, Group, Letter, LetterBox, Package, Page, Pruned, PutPackage,
    PutRoster, Seen, Stock, VersionedRoster,
};

use crate::config::{Database, Settings};
use crate::roster::Roster;
use async_trait::async_trait;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trellis_relay::event::{EventId, PublicKey};

/// Seconds after which a reservation of a KeyPackage that did not end with its use is void.
const RESERVED_S_MAX: u64 = 300;
/// When packages that are used up were reserved: later than all time, so that it never becomes void.
const USED_UP_AT_S: u64 = 253_402_300_799;

/// What a call comes to.
pub(crate) type Result<T> = std::result::Result<T, StorageError>;

/// Opens the database that the settings name, and brings its tables up to date.
pub(crate) async fn open(settings: &Settings) -> Result<Arc<dyn Storage>> {
    match &settings.database {
        Database::Sqlite { url } => {
            let storage = sqlite::SqliteStorage::open(url, settings.max_connections).await?;
            Ok(Arc::new(storage))
        }
        Database::Postgres { url } => {
            let storage = postgres::PostgresStorage::open(url, settings.max_connections).await?;
            Ok(Arc::new(storage))
        }
        #[cfg(feature = "firestore")]
        Database::Firestore {
            project_id,
            batch_size,
        } => {
            let storage = firestore::FirestoreStorage::open(project_id, *batch_size).await?;
            Ok(Arc::new(storage))
        }
        #[cfg(not(feature = "firestore"))]
        Database::Firestore { .. } => Err(StorageError::NotBuilt(
            "Firestore (feature `mls_gateway_firestore`)",
        )),
    }
}

/// A place for the gateway's data. Seconds are since 1970, by the relay's clock, which the caller gives; ids of groups and of
/// letters are text of at most 256 bytes, with any characters. Numbers above 2^63 - 1 may be kept as that.
#[async_trait]
pub(crate) trait Storage: fmt::Debug + Send + Sync + 'static {
    // Groups. A group is known once it has a roster, or once a message of it was seen.

    /// What is known of a group.
    async fn group(&self, group_id: &str) -> Result<Option<Group>>;

    /// Groups by id, from after `after` on; only those that `member` belongs to, if it is given.
    async fn groups(&self, member: Option<&PublicKey>, page: Page<'_>) -> Result<Vec<Group>>;

    /// Sets the words about a group, and makes it known. `None` leaves what is there.
    async fn describe_group(
        &self,
        group_id: &str,
        display_name: Option<&str>,
        avatar_url: Option<&str>,
        now_s: u64,
    ) -> Result<()>;

    /// Notes messages that were stored: epoch and time only rise.
    async fn note_messages(&self, seen: &[Seen], now_s: u64) -> Result<()>;

    /// Writes a group as it was elsewhere: all of its fields but the count of members, and the owner unless there is a
    /// roster, which knows better. Epoch and time only rise.
    async fn import_group(&self, group: &Group) -> Result<()>;

    // Rosters.

    /// The rosters of these groups; those without one are left out.
    async fn rosters(&self, group_ids: &[String]) -> Result<Vec<(String, VersionedRoster)>>;

    /// Groups with a roster in which this key is.
    async fn groups_of(&self, pubkey: &PublicKey) -> Result<Vec<String>>;

    /// Writes a roster in the place of the one with the revision `replaces`, or where there is none (`None`).
    async fn put_roster(
        &self,
        group_id: &str,
        roster: &Roster,
        replaces: Option<u64>,
        now_s: u64,
    ) -> Result<PutRoster>;

    /// Groups whose roster was written after `cursor`, and the cursor to go on with. May name a group again, never misses
    /// one that another instance wrote. Gives at most `max` groups; a cursor of 0 begins with the oldest.
    async fn roster_changes(&self, cursor: u64, max: usize) -> Result<(Vec<String>, u64)>;

    /// The cursor at which [`Storage::roster_changes`] has nothing to tell.
    async fn roster_cursor(&self) -> Result<u64>;

    // Stock of KeyPackages: what is known of the events 443, which are in the relay's store. Live are those that are
    // reserved for nobody and expire after `now_s`. A reservation that is `RESERVED_S_MAX` old counts for nothing, except that
    // `stock` may leave the package out: whoever made it is gone.

    /// Takes one into stock. One that has expired, or is reserved, is known and has its reference until it is removed.
    async fn put_package(&self, package: &Package) -> Result<PutPackage>;

    /// The live ones of an owner, oldest first.
    async fn packages(&self, owner: &PublicKey, now_s: u64, max: usize) -> Result<Vec<Package>>;

    /// Reserves the oldest live ones of an owner for one reader, at most `max`, and never the last live one. Whoever asks at
    /// the same time gets others.
    async fn reserve_packages(
        &self,
        owner: &PublicKey,
        max: usize,
        now_s: u64,
    ) -> Result<Vec<EventId>>;

    /// Has some count as used up until they expire; says how many were not yet. Such a package is not live, keeps its
    /// reference, and is not taken into stock again.
    async fn use_up_packages(&self, ids: &[EventId]) -> Result<usize>;

    /// Whether this one of this owner is known and used up.
    async fn is_used_up(&self, id: &EventId, owner: &PublicKey) -> Result<bool>;

    /// Forgets some, reserved or not, but none that is used up; says how many there were.
    async fn remove_packages(&self, ids: &[EventId]) -> Result<usize>;

    /// The oldest live ones of an owner beyond the `keep` newest, oldest first.
    async fn surplus_packages(
        &self,
        owner: &PublicKey,
        keep: usize,
        now_s: u64,
    ) -> Result<Vec<EventId>>;

    /// How many live ones owners have, by owner, from after `after` (64 hex digits) on; who has none is left out.
    async fn stock(&self, now_s: u64, page: Page<'_>) -> Result<Vec<Stock>>;

    // Mailboxes. Live are letters that were not acknowledged and expire after `now_s`.

    /// Puts a letter into a box. A letter that is there already, acknowledged or not, stays as it is: false.
    async fn deposit(&self, letter_box: LetterBox, letter: &Letter) -> Result<bool>;

    /// How much lies in a recipient's box, and how much of that is one sender's. Letters that were acknowledged or have
    /// expired do not count.
    async fn box_load(
        &self,
        letter_box: LetterBox,
        recipient: &PublicKey,
        sender: &PublicKey,
        now_s: u64,
    ) -> Result<BoxLoad>;

    /// Live letters of a recipient, oldest first, which counts as picked up from `now_s` on unless it was before. A
    /// picked-up letter stays.
    async fn pick_up(
        &self,
        letter_box: LetterBox,
        recipient: &PublicKey,
        max: usize,
        now_s: u64,
    ) -> Result<Vec<Letter>>;

    /// One letter, acknowledged or not.
    async fn letter(&self, letter_box: LetterBox, id: &str) -> Result<Option<Letter>>;

    /// Takes a letter's content, tree and tags out of a box and remembers until its end that, and first when, it was
    /// acknowledged. False if it is not there.
    async fn acknowledge(&self, letter_box: LetterBox, id: &str, now_s: u64) -> Result<bool>;

    /// All letters of a box by id, from after `after` on, acknowledged ones left out and expired ones not.
    async fn letters(&self, letter_box: LetterBox, page: Page<'_>) -> Result<Vec<Letter>>;

    // The archive.

    /// Takes events into the archive and gives them rising positions; those that are there are left as they are. Says how
    /// many are new. Who has read up to a position finds all that is archived later after it.
    async fn archive(&self, events: &[Archived]) -> Result<usize>;

    /// Archived events that fit, by position.
    async fn archived(&self, query: &ArchiveQuery<'_>) -> Result<Vec<Archived>>;

    /// Removes events from the archive; says how many there were.
    async fn forget(&self, ids: &[EventId]) -> Result<usize>;

    /// Removes those of the events over which the key beside them has power, as their author or as the recipient of a gift
    /// wrap; says how many there were.
    async fn forget_for(&self, wishes: &[(EventId, PublicKey)]) -> Result<usize>;

    /// Removes the events of an author, and the gift wraps to them, dated up to `until_s`; says how many there were.
    async fn forget_all_of(&self, pubkey: &PublicKey, until_s: u64) -> Result<usize>;

    // Sweeping.

    /// Removes what has expired: letters and packages at `now_s`, whatever their state, and events archived before
    /// `archived_before_s`. At most `max` of each; call again while something was removed. Letters that had been
    /// acknowledged are told apart from those that expired unread.
    async fn prune(&self, now_s: u64, archived_before_s: u64, max: usize) -> Result<Pruned>;

    /// Forgets groups without a roster of which nobody has said anything since `before_s` but messages before that: at most
    /// `max`. Says how many; a database that keeps them says none.
    async fn prune_groups(&self, _before_s: u64, _max: usize) -> Result<u64> {
        Ok(0)
    }

    // Backups.

    /// Writes a copy to a file that is not there, of one moment, while others go on writing: where the database is, so that
    /// the copy can be put there. None of a database that is no file of this machine: it has backups of its own.
    async fn back_up(&self, _to: &Path) -> Result<Option<PathBuf>> {
        Ok(None)
    }

    /// Whether this database is such a copy, in the place of what it was made of, and [`Storage::end_copy`] was not called
    /// since.
    async fn is_copy(&self) -> Result<bool> {
        Ok(false)
    }

    /// It is up to date, and no copy any more.
    async fn end_copy(&self) -> Result<()> {
        Ok(())
    }

    /// Whether the database answers.
    async fn ping(&self) -> Result<()>;
}
