//! What an error of the driver may tell: its kind and its code, never its words, which may hold a host or a value.

/// Why the database could not do something.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    /// Nothing answered in time.
    pub(super) fn timeout() -> Self {
        Failure("it does not answer in time".to_owned())
    }

    /// A server that answers, but does not write.
    pub(super) fn read_only() -> Self {
        Failure("it only reads".to_owned())
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Failure::from(&error)
    }
}

impl From<&sqlx::Error> for Failure {
    fn from(error: &sqlx::Error) -> Self {
        Failure(match error {
            sqlx::Error::Configuration(_) => "the address is not understood".to_owned(),
            sqlx::Error::Database(error) => match error.code() {
                Some(code) => format!("code {code}{}", meaning(&code)),
                None => "no code".to_owned(),
            },
            sqlx::Error::Io(error) => error.kind().to_string(),
            sqlx::Error::Tls(_) => "no encrypted connection".to_owned(),
            sqlx::Error::Protocol(_) => "it breaks the protocol".to_owned(),
            sqlx::Error::PoolTimedOut => "no connection is free in time".to_owned(),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => "the relay stops".to_owned(),
            sqlx::Error::Migrate(error) => return Failure::from(&**error),
            _ => "an unexpected answer".to_owned(),
        })
    }
}

impl From<sqlx::migrate::MigrateError> for Failure {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Failure::from(&error)
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
        "25006" => " (it only reads)",
        "28000" | "28P01" => " (user or password refused)",
        "3D000" => " (no such database)",
        "3F000" | "42P01" => " (its tables are gone)",
        "42501" => " (not allowed)",
        "53100" => " (disk full)",
        "53300" => " (too many connections)",
        "57014" => " (took too long)",
        "57P01" | "57P02" | "57P03" => " (the server starts or stops)",
        _ => "",
    }
}
