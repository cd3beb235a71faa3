//! The gateway's data in PostgreSQL, which any number of relays may share.
//!
//! Invariant: what is written upon something that was read is written where that is locked: a roster and the archive by
//! their counters, KeyPackages by the rows of their owner. A transaction that the server gives up, since two wait for each
//! other, is tried again, a few times.

mod address;
mod archive;
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
    PutRoster, Result, Seen, Stock, Storage, VersionedRoster,
};
use crate::roster::Roster;
use crate::watch;
use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Executor};
use std::time::Duration;
use trellis_relay::config::Secret;
use trellis_relay::event::{EventId, PublicKey};

/// A database of a PostgreSQL server.
#[derive(Debug)]
pub(crate) struct PostgresStorage {
    pool: PgPool,
}

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// For how long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a transaction is tried that the server gives up.
const ATTEMPTS: u32 = 6;

/// What the gateway counts on, whatever the server's own settings are; and a relay that hangs must not hold locks for long.
const SESSION: &str = "SET default_transaction_isolation = 'read committed'; \
                       SET statement_timeout = '30s'; \
                       SET idle_in_transaction_session_timeout = '30s'";

impl PostgresStorage {
    /// Connects to the database and brings its tables up to date.
    pub(crate) async fn open(url: &Secret, max_connections: u32) -> Result<Self> {
        let options = address::options(url).map_err(connecting)?;
        let pool = PgPoolOptions::new()
            .max_connections(max_connections.max(1))
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SESSION).await.map(drop) })
            })
            .connect_with(options.disable_statement_logging())
            .await
            .map_err(connecting)?;
        MIGRATIONS.run(&pool).await.map_err(connecting)?;
        Ok(PostgresStorage { pool })
    }

    /// Times an operation, tries it again where the server gave it up, and says what it failed of.
    async fn run<T, F>(&self, operation: &'static str, work: impl Fn() -> F + Send) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>> + Send,
    {
        let attempts = async {
            let mut attempt = 1;
            loop {
                match work().await {
                    Err(error) if attempt < ATTEMPTS && was_given_up(&error) => {
                        tokio::time::sleep(Duration::from_millis(1 << (2 * attempt))).await;
                        attempt += 1;
                    }
                    result => return result,
                }
            }
        };
        watch::database(operation, attempts)
            .await
            .map_err(|error| operating(operation, &error))
    }
}

/// Whether nothing is wrong with a transaction but that others ran beside it.
fn was_given_up(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    // serialization_failure, deadlock_detected
    code.is_some_and(|code| ["40001", "40P01"].contains(&&*code))
}

#[async_trait]
impl Storage for PostgresStorage {
    async fn group(&self, group_id: &str) -> Result<Option<Group>> {
        self.run("group", || groups::one(&self.pool, group_id))
            .await
    }

    async fn groups(&self, member: Option<&PublicKey>, page: Page<'_>) -> Result<Vec<Group>> {
        self.run("groups", || groups::page(&self.pool, member, page))
            .await
    }

    async fn describe_group(
        &self,
        group_id: &str,
        display_name: Option<&str>,
        avatar_url: Option<&str>,
        now_s: u64,
    ) -> Result<()> {
        let work = || groups::describe(&self.pool, group_id, display_name, avatar_url, now_s);
        self.run("describe_group", work).await
    }

    async fn note_messages(&self, seen: &[Seen], now_s: u64) -> Result<()> {
        self.run("note_messages", || groups::note(&self.pool, seen, now_s))
            .await
    }

    async fn import_group(&self, group: &Group) -> Result<()> {
        self.run("import_group", || groups::import(&self.pool, group))
            .await
    }

    async fn rosters(&self, group_ids: &[String]) -> Result<Vec<(String, VersionedRoster)>> {
        self.run("rosters", || rosters::of_groups(&self.pool, group_ids))
            .await
    }

    async fn groups_of(&self, pubkey: &PublicKey) -> Result<Vec<String>> {
        self.run("groups_of", || rosters::with_member(&self.pool, pubkey))
            .await
    }

    async fn put_roster(
        &self,
        group_id: &str,
        roster: &Roster,
        replaces: Option<u64>,
        now_s: u64,
    ) -> Result<PutRoster> {
        let work = || rosters::put(&self.pool, group_id, roster, replaces, now_s);
        self.run("put_roster", work).await
    }

    async fn roster_changes(&self, cursor: u64, max: usize) -> Result<(Vec<String>, u64)> {
        self.run("roster_changes", || {
            rosters::changes(&self.pool, cursor, max)
        })
        .await
    }

    async fn roster_cursor(&self) -> Result<u64> {
        self.run("roster_cursor", || rosters::cursor(&self.pool))
            .await
    }

    async fn put_package(&self, package: &Package) -> Result<PutPackage> {
        self.run("put_package", || packages::put(&self.pool, package))
            .await
    }

    async fn packages(&self, owner: &PublicKey, now_s: u64, max: usize) -> Result<Vec<Package>> {
        self.run("packages", || packages::live(&self.pool, owner, now_s, max))
            .await
    }

    async fn reserve_packages(
        &self,
        owner: &PublicKey,
        max: usize,
        now_s: u64,
    ) -> Result<Vec<EventId>> {
        let work = || packages::reserve(&self.pool, owner, max, now_s);
        self.run("reserve_packages", work).await
    }

    async fn use_up_packages(&self, ids: &[EventId]) -> Result<usize> {
        self.run("use_up_packages", || packages::use_up(&self.pool, ids))
            .await
    }

    async fn is_used_up(&self, id: &EventId, owner: &PublicKey) -> Result<bool> {
        self.run("is_used_up", || packages::is_used_up(&self.pool, id, owner))
            .await
    }

    async fn remove_packages(&self, ids: &[EventId]) -> Result<usize> {
        self.run("remove_packages", || packages::remove(&self.pool, ids))
            .await
    }

    async fn surplus_packages(
        &self,
        owner: &PublicKey,
        keep: usize,
        now_s: u64,
    ) -> Result<Vec<EventId>> {
        let work = || packages::surplus(&self.pool, owner, keep, now_s);
        self.run("surplus_packages", work).await
    }

    async fn stock(&self, now_s: u64, page: Page<'_>) -> Result<Vec<Stock>> {
        self.run("stock", || packages::stock(&self.pool, now_s, page))
            .await
    }

    async fn deposit(&self, letter_box: LetterBox, letter: &Letter) -> Result<bool> {
        self.run("deposit", || {
            letters::deposit(&self.pool, letter_box, letter)
        })
        .await
    }

    async fn box_load(
        &self,
        letter_box: LetterBox,
        recipient: &PublicKey,
        sender: &PublicKey,
        now_s: u64,
    ) -> Result<BoxLoad> {
        let work = || letters::load(&self.pool, letter_box, recipient, sender, now_s);
        self.run("box_load", work).await
    }

    async fn pick_up(
        &self,
        letter_box: LetterBox,
        recipient: &PublicKey,
        max: usize,
        now_s: u64,
    ) -> Result<Vec<Letter>> {
        let work = || letters::pick_up(&self.pool, letter_box, recipient, max, now_s);
        self.run("pick_up", work).await
    }

    async fn letter(&self, letter_box: LetterBox, id: &str) -> Result<Option<Letter>> {
        self.run("letter", || letters::one(&self.pool, letter_box, id))
            .await
    }

    async fn acknowledge(&self, letter_box: LetterBox, id: &str, now_s: u64) -> Result<bool> {
        let work = || letters::acknowledge(&self.pool, letter_box, id, now_s);
        self.run("acknowledge", work).await
    }

    async fn letters(&self, letter_box: LetterBox, page: Page<'_>) -> Result<Vec<Letter>> {
        self.run("letters", || letters::page(&self.pool, letter_box, page))
            .await
    }

    async fn archive(&self, events: &[Archived]) -> Result<usize> {
        self.run("archive", || archive::put(&self.pool, events))
            .await
    }

    async fn archived(&self, query: &ArchiveQuery<'_>) -> Result<Vec<Archived>> {
        self.run("archived", || archive::page(&self.pool, query))
            .await
    }

    async fn forget(&self, ids: &[EventId]) -> Result<usize> {
        self.run("forget", || archive::forget(&self.pool, ids))
            .await
    }

    async fn forget_for(&self, wishes: &[(EventId, PublicKey)]) -> Result<usize> {
        let work = || archive::forget_for(&self.pool, wishes);
        self.run("forget_for", work).await
    }

    async fn forget_all_of(&self, pubkey: &PublicKey, until_s: u64) -> Result<usize> {
        let work = || archive::forget_all_of(&self.pool, pubkey, until_s);
        self.run("forget_all_of", work).await
    }

    async fn prune_groups(&self, before_s: u64, max: usize) -> Result<u64> {
        let work = || prune::groups(&self.pool, before_s, max);
        self.run("prune_groups", work).await
    }

    async fn prune(&self, now_s: u64, archived_before_s: u64, max: usize) -> Result<Pruned> {
        let work = || prune::prune(&self.pool, now_s, archived_before_s, max);
        self.run("prune", work).await
    }

    async fn ping(&self) -> Result<()> {
        let work = || async { self.pool.execute("SELECT 1").await.map(drop) };
        self.run("ping", work).await
    }
}

#[cfg(test)]
mod tests;
