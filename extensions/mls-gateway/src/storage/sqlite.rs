//! The gateway's data in an SQLite file, which several relays of one machine may share.
//!
//! Invariant: whoever writes takes the database's write lock first (`BEGIN IMMEDIATE`), so that what a transaction reads
//! is what it writes upon. Writers of this process queue for one connection and not for the lock, where they would wait in
//! naps; readers never wait, since the file is in WAL mode.
//!
//! Every commit is on the disk when it returns (`synchronous = FULL`): in WAL mode that is one fsync, which a roster has
//! to be worth, and what comes often, messages seen and archived, comes in batches.

mod archive;
mod backup;
mod examination;
mod groups;
mod letters;
mod packages;
mod prune;
mod rosters;

pub(super) use examination::look;

use super::failure::{connecting, operating};
use super::{
    ArchiveQuery, Archived, BoxLoad, Group, Letter, LetterBox, Package, Page, Pruned, PutPackage,
    PutRoster, Result, Seen, Stock, Storage, StorageError, VersionedRoster,
};
use crate::roster::Roster;
use crate::watch;
use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Executor, Sqlite, Transaction};
use std::path::{Path, PathBuf, absolute};
use std::str::FromStr;
use std::time::{Duration, Instant};
use trellis_relay::config::Secret;
use trellis_relay::event::{EventId, PublicKey};

/// An SQLite file.
#[derive(Debug)]
pub(crate) struct SqliteStorage {
    /// One connection, for which writers queue.
    writer: SqlitePool,
    readers: SqlitePool,
    /// For connections that are neither's.
    options: SqliteConnectOptions,
}

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// For how long a connection or the lock of another process is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the log of writes is cut down to when it has grown.
const WAL_BYTES: &str = "67108864";
/// Pages that a large transaction changes stay in memory until it ends: 16 MiB.
const WRITER_CACHE_KIB: &str = "-16384";
/// Of a file that is made, in bytes: a message is about 1 KiB, and of small pages it dirties more. Older files have 4,096.
const PAGE_BYTES: u32 = 8_192;
/// So many pages are in the log before they are written to their places, most of which were changed several times by then:
/// 32 MiB, or half of that in an older file.
const CHECKPOINT_PAGES: &str = "4000";

impl SqliteStorage {
    /// Opens the file, which is made if it is not there, for this user alone.
    pub(crate) async fn open(url: &Secret, max_connections: u32) -> Result<Self> {
        let options = SqliteConnectOptions::from_str(url.reveal()).map_err(connecting)?;
        let made = trellis_sqlite_file::create(options.get_filename());
        made.map_err(|error| StorageError::Connect(error.kind().to_string()))?;
        let options = options
            .create_if_missing(false)
            .page_size(PAGE_BYTES)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            .pragma("journal_size_limit", WAL_BYTES)
            .disable_statement_logging();
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(PATIENCE)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writing = options
            .clone()
            .pragma("cache_size", WRITER_CACHE_KIB)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
        let writer = first_connection(pool().max_connections(1), &writing).await?;
        bring_up_to_date(&writer).await?;
        let readers = pool().max_connections(max_connections.max(1));
        Ok(SqliteStorage {
            writer,
            readers: readers.connect_lazy_with(options.clone()),
            options,
        })
    }

    /// Times an operation, and says what it failed of.
    async fn run<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = sqlx::Result<T>> + Send,
    ) -> Result<T> {
        watch::database(operation, work)
            .await
            .map_err(|error| operating(operation, &error))
    }
}

/// Opens the database. While another process puts a new file into WAL mode, SQLite refuses instead of waiting.
async fn first_connection(
    pool: SqlitePoolOptions,
    options: &SqliteConnectOptions,
) -> Result<SqlitePool> {
    let begun = Instant::now();
    loop {
        match pool.clone().connect_with(options.clone()).await {
            Ok(pool) => return Ok(pool),
            Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(connecting(error)),
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    // SQLITE_BUSY and its two finer forms.
    code.is_some_and(|code| ["5", "261", "517"].contains(&&*code))
}

/// Writes what the tables lack, as one transaction, for which whoever opens the same file waits.
async fn bring_up_to_date(writer: &SqlitePool) -> Result<()> {
    let mut transaction = begin(writer).await.map_err(connecting)?;
    let migrated = MIGRATIONS
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(connecting);
    migrated?;
    transaction.commit().await.map_err(connecting)
}

/// A transaction that may write.
async fn begin(writer: &SqlitePool) -> sqlx::Result<Transaction<'static, Sqlite>> {
    writer.begin_with("BEGIN IMMEDIATE").await
}

#[async_trait]
impl Storage for SqliteStorage {
    async fn group(&self, group_id: &str) -> Result<Option<Group>> {
        self.run("group", groups::one(&self.readers, group_id))
            .await
    }

    async fn groups(&self, member: Option<&PublicKey>, page: Page<'_>) -> Result<Vec<Group>> {
        self.run("groups", groups::page(&self.readers, member, page))
            .await
    }

    async fn describe_group(
        &self,
        group_id: &str,
        display_name: Option<&str>,
        avatar_url: Option<&str>,
        now_s: u64,
    ) -> Result<()> {
        let work = groups::describe(&self.writer, group_id, display_name, avatar_url, now_s);
        self.run("describe_group", work).await
    }

    async fn note_messages(&self, seen: &[Seen], now_s: u64) -> Result<()> {
        self.run("note_messages", groups::note(&self.writer, seen, now_s))
            .await
    }

    async fn import_group(&self, group: &Group) -> Result<()> {
        self.run("import_group", groups::import(&self.writer, group))
            .await
    }

    async fn rosters(&self, group_ids: &[String]) -> Result<Vec<(String, VersionedRoster)>> {
        self.run("rosters", rosters::of_groups(&self.readers, group_ids))
            .await
    }

    async fn groups_of(&self, pubkey: &PublicKey) -> Result<Vec<String>> {
        self.run("groups_of", rosters::with_member(&self.readers, pubkey))
            .await
    }

    async fn put_roster(
        &self,
        group_id: &str,
        roster: &Roster,
        replaces: Option<u64>,
        now_s: u64,
    ) -> Result<PutRoster> {
        let work = rosters::put(&self.writer, group_id, roster, replaces, now_s);
        self.run("put_roster", work).await
    }

    async fn roster_changes(&self, cursor: u64, max: usize) -> Result<(Vec<String>, u64)> {
        self.run(
            "roster_changes",
            rosters::changes(&self.readers, cursor, max),
        )
        .await
    }

    async fn roster_cursor(&self) -> Result<u64> {
        self.run("roster_cursor", rosters::cursor(&self.readers))
            .await
    }

    async fn put_package(&self, package: &Package) -> Result<PutPackage> {
        self.run("put_package", packages::put(&self.writer, package))
            .await
    }

    async fn packages(&self, owner: &PublicKey, now_s: u64, max: usize) -> Result<Vec<Package>> {
        self.run("packages", packages::live(&self.readers, owner, now_s, max))
            .await
    }

    async fn reserve_packages(
        &self,
        owner: &PublicKey,
        max: usize,
        now_s: u64,
    ) -> Result<Vec<EventId>> {
        let work = packages::reserve(&self.writer, owner, max, now_s);
        self.run("reserve_packages", work).await
    }

    async fn use_up_packages(&self, ids: &[EventId]) -> Result<usize> {
        self.run("use_up_packages", packages::use_up(&self.writer, ids))
            .await
    }

    async fn is_used_up(&self, id: &EventId, owner: &PublicKey) -> Result<bool> {
        self.run("is_used_up", packages::is_used_up(&self.readers, id, owner))
            .await
    }

    async fn remove_packages(&self, ids: &[EventId]) -> Result<usize> {
        self.run("remove_packages", packages::remove(&self.writer, ids))
            .await
    }

    async fn surplus_packages(
        &self,
        owner: &PublicKey,
        keep: usize,
        now_s: u64,
    ) -> Result<Vec<EventId>> {
        let work = packages::surplus(&self.readers, owner, keep, now_s);
        self.run("surplus_packages", work).await
    }

    async fn stock(&self, now_s: u64, page: Page<'_>) -> Result<Vec<Stock>> {
        self.run("stock", packages::stock(&self.readers, now_s, page))
            .await
    }

    async fn deposit(&self, letter_box: LetterBox, letter: &Letter) -> Result<bool> {
        self.run(
            "deposit",
            letters::deposit(&self.writer, letter_box, letter),
        )
        .await
    }

    async fn box_load(
        &self,
        letter_box: LetterBox,
        recipient: &PublicKey,
        sender: &PublicKey,
        now_s: u64,
    ) -> Result<BoxLoad> {
        let work = letters::load(&self.readers, letter_box, recipient, sender, now_s);
        self.run("box_load", work).await
    }

    async fn pick_up(
        &self,
        letter_box: LetterBox,
        recipient: &PublicKey,
        max: usize,
        now_s: u64,
    ) -> Result<Vec<Letter>> {
        let work = letters::pick_up(&self.writer, letter_box, recipient, max, now_s);
        self.run("pick_up", work).await
    }

    async fn letter(&self, letter_box: LetterBox, id: &str) -> Result<Option<Letter>> {
        self.run("letter", letters::one(&self.readers, letter_box, id))
            .await
    }

    async fn acknowledge(&self, letter_box: LetterBox, id: &str, now_s: u64) -> Result<bool> {
        let work = letters::acknowledge(&self.writer, letter_box, id, now_s);
        self.run("acknowledge", work).await
    }

    async fn letters(&self, letter_box: LetterBox, page: Page<'_>) -> Result<Vec<Letter>> {
        self.run("letters", letters::page(&self.readers, letter_box, page))
            .await
    }

    async fn archive(&self, events: &[Archived]) -> Result<usize> {
        self.run("archive", archive::put(&self.writer, events))
            .await
    }

    async fn archived(&self, query: &ArchiveQuery<'_>) -> Result<Vec<Archived>> {
        self.run("archived", archive::page(&self.readers, query))
            .await
    }

    async fn forget(&self, ids: &[EventId]) -> Result<usize> {
        self.run("forget", archive::forget(&self.writer, ids)).await
    }

    async fn forget_for(&self, wishes: &[(EventId, PublicKey)]) -> Result<usize> {
        let work = archive::forget_for(&self.writer, wishes);
        self.run("forget_for", work).await
    }

    async fn forget_all_of(&self, pubkey: &PublicKey, until_s: u64) -> Result<usize> {
        let work = archive::forget_all_of(&self.writer, pubkey, until_s);
        self.run("forget_all_of", work).await
    }

    async fn prune_groups(&self, before_s: u64, max: usize) -> Result<u64> {
        let work = prune::groups(&self.writer, before_s, max);
        self.run("prune_groups", work).await
    }

    async fn prune(&self, now_s: u64, archived_before_s: u64, max: usize) -> Result<Pruned> {
        let work = prune::prune(&self.writer, now_s, archived_before_s, max);
        self.run("prune", work).await
    }

    async fn back_up(&self, to: &Path) -> Result<Option<PathBuf>> {
        let file = self.options.get_filename();
        if !file.is_file() {
            // In memory.
            return Ok(None);
        }
        let place =
            absolute(file).map_err(|error| StorageError::Connect(error.kind().to_string()))?;
        watch::database("back_up", backup::copy(&self.options, to)).await?;
        Ok(Some(place))
    }

    async fn is_copy(&self) -> Result<bool> {
        let asked = trellis_sqlite_file::is_copy(&self.readers);
        self.run("is_copy", asked).await
    }

    async fn end_copy(&self) -> Result<()> {
        let ended = trellis_sqlite_file::end_copy(&self.writer);
        self.run("end_copy", ended).await
    }

    async fn ping(&self) -> Result<()> {
        let work = async { self.readers.execute("SELECT 1").await.map(drop) };
        self.run("ping", work).await
    }
}

#[cfg(test)]
mod process_tests;
#[cfg(test)]
mod tests;
