//! An index without its book, for tests of what becomes of decisions that cannot be written down.

#![allow(clippy::unwrap_used)]

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use std::path::Path;

/// From now on no decision can be written down.
pub(crate) async fn take_book_away(index: &Path) {
    run(index, "ALTER TABLE decisions RENAME TO elsewhere").await;
}

/// The book is there again, as it was.
pub(crate) async fn give_book_back(index: &Path) {
    run(index, "ALTER TABLE elsewhere RENAME TO decisions").await;
}

/// Beside whoever has the index open.
async fn run(index: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(index);
    let mut beside = options.connect().await.unwrap();
    sqlx::raw_sql(statement).execute(&mut beside).await.unwrap();
}
