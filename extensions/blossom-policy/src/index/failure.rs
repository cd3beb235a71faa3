//! What can go wrong between the media server and its index.
//!
//! Invariant: text is for the log and names neither blob nor key: of the driver's errors it tells the kind and the code.

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    /// The file cannot be opened.
    #[error("the index of blobs cannot be opened: {0}")]
    Open(String),
    /// It has no room to grow.
    #[error("the disk of the index of blobs is full")]
    Full,
    /// It fails later.
    #[error("the index of blobs failed in {operation}: {what}")]
    Failed {
        /// What was asked of it.
        operation: &'static str,
        /// The kind of failure.
        what: String,
    },
}

/// SQLite's code for a disk that is full.
const FULL: &str = "13";

fn what(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("code {code}"),
            None => "no code".to_owned(),
        },
        sqlx::Error::Io(error) => error.kind().to_string(),
        sqlx::Error::PoolTimedOut => "no connection is free in time".to_owned(),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => "it stops".to_owned(),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            "it holds something unreadable".to_owned()
        }
        sqlx::Error::Migrate(_) => "its tables are of another version of this program".to_owned(),
        _ => "an unexpected answer".to_owned(),
    }
}

/// For what fails while it is opened.
pub(super) fn connecting(error: impl Into<sqlx::Error>) -> IndexError {
    IndexError::Open(what(&error.into()))
}

/// For what fails later.
pub(super) fn operating(operation: &'static str, error: &sqlx::Error) -> IndexError {
    let code = error.as_database_error().and_then(|it| it.code());
    match code.as_deref() {
        Some(FULL) => IndexError::Full,
        _ => IndexError::Failed {
            operation,
            what: what(error),
        },
    }
}

/// Does what may fail.
pub(super) async fn run<T>(
    operation: &'static str,
    work: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, IndexError> {
    work.await.map_err(|error| operating(operation, &error))
}
