//! One large buffer that the outboxes of a worker hand on to each other.
//!
//! An answer of many events needs a large buffer for a moment. Growing one each time copies what is there again and again
//! and has the system hand out the same memory anew; keeping one for every connection would make idle ones dear.

use std::cell::RefCell;

/// The buffer, while nobody uses it.
#[derive(Debug, Default)]
pub struct Spare {
    buffer: RefCell<Vec<u8>>,
}

/// A larger buffer is given back to the system.
const MOST_BYTES: usize = 512 * 1024;

impl Spare {
    /// The buffer if it is there and not larger than that, else an empty one.
    pub(super) fn take(&self, most_bytes: usize) -> Vec<u8> {
        let fits = self.kept_bytes() <= most_bytes;
        match fits {
            true => self.buffer.take(),
            false => Vec::new(),
        }
    }

    /// Keeps an empty buffer for the next, if it is larger than the one that is there.
    pub(super) fn give(&self, buffer: Vec<u8>) {
        let mut kept = self.buffer.borrow_mut();
        if buffer.capacity() > kept.capacity() && buffer.capacity() <= MOST_BYTES {
            *kept = buffer;
        }
    }

    /// How much memory is kept.
    pub fn kept_bytes(&self) -> usize {
        self.buffer.borrow().capacity()
    }
}
