//! What an object store's error may tell the log: its kind and its status, never its words, in which names stand.

use crate::storage::StorageError;
use object_store::Error;
use object_store::client::HttpError;
use std::error::Error as _;

/// Stands before the status in what the client says.
const STATUS: &str = "status code: ";

/// What an operation failed of.
pub(super) fn failed(operation: &'static str, error: &Error) -> StorageError {
    let what = match error {
        Error::NotFound { .. } => return StorageError::Missing,
        Error::PermissionDenied { .. } => "it does not allow this".to_owned(),
        Error::Unauthenticated { .. } => "it does not know the key".to_owned(),
        other => kind(other),
    };
    StorageError::Remote { operation, what }
}

fn kind(error: &Error) -> String {
    let mut source = error.source();
    while let Some(found) = source {
        if let Some(http) = found.downcast_ref::<HttpError>() {
            return format!("no answer ({:?})", http.kind());
        }
        source = found.source();
    }
    let told = error.to_string();
    let status = told.split_once(STATUS).and_then(|(_, rest)| rest.get(..3));
    match status.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(status) => format!("status {status}"),
        None => "an unexpected answer".to_owned(),
    }
}
