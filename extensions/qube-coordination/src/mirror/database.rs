//! The way to whichever host of the database writes at the moment.
//!
//! Invariant: one pool at a time, to one host. Whatever fails, the next work begins anew with the first host that takes it;
//! nothing is done twice by that, since all that is written is idempotent.

use super::address;
use super::failure::Failure;
use futures_util::future::join_all;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;
use trellis_relay::config::Secret;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// For a connection to one host, and its answer to the first question.
const CONNECTING: Duration = Duration::from_secs(5);
/// For one piece of work.
const WORKING: Duration = Duration::from_secs(30);
/// For all hosts together, with whoever is at it already: a hook that waits here must come to tell of it.
const OPENING: Duration = Duration::from_secs(45);
/// One for events, one for the log.
const CONNECTIONS: u32 = 2;
/// Whatever the server's own settings are. The tables are in a schema of their own, so that they get on with others.
const SESSION: &str = "SET search_path TO qube; SET statement_timeout = '25s'; \
                       SET idle_in_transaction_session_timeout = '25s'";

/// A database with one host or several.
pub(super) struct Database {
    hosts: Vec<PgConnectOptions>,
    pool: Mutex<Option<PgPool>>,
}

impl Database {
    /// Connects to nobody yet.
    pub(super) fn new(url: &Secret) -> Result<Self, String> {
        Ok(Database {
            hosts: address::hosts(url)?,
            pool: Mutex::default(),
        })
    }

    /// Does some work; an error says why it may not have been done.
    pub(super) async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&PgPool) -> sqlx::Result<T>,
    ) -> Result<T, Failure> {
        let opened = timeout(OPENING, self.pool()).await;
        let pool = opened.unwrap_or_else(|_| Err(Failure::timeout()))?;
        let done = match timeout(WORKING, work(&pool)).await {
            Ok(done) => done.map_err(Failure::from),
            Err(_) => Err(Failure::timeout()),
        };
        if done.is_err() {
            // Not closed here: other work may still be under way on it.
            self.pool.lock().await.take();
        }
        done
    }

    /// Whether one of the hosts writes. All are asked at once: several that are dark take no longer than one.
    pub(super) async fn reach(&self) -> Result<(), Failure> {
        let asked = self.hosts.iter().map(async |host| {
            let reached = timeout(CONNECTING, asked(host.clone())).await;
            reached.unwrap_or_else(|_| Err(Failure::timeout()))
        });
        let mut all = join_all(asked).await;
        match all.iter().any(Result::is_ok) {
            true => Ok(()),
            // What the first says matters most: it is where operators expect the database.
            false if all.is_empty() => Err(Failure::timeout()),
            false => all.swap_remove(0),
        }
    }

    async fn pool(&self) -> Result<PgPool, Failure> {
        let mut pool = self.pool.lock().await;
        if let Some(pool) = &*pool {
            return Ok(pool.clone());
        }
        let mut first = None;
        for host in &self.hosts {
            match open(host.clone()).await {
                Ok(opened) => {
                    *pool = Some(opened.clone());
                    return Ok(opened);
                }
                // What the first says matters most: it is where operators expect the database.
                Err(why) => first = first.or(Some(why)),
            }
        }
        Err(first.unwrap_or_else(Failure::timeout))
    }
}

/// Opens one host and brings its tables up to date, if it writes.
async fn open(host: PgConnectOptions) -> Result<PgPool, Failure> {
    let late = |_| Failure::timeout();
    // Also one that goes dark after it was reached keeps nobody from trying the next.
    let (pool, is_new) = timeout(CONNECTING, connect(host)).await.map_err(late)??;
    let making = async {
        if is_new {
            make_schema(&pool).await?;
        }
        MIGRATIONS.run(&pool).await.map_err(Failure::from)
    };
    timeout(WORKING, making).await.map_err(late)??;
    Ok(pool)
}

/// Whether a host writes, over a connection of its own: a pool would try again until it says no more than that it is late.
async fn asked(host: PgConnectOptions) -> Result<(), Failure> {
    let mut connection = host.disable_statement_logging().connect().await?;
    let asked = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'";
    match sqlx::query_scalar(asked).fetch_one(&mut connection).await? {
        true => Err(Failure::read_only()),
        false => Ok(()),
    }
}

/// A host that writes, and whether it has no schema yet.
async fn connect(host: PgConnectOptions) -> Result<(PgPool, bool), Failure> {
    let host = host.disable_statement_logging();
    // A pool tries again and again, and then tells of its own time alone: one connection has the cause.
    host.connect().await?.close().await?;
    let connecting = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECTING)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(SESSION).await.map(drop) })
        })
        .connect_with(host);
    let pool = connecting.await?;
    let asked = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on', \
                 to_regnamespace('qube') IS NULL";
    let row = sqlx::query(asked).fetch_one(&pool).await?;
    if row.try_get(0)? {
        return Err(Failure::read_only());
    }
    let is_new = row.try_get(1)?;
    Ok((pool, is_new))
}

/// Two relays may come at once to a database that is new.
async fn make_schema(pool: &PgPool) -> Result<(), Failure> {
    let made = pool.execute("CREATE SCHEMA IF NOT EXISTS qube").await;
    let is_there = |error: &sqlx::Error| {
        let code = error.as_database_error().and_then(|it| it.code());
        code.is_some_and(|code| ["42P06", "23505"].contains(&&*code))
    };
    match made {
        Err(error) if !is_there(&error) => Err(error.into()),
        _ => Ok(()),
    }
}
