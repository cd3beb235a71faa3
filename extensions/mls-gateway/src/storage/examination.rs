//! Whether the database can be used, for `trellis doctor`: nothing is made, and no table is brought up to date.

use super::error::StorageError;
use super::{Result, postgres, sqlite};
use crate::config::{Database, Settings};
use std::time::Duration;

/// For Firestore: credentials, a connection and an answer. Less than an examination may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It can be used.
    Good,
    /// There is none yet, and the first start makes it.
    NotYet,
    /// It answers, and takes no writes.
    ReadOnly,
    /// Its file is another user's, or cannot be seen, and was left alone.
    OfAnother,
}

/// Looks at the database that the settings name.
pub(crate) async fn look(settings: &Settings) -> Result<Standing> {
    match &settings.database {
        Database::Sqlite { url } => sqlite::look(url).await,
        Database::Postgres { url } => postgres::look(url).await,
        // Opening it asks one question.
        Database::Firestore { .. } => {
            match tokio::time::timeout(PATIENCE, super::open(settings)).await {
                Ok(opened) => opened.map(|_| Standing::Good),
                Err(_) => Err(StorageError::Connect("no answer in time".to_owned())),
            }
        }
    }
}
