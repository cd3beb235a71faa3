//! One file on its way to the disk: chunks are gathered by the worker, and hashed and written by a thread that may block.
//!
//! Invariant: the thread that writes owns the file until it is whole. However the other side ends, the file goes with it.

use super::spooled::{HEAD_BYTES, Spooled, TAIL_BYTES, TemporaryFile};
use super::under_way::Begun;
use super::{Receive, SpoolError};
use crate::blob::BlobHash;
use crate::sniffing::ArchiveScan;
use md5::Md5;
use rustix::fs::{Advice, fadvise};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// So much is hashed and written at a time.
const BLOCK_BYTES: usize = 256 << 10;
/// So many blocks wait for it at most; with the one that is filled and the one that is written this is what a file takes
/// of memory.
const BLOCKS_WAITING: usize = 2;
/// After so much the disk is told to begin, so that the end has little left to wait for.
const WRITE_OUT_BYTES: u64 = 8 << 20;

/// A file on its way to the disk.
pub(super) struct Writing {
    /// What the thread is told; `None` is the end.
    blocks: mpsc::Sender<Option<Vec<u8>>>,
    /// Blocks that were written, to be filled again.
    emptied: mpsc::Receiver<Vec<u8>>,
    filling: Vec<u8>,
    written: oneshot::Receiver<Result<Spooled, SpoolError>>,
}

impl Writing {
    /// Begins a file in a folder. `place` goes with it. Its thread is its own, for as long as somebody sends: those that the
    /// runtime keeps for what blocks are for what is soon done, such as all reading.
    pub(super) fn begin(folder: &Path, wanted: &Receive, place: Begun) -> Result<Self, SpoolError> {
        let (blocks, to_write) = mpsc::channel(BLOCKS_WAITING);
        let (give_back, emptied) = mpsc::channel(BLOCKS_WAITING + 2);
        let writer = Writer {
            folder: folder.to_owned(),
            sha256: Sha256::new(),
            archives: ArchiveScan::default(),
            md5: wanted.also_md5.then(Md5::new),
            sha1: wanted.also_sha1.then(Sha1::new),
            size_bytes: 0,
            written_out_bytes: 0,
        };
        let (tell, written) = oneshot::channel();
        let work = move || {
            // Where nobody waits for it any more it is removed with what is told.
            let _ = tell.send(writer.run(to_write, &give_back, place));
        };
        let thread = thread::Builder::new().name("blossom-spool".to_owned());
        thread.spawn(work).map_err(SpoolError::Disk)?;
        Ok(Writing {
            blocks,
            emptied,
            filling: Vec::new(),
            written,
        })
    }

    /// Adds what has come; false if nothing more can be written.
    pub(super) async fn add(&mut self, mut chunk: &[u8]) -> bool {
        while !chunk.is_empty() {
            if self.filling.capacity() == 0 {
                // A short file gets no large block.
                let fresh = Vec::with_capacity(chunk.len().min(BLOCK_BYTES));
                self.filling = self.emptied.try_recv().unwrap_or(fresh);
            }
            let (now, later) = chunk.split_at(chunk.len().min(BLOCK_BYTES - self.filling.len()));
            self.filling.extend_from_slice(now);
            chunk = later;
            if self.filling.len() == BLOCK_BYTES && !self.send_block().await {
                return false;
            }
        }
        true
    }

    async fn send_block(&mut self) -> bool {
        let block = std::mem::take(&mut self.filling);
        self.blocks.send(Some(block)).await.is_ok()
    }

    /// The whole file.
    pub(super) async fn finish(mut self) -> Result<Spooled, SpoolError> {
        if self.filling.is_empty() || self.send_block().await {
            // If it ended before, it says why.
            let _ = self.blocks.send(None).await;
        }
        let written = self.written.await;
        written.map_err(|error| SpoolError::Disk(io::Error::other(error)))?
    }
}

/// What the thread that writes has.
struct Writer {
    folder: PathBuf,
    sha256: Sha256,
    archives: ArchiveScan,
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    size_bytes: u64,
    written_out_bytes: u64,
}

impl Writer {
    fn run(
        mut self,
        mut blocks: mpsc::Receiver<Option<Vec<u8>>>,
        give_back: &mpsc::Sender<Vec<u8>>,
        place: Begun,
    ) -> Result<Spooled, SpoolError> {
        let mut file = TemporaryFile::create(&self.folder).map_err(of_disk)?;
        loop {
            let Some(told) = blocks.blocking_recv() else {
                return Err(SpoolError::Broken("it was given up".to_owned()));
            };
            let Some(mut block) = told else {
                return self.finish(file, place).map_err(of_disk);
            };
            self.write(&mut file, &block).map_err(of_disk)?;
            block.clear();
            // Where nobody takes it back it was one too many.
            let _ = give_back.try_send(block);
        }
    }

    fn write(&mut self, file: &mut TemporaryFile, block: &[u8]) -> io::Result<()> {
        file.file.write_all(block)?;
        self.sha256.update(block);
        self.archives.feed(block);
        if let Some(md5) = &mut self.md5 {
            md5.update(block);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(block);
        }
        self.size_bytes += block.len() as u64;
        self.write_out(file);
        Ok(())
    }

    /// Has the disk begin with what it has not got yet. Where it does not take the hint, the end takes longer.
    fn write_out(&mut self, file: &TemporaryFile) {
        let waiting = self.size_bytes - self.written_out_bytes;
        if let Some(bytes) = NonZeroU64::new(waiting).filter(|_| waiting >= WRITE_OUT_BYTES) {
            let from = self.written_out_bytes;
            let _ = fadvise(&file.file, from, Some(bytes), Advice::DontNeed);
            self.written_out_bytes = self.size_bytes;
        }
    }

    fn finish(self, file: TemporaryFile, place: Begun) -> io::Result<Spooled> {
        let at_most =
            |bytes: usize| usize::try_from(self.size_bytes).map_or(bytes, |it| it.min(bytes));
        let (head, tail) = (at_most(HEAD_BYTES), at_most(TAIL_BYTES));
        Ok(Spooled {
            head: file.read_at(0, head)?,
            tail: file.read_at(self.size_bytes - tail as u64, tail)?,
            file,
            sha256: BlobHash::from_bytes(self.sha256.finalize().into()),
            size_bytes: self.size_bytes,
            hides: self.archives.found(),
            md5: self.md5.map(|md5| md5.finalize().into()),
            sha1: self.sha1.map(|sha1| sha1.finalize().into()),
            _place: place,
        })
    }
}

fn of_disk(error: io::Error) -> SpoolError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SpoolError::Full(error),
        _ => SpoolError::Disk(error),
    }
}
