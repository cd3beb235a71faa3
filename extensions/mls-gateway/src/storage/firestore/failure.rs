//! What can go wrong in a call of Firestore, as the log may have it.

use firestore::errors::FirestoreError;
use gcloud_sdk::tonic::{Code, Status};

/// What a step of a call comes to.
pub(super) type Result<T> = std::result::Result<T, Failure>;

/// Without the server's words, which may name a document and so a key.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server or the way to it said no; the code of gRPC.
    #[error("the call failed ({0})")]
    Call(String),
    /// The server does not answer, or others were always quicker to write.
    #[error("nothing came of it in time")]
    TimedOut,
    /// A field that the gateway did not write.
    #[error("the field {0} is unreadable")]
    Corrupt(&'static str),
}

impl Failure {
    /// Whether a document cannot be written, however often it is tried.
    pub(super) fn is_of_document(&self) -> bool {
        matches!(self, Failure::Call(code) if *code == format!("{:?}", Code::InvalidArgument))
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure::Call(format!("{:?}", status.code()))
    }
}

impl From<FirestoreError> for Failure {
    fn from(error: FirestoreError) -> Self {
        Failure::Call(match error {
            FirestoreError::SystemError(error) => reason(&error.public.code).to_owned(),
            FirestoreError::DatabaseError(error) => error.public.code,
            FirestoreError::DataConflictError(error) => error.public.code,
            FirestoreError::DataNotFoundError(error) => error.public.code,
            FirestoreError::NetworkError(error) => error.public.code,
            FirestoreError::InvalidParametersError(error) => {
                format!("invalid parameter {}", error.public.field)
            }
            FirestoreError::SerializeError(_) | FirestoreError::DeserializeError(_) => {
                "unreadable answer".to_owned()
            }
            FirestoreError::ErrorInTransaction(_) | FirestoreError::CacheError(_) => {
                "unexpected answer".to_owned()
            }
        })
    }
}

/// What is said of an error before any answer, whose own words name addresses and files.
fn reason(code: &str) -> &'static str {
    match code.split('(').next().unwrap_or_default() {
        "GrpcStatus" | "UrlError" => "no connection",
        "TokenSource" => "no credentials were found",
        "CredentialsJson" | "CredentialsFile" => "the file of credentials is unreadable",
        "Jwt" => "the key of the credentials is unusable",
        "Http" | "HttpStatus" | "Metadata" | "TokenJson" | "TokenData" => {
            "the credentials give no token"
        }
        _ => "no credentials",
    }
}
