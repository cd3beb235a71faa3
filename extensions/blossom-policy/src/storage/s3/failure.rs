//! What an object store's error may tell the log: its kind and its status, never its words, in which names stand. And whether
//! it was an answer at all.

use crate::storage::StorageError;
use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};
use std::error::Error as _;

/// Stands before the status in what the client says.
const STATUS: &str = "status code: ";

/// What an operation failed of.
pub(super) fn failed(operation: &'static str, error: &Error) -> StorageError {
    let what = match error {
        Error::NotFound { .. } => return StorageError::Missing,
        Error::PermissionDenied { .. } => "it does not allow this".to_owned(),
        Error::Unauthenticated { .. } => "it does not know the key".to_owned(),
        other => match unanswered(other) {
            Some(kind) => {
                let what = format!("{kind:?}");
                return StorageError::NoAnswer { operation, what };
            }
            None => status(other),
        },
    };
    StorageError::Remote { operation, what }
}

/// The same of a blob that was to be stored: what is missing then is the bucket.
pub(super) fn put_failed(error: &Error) -> StorageError {
    match failed("put", error) {
        StorageError::Missing => StorageError::Remote {
            operation: "put",
            what: "there is no such bucket".to_owned(),
        },
        failed => failed,
    }
}

/// How there came to be no answer, where there was none that can be read.
fn unanswered(error: &Error) -> Option<HttpErrorKind> {
    let mut source = error.source();
    while let Some(found) = source {
        if let Some(http) = found.downcast_ref::<HttpError>() {
            return Some(http.kind());
        }
        source = found.source();
    }
    None
}

fn status(error: &Error) -> String {
    let told = error.to_string();
    let status = told.split_once(STATUS).and_then(|(_, rest)| rest.get(..3));
    match status.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(status) => format!("status {status}"),
        None => "an unexpected answer".to_owned(),
    }
}
