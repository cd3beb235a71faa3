//! Whether the database can be used, for `trellis doctor`: nothing is made, and no table is brought up to date.

use super::{Result, postgres, sqlite};
use crate::config::{Database, Settings};

/// What is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It can be used.
    Good,
    /// There is none yet, and the first start makes it.
    NotYet,
    /// It answers, and takes no writes.
    ReadOnly,
    /// Its file is another user's, and was left alone.
    OfAnother,
}

/// Looks at the database that the settings name.
pub(crate) async fn look(settings: &Settings) -> Result<Standing> {
    match &settings.database {
        Database::Sqlite { url } => sqlite::look(url).await,
        Database::Postgres { url } => postgres::look(url).await,
        // Opening it asks one question.
        Database::Firestore { .. } => super::open(settings).await.map(|_| Standing::Good),
    }
}
