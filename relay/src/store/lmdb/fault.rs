//! What goes wrong below, and what callers of the store learn of it.

use crate::store::StoreError;

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// An error inside the store: commits look at LMDB's own before it is translated.
#[derive(Debug)]
pub(super) enum Fault {
    Lmdb(lmdb::Error),
    Store(StoreError),
}

impl Fault {
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        Fault::Store(StoreError::Corrupt(what.into()))
    }
}

impl From<lmdb::Error> for Fault {
    fn from(error: lmdb::Error) -> Self {
        Fault::Lmdb(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::Store(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Fault::Store(error.into())
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        use lmdb::Error as E;
        match fault {
            Fault::Store(error) => error,
            Fault::Lmdb(E::MapFull) => StoreError::Full("its quota is used up".to_owned()),
            Fault::Lmdb(E::Other(errno)) => {
                StoreError::Io(std::io::Error::from_raw_os_error(errno))
            }
            Fault::Lmdb(
                error @ (E::Corrupted
                | E::PageNotFound
                | E::Invalid
                | E::VersionMismatch
                | E::Incompatible
                | E::Panic),
            ) => StoreError::Corrupt(error.to_string()),
            Fault::Lmdb(error) => StoreError::Unavailable(error.to_string()),
        }
    }
}
