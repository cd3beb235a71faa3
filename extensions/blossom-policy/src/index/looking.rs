//! Looks into a file of an index that nobody has opened, for tests.

#![allow(clippy::unwrap_used)]

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::path::Path;

/// The text in the one column that a query gives.
pub(crate) async fn column(file: &Path, query: &'static str) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let found = sqlx::query_scalar(query).fetch_all(&mut connection).await;
    connection.close().await.unwrap();
    found.unwrap()
}
