//! What can go wrong with a backup, in words for those who run it.

use super::manifest::FORMAT;
use super::target::TargetError;
use crate::store::StoreError;
use std::io;
use std::path::PathBuf;

/// What can go wrong with a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The place cannot be used or reached.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The store cannot be read or written.
    #[error("the store fails the backup")]
    Store(#[from] StoreError),
    /// Compressing failed, or no thread could be had.
    #[error("the backup cannot work")]
    Work(#[from] io::Error),
    /// The file system's word on a file.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Something there does not make sense.
    #[error("the backup is damaged: {name}: {problem}")]
    Damaged {
        /// The object.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Written by a newer version.
    #[error(
        "{name} has version {found} of the format, this program knows {FORMAT}; use a newer Trellis"
    )]
    Format {
        /// The object.
        name: String,
        /// As written.
        found: u32,
    },
    /// Somebody else's.
    #[error(
        "backup.url {url} holds the backup of another database ({head}), and the one here is not empty; name another \
         prefix, or begin anew there with `trellis backup now --take-over`, or restore into an empty data.path"
    )]
    Foreign {
        /// `backup.url`.
        url: String,
        /// The lineage that is written there.
        head: String,
    },
    /// Another relay has gone on from here.
    #[error(
        "another relay has taken over the backup at {url}: it goes on in {head}, and the database here ended as {own}; \
         start with an empty data.path to go on from there, or put this database in its place with \
         `trellis backup now --take-over`"
    )]
    Superseded {
        /// `backup.url`.
        url: String,
        /// The lineage of the database here.
        own: String,
        /// The lineage that is written there.
        head: String,
    },
    /// The first snapshot was never done.
    #[error(
        "the backup at {url} holds no whole copy yet, at most what was stored after it began: an empty database cannot be \
         restored from there; bring the old database back, or begin anew with `trellis backup now --take-over`"
    )]
    NothingWhole {
        /// `backup.url`.
        url: String,
    },
    /// There is none.
    #[error("there is no backup at {0}, or none of that time")]
    Nothing(String),
    /// An empty store has nothing to write.
    #[error("the database here is empty; start the relay, and it is restored from the backup")]
    NothingHere,
    /// Nothing is restored over anything.
    #[error("{} holds a database that is not empty; nothing is restored over it", .0.display())]
    NotEmpty(PathBuf),
    /// It could not be reached at the start, nor since.
    #[error("the place of the backup was not reached since the start")]
    NotReached,
    /// The log of removals was cut before the backup came to it.
    #[error("removals went unnoticed")]
    Gap,
    /// Two processes write the same lineage.
    #[error(
        "another process writes the lineage {lineage} as well; two relays have copies of one database"
    )]
    NotAlone {
        /// Which.
        lineage: String,
    },
    /// An extension did not give what it has.
    #[error("{extension}: {problem}")]
    Extension {
        /// Which.
        extension: String,
        /// In its own words.
        problem: String,
    },
    /// The thread that opened it panicked.
    #[error("opening the backup failed")]
    Died,
}

impl BackupError {
    pub(super) fn damaged(name: &str, problem: String) -> Self {
        BackupError::Damaged {
            name: name.to_owned(),
            problem,
        }
    }

    /// The error and what it comes from, in one line.
    pub fn in_full(&self) -> String {
        let sources =
            std::iter::successors(std::error::Error::source(self), |error| error.source());
        sources.fold(self.to_string(), |line, error| format!("{line}: {error}"))
    }
}
