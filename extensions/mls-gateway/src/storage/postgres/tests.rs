//! PostgreSQL's part of the suite, and what only a server can show. `TEST_POSTGRES_URL` names a server on which
//! databases may be made; `tests/postgres` starts one.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::storage::StorageError;
use crate::storage::conformance::{Scratch, agreement, suite};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};

/// A database of the test's own.
struct Database {
    name: String,
    url: Secret,
}

/// The server; where there is none that is said once, past the capture of output.
fn server() -> Option<Secret> {
    static SAID: Once = Once::new();
    let url = std::env::var("TEST_POSTGRES_URL").ok();
    if url.is_none() {
        let words = b"SKIPPED: PostgreSQL: TEST_POSTGRES_URL names no server; see tests/postgres\n";
        SAID.call_once(|| std::io::stderr().write_all(words).unwrap());
    }
    Some(url?.as_str().into())
}

async fn tell_server(statement: String) {
    let options = address::options(&server().unwrap()).unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let statement = sqlx::raw_sql(AssertSqlSafe(statement));
    statement.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[async_trait]
impl Scratch for Database {
    async fn create() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let options = address::options(&server()?).unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mls_test_{}_{count}", std::process::id());
        tell_server(format!("CREATE DATABASE {name}")).await;
        let url = options.database(&name).to_url_lossy();
        let url = url.as_str().into();
        Some(Database { name, url })
    }

    async fn open(&self) -> Arc<dyn Storage> {
        Arc::new(PostgresStorage::open(&self.url, 4).await.unwrap())
    }

    async fn remove(self) {
        tell_server(format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

suite!(m28_postgres, super::super::Database);

#[test]
fn m28_postgres_agrees_with_the_plain_model() {
    agreement::agrees_with_the_model::<Database>(12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn m28_relays_that_open_a_new_database_at_once_all_find_it_whole() {
    let Some(database) = Database::create().await else {
        return;
    };
    let tasks = (0..8).map(|_| {
        let url = database.url.clone();
        tokio::spawn(async move { PostgresStorage::open(&url, 1).await.unwrap().ping().await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    database.remove().await;
}

#[tokio::test]
async fn m28_a_transaction_that_the_server_gives_up_is_tried_again() {
    let Some(database) = Database::create().await else {
        return;
    };
    let storage = PostgresStorage::open(&database.url, 2).await.unwrap();
    let tries = AtomicU32::new(0);
    let raise = async |code: &str, good_after: u32| {
        tries.store(0, Ordering::Relaxed);
        let statement =
            format!("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$");
        let work = || async {
            if tries.fetch_add(1, Ordering::Relaxed) == good_after {
                return Ok(());
            }
            let statement = sqlx::raw_sql(AssertSqlSafe(statement.clone()));
            statement.execute(&storage.pool).await.map(drop)
        };
        let result = storage.run("test", work).await;
        (result.is_ok(), tries.load(Ordering::Relaxed))
    };
    assert_eq!(raise("40001", 3).await, (true, 4));
    assert_eq!(raise("40P01", 3).await, (true, 4));
    assert_eq!(raise("40001", 99).await, (false, ATTEMPTS), "not for ever");
    assert_eq!(raise("23505", 3).await, (false, 1));
    drop(storage);
    database.remove().await;
}

#[tokio::test]
async fn m28_a_server_that_cannot_be_reached_is_told_without_its_address() {
    let mut addresses = vec![
        "postgresql://secretuser:secretword@127.0.0.1:1/secretbase?secretkey=1".to_owned(),
        "postgresql://secretuser:secretword@secret host/".to_owned(),
        "postgresql://secretuser:secretword@127.0.0.1/secretbase?sslmode=secretmode".to_owned(),
    ];
    if let Some(server) = server() {
        let options = address::options(&server).unwrap();
        addresses.push(options.database("secretbase").to_url_lossy().into());
        let options = address::options(&server).unwrap();
        addresses.push(options.username("secretuser").to_url_lossy().into());
    }
    for address in addresses {
        let error = PostgresStorage::open(&address.as_str().into(), 1).await;
        let error = error.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(
            told.starts_with("Failed to connect to database: "),
            "{told}"
        );
        assert!(!told.contains("secret"), "{told}");
        assert!(matches!(error, StorageError::Connect(_)));
    }
}
