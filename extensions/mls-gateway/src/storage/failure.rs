//! What an error of an SQL driver may tell the log: its kind and its code, never its words.
//!
//! A server's words may hold a user's name, a host, or a value of a row.

use super::StorageError;
use std::fmt;

/// What went wrong between the gateway and its database, without words of the server.
#[derive(Debug)]
pub(super) struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<&sqlx::Error> for Failure {
    fn from(error: &sqlx::Error) -> Self {
        Failure(match error {
            sqlx::Error::Configuration(_) => "the address is not understood".to_owned(),
            sqlx::Error::Database(error) => match error.code() {
                Some(code) => format!("code {code}{}", meaning(&code)),
                None => "no code".to_owned(),
            },
            sqlx::Error::Io(error) => format!("{}", error.kind()),
            sqlx::Error::Tls(_) => "no encrypted connection".to_owned(),
            sqlx::Error::Protocol(_) => "it breaks the protocol".to_owned(),
            sqlx::Error::PoolTimedOut => "no connection is free in time".to_owned(),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => "the gateway stops".to_owned(),
            sqlx::Error::Migrate(error) => return Failure::from(&**error),
            _ => "an unexpected answer".to_owned(),
        })
    }
}

impl From<&sqlx::migrate::MigrateError> for Failure {
    fn from(error: &sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Failure::from(error)
            }
            MigrateError::VersionMissing(_)
            | MigrateError::VersionTooNew(..)
            | MigrateError::VersionMismatch(_) => {
                Failure("its tables are of another version of this program".to_owned())
            }
            _ => Failure("its tables cannot be brought up to date".to_owned()),
        }
    }
}

/// Of the codes that operators see most.
fn meaning(code: &str) -> &'static str {
    match code {
        "5" | "261" | "517" => " (busy)",
        "8" | "264" | "520" | "776" | "1032" => " (read-only)",
        "11" | "267" => " (damaged)",
        "13" | "53100" => " (disk full)",
        "14" | "270" | "526" => " (the file cannot be opened)",
        "26" => " (not a database)",
        "28000" | "28P01" => " (user or password refused)",
        "3D000" => " (no such database)",
        "42501" => " (not allowed)",
        "53300" => " (too many connections)",
        "57014" => " (took too long)",
        "57P03" => " (the server starts or stops)",
        _ => "",
    }
}

/// Whether a code tells of a row that cannot be written, however often it is tried: of PostgreSQL what is wrong with data
/// (22), breaks a constraint (23) or is too large (54), of SQLite what is too big, breaks a constraint or is of a wrong type.
fn is_of_row(code: &str) -> bool {
    match code.len() {
        5 => ["22", "23", "54"]
            .iter()
            .any(|class| code.starts_with(class)),
        _ => code
            .parse()
            .is_ok_and(|code: u32| matches!(code & 0xff, 18..=20)),
    }
}

/// For what fails while a database is opened.
pub(super) fn connecting<E>(error: E) -> StorageError
where
    Failure: for<'e> From<&'e E>,
{
    StorageError::Connect(Failure::from(&error).to_string())
}

/// For what fails later.
pub(super) fn operating(operation: &'static str, error: &sqlx::Error) -> StorageError {
    match error {
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            StorageError::Corrupt(operation)
        }
        sqlx::Error::Database(database) if database.code().is_some_and(|it| is_of_row(&it)) => {
            StorageError::Refused {
                operation,
                source: Box::new(Failure::from(error)),
            }
        }
        _ => StorageError::Unavailable {
            operation,
            source: Box::new(Failure::from(error)),
        },
    }
}
