//! What can go wrong between the gateway and its database.

/// Text is for the log: it names no address, no password and no row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// It could not be opened.
    #[error("Failed to connect to database: {0}")]
    Connect(String),
    /// It does not answer, or not in time, or it is too busy.
    #[error("the database failed in {operation}")]
    Unavailable {
        /// What was asked of it.
        operation: &'static str,
        /// The driver's error, which may hold what must not be logged: show its kind only.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It answers, and does not take this row.
    #[error("the database does not take this row in {operation}")]
    Refused {
        /// What was asked of it.
        operation: &'static str,
        /// As above.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It holds what the gateway never wrote.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(&'static str),
    /// The program was built without this backend.
    #[cfg(not(feature = "firestore"))]
    #[error("storage_backend: this program was built without {0}")]
    NotBuilt(&'static str),
}
