//! Files on their way in: written to `incoming/` while they are hashed, before anybody has decided on them.
//!
//! Invariant: memory does not grow with the file, only so many come in at a time, and what is not taken over by a
//! storage is removed with its [`Spooled`], whatever happened; what a killed process left behind is removed at the start.
//!
//! Deliberately not here: whether the file is wanted.

mod spooled;
#[cfg(test)]
mod tests;
mod under_way;
mod writing;

pub(crate) use spooled::Spooled;
#[cfg(test)]
use spooled::{HEAD_BYTES, TAIL_BYTES};
pub(crate) use under_way::UnderWay;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;
use tokio::time::Instant;
use writing::Writing;

/// Takes files in.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    max_uploads: usize,
    under_way: UnderWay,
}

/// What is expected of a file, and what is to be found out about it.
#[derive(Clone, Debug)]
pub(crate) struct Receive {
    /// The length that whoever sends it has told.
    pub(crate) declared_bytes: Option<u64>,
    /// It may have so many bytes.
    pub(crate) max_bytes: u64,
    /// For so long nothing may come.
    pub(crate) idle_timeout: Duration,
    /// All of it must have come by then.
    pub(crate) total_timeout: Duration,
    /// After `idle_timeout` so many bytes must have come for each second, or others wait for the place in vain.
    pub(crate) min_bytes_per_s: u64,
    /// Some block lists know files by MD5.
    pub(crate) also_md5: bool,
    /// Others by SHA-1.
    pub(crate) also_sha1: bool,
}

/// Why a file has not come in. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// As many as may be are under way.
    #[error("as many uploads as may be are under way")]
    Busy,
    /// It is longer than it may be.
    #[error("the file has more than {max_bytes} bytes")]
    TooLarge {
        /// So many would have been right.
        max_bytes: u64,
    },
    /// It is shorter or longer than was told.
    #[error("{declared_bytes} bytes were announced, and {received_bytes} came")]
    WrongLength {
        /// What was told.
        declared_bytes: u64,
        /// What had come when that was clear.
        received_bytes: u64,
    },
    /// Nothing or too little came for too long, or it took too long altogether.
    #[error("the file did not come in time")]
    TooSlow,
    /// Whoever sends it is gone, or does not keep to the protocol.
    #[error("the file broke off: {0}")]
    Broken(String),
    /// The disk is full.
    #[error("the disk is full")]
    Full(#[source] io::Error),
    /// The disk fails.
    #[error("the file could not be written to the disk")]
    Disk(#[source] io::Error),
}

impl Spool {
    /// Takes files into a folder, `max_uploads` at a time.
    pub(crate) fn new(folder: &Path, max_uploads: usize) -> Self {
        Spool {
            folder: folder.to_owned(),
            max_uploads,
            under_way: UnderWay::default(),
        }
    }

    /// The same, where others take files in as well that count together with these.
    pub(crate) fn counted_by(self, under_way: &UnderWay) -> Self {
        Spool {
            under_way: under_way.clone(),
            ..self
        }
    }

    /// Files that may yet come in beside those that do.
    #[cfg(test)]
    pub(crate) fn free_places(&self) -> usize {
        self.max_uploads - self.under_way.files()
    }

    /// Takes a file in and hashes it. A place is taken until what this returns is dropped.
    pub(crate) async fn receive<E: Display>(
        &self,
        payload: impl Stream<Item = Result<Bytes, E>>,
        wanted: &Receive,
    ) -> Result<Spooled, SpoolError> {
        let place = self.under_way.begin(self.max_uploads);
        let place = place.ok_or(SpoolError::Busy)?;
        if wanted.declared_bytes > Some(wanted.max_bytes) {
            return Err(SpoolError::TooLarge {
                max_bytes: wanted.max_bytes,
            });
        }
        let writing = Writing::begin(&self.folder, wanted, place)?;
        let passing = pass_on(payload, wanted, writing);
        match tokio::time::timeout(wanted.total_timeout, passing).await {
            Ok(spooled) => spooled,
            Err(_) => Err(SpoolError::TooSlow),
        }
    }
}

/// Passes what comes on to the thread that writes, and keeps watch over its length.
async fn pass_on<E: Display>(
    payload: impl Stream<Item = Result<Bytes, E>>,
    wanted: &Receive,
    mut writing: Writing,
) -> Result<Spooled, SpoolError> {
    let mut payload = pin!(payload);
    let begun = Instant::now();
    let mut received_bytes = 0_u64;
    loop {
        let next = tokio::time::timeout(wanted.idle_timeout, payload.next()).await;
        let chunk = match next.map_err(|_| SpoolError::TooSlow)? {
            None => break,
            Some(chunk) => chunk.map_err(|error| SpoolError::Broken(error.to_string()))?,
        };
        received_bytes += chunk.len() as u64;
        check_length(received_bytes, wanted)?;
        check_pace(received_bytes, begun.elapsed(), wanted)?;
        if !writing.add(&chunk).await {
            // The thread that writes knows why it ended.
            break;
        }
    }
    let spooled = writing.finish().await?;
    match wanted.declared_bytes {
        Some(declared_bytes) if declared_bytes != spooled.size_bytes() => {
            Err(SpoolError::WrongLength {
                declared_bytes,
                received_bytes: spooled.size_bytes(),
            })
        }
        _ => Ok(spooled),
    }
}

/// Whoever sends a byte now and then does not stand still, and holds a place as long as whoever does.
fn check_pace(received_bytes: u64, taken: Duration, wanted: &Receive) -> Result<(), SpoolError> {
    let wanted_bytes = taken.as_secs().saturating_mul(wanted.min_bytes_per_s);
    match taken > wanted.idle_timeout && received_bytes < wanted_bytes {
        true => Err(SpoolError::TooSlow),
        false => Ok(()),
    }
}

fn check_length(received_bytes: u64, wanted: &Receive) -> Result<(), SpoolError> {
    if received_bytes > wanted.max_bytes {
        return Err(SpoolError::TooLarge {
            max_bytes: wanted.max_bytes,
        });
    }
    match wanted.declared_bytes {
        Some(declared_bytes) if received_bytes > declared_bytes => Err(SpoolError::WrongLength {
            declared_bytes,
            received_bytes,
        }),
        _ => Ok(()),
    }
}
