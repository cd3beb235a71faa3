//! An input that ends with the user's patience: what waits for a pipe or a terminal is told of Ctrl-C at once.
//!
//! It is read on a thread of its own, a few pieces ahead; the thread is left behind where it waits.

use super::interrupt::Interrupt;
use std::io::{self, BufRead, ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Pieces that are read ahead.
const AHEAD: usize = 4;
/// How often it is seen whether the input is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The input. Reading it fails once the user has asked to end and nothing is there.
pub(super) struct Interruptible {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    /// How much of the piece is consumed.
    at: usize,
    interrupt: Interrupt,
}

impl Interruptible {
    pub(super) fn new(input: Box<dyn BufRead + Send>, interrupt: Interrupt) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(AHEAD);
        std::thread::Builder::new()
            .name("input".into())
            .spawn(move || read(input, &sender))?;
        Ok(Interruptible {
            pieces,
            piece: Vec::new(),
            at: 0,
            interrupt,
        })
    }
}

/// Until the end, an error, or nobody wants more.
fn read(mut input: Box<dyn BufRead + Send>, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let piece = match input.fill_buf() {
            Ok([]) => return,
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let length = piece.as_ref().map_or(0, Vec::len);
        input.consume(length);
        if sender.send(piece).is_err() || length == 0 {
            return;
        }
    }
}

impl BufRead for Interruptible {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.piece.len() {
            match self.pieces.recv_timeout(LOOK_EVERY) {
                Ok(piece) => (self.piece, self.at) = (piece?, 0),
                Err(RecvTimeoutError::Disconnected) => return Ok(&[]),
                // Not of the kind that readers try again.
                Err(RecvTimeoutError::Timeout) if self.interrupt.is_set() => {
                    return Err(io::Error::other("interrupted"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Ok(&self.piece[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes;
    }
}

impl Read for Interruptible {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let read = bytes.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
