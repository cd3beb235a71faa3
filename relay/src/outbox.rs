//! What waits to be sent to one client: WebSocket frames in the order of their pushing, bounded in bytes.
//!
//! Most bytes are the client's own and lie in one buffer. An event that goes to many subscribers at once is not copied for
//! each: it stays where it is, and the outbox notes where it belongs. All that waits can be written in one go.
//!
//! Invariant: no more bytes wait than the cap, shared bytes included, and the buffer of the client's own is at most a third
//! larger than the cap. A message that does not fit marks the client as too slow, and its connection ends; nothing is
//! dropped silently from a connection that lives on. Fronts drain it, flows fill it.

mod spare;

pub use spare::Spare;

use bytes::{Buf as _, Bytes};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;
use std::task::Waker;

/// The send queue of a session.
#[derive(Debug)]
pub struct Outbox {
    /// What is this client's alone.
    own: Vec<u8>,
    /// So much of `own` is written.
    own_at: usize,
    /// What is shared with others, in order.
    shared: VecDeque<Shared>,
    /// Of both, not yet written.
    waiting_bytes: usize,
    cap_bytes: usize,
    overflowed: bool,
    sealed: bool,
    front: Option<Waker>,
    /// Wakes a stored query that waits for room.
    room: Vec<Waker>,
    spare: Rc<Spare>,
}

/// Bytes that go out before what stands at `at` in `own`.
#[derive(Debug)]
struct Shared {
    at: usize,
    bytes: Bytes,
}

/// Pieces for one writing, in order.
pub type Pieces<'a> = SmallVec<[IoSlice<'a>; MOST_PIECES]>;

/// As many as are worth one writing; the bytes of 32 events are more than most sockets take at once.
const MOST_PIECES: usize = 64;
/// An empty outbox keeps its buffer up to this size, and the list of what is shared up to the same, so that busy connections
/// do not allocate again and idle ones cost little.
const KEEP_BYTES: usize = 1024;
/// A buffer up to this size is kept however little of it is used.
const SMALL_BYTES: usize = 4 * 1024;
/// The longest header of a frame that is not masked.
const MAX_HEADER_BYTES: usize = 10;
/// RFC 6455: FIN and opcode 1, text.
const TEXT: u8 = 0x81;

impl Outbox {
    /// An empty outbox that takes up to `cap_bytes`.
    pub fn new(cap_bytes: usize, spare: Rc<Spare>) -> Self {
        Outbox {
            own: Vec::new(),
            own_at: 0,
            shared: VecDeque::new(),
            waiting_bytes: 0,
            cap_bytes,
            overflowed: false,
            sealed: false,
            front: None,
            room: Vec::new(),
            spare,
        }
    }

    /// Adds one text frame made of pieces.
    pub fn push_text(&mut self, pieces: &[&[u8]]) {
        let payload_bytes = pieces.iter().map(|piece| piece.len()).sum();
        self.push_frame(TEXT, payload_bytes, pieces);
    }

    /// Adds one text frame whose body others get as well, between pieces of this client's own.
    pub fn push_shared_text(&mut self, head: &[&[u8]], body: &Bytes, tail: &[u8]) {
        let head_bytes: usize = head.iter().map(|piece| piece.len()).sum();
        let own_bytes = head_bytes + tail.len();
        if self.begin_frame(TEXT, own_bytes + body.len(), own_bytes) {
            for piece in head {
                self.own.extend_from_slice(piece);
            }
            self.shared.push_back(Shared {
                at: self.own.len(),
                bytes: body.clone(),
            });
            self.own.extend_from_slice(tail);
        }
        self.wake_front();
    }

    /// Adds a control frame (RFC 6455 section 5.5); `opcode` is 8 close, 9 ping, 10 pong.
    pub fn push_control(&mut self, opcode: u8, payload: &[u8]) {
        let payload = &payload[..payload.len().min(125)];
        self.push_frame(0x80 | opcode, payload.len(), &[payload]);
    }

    fn push_frame(&mut self, first: u8, payload_bytes: usize, pieces: &[&[u8]]) {
        if self.begin_frame(first, payload_bytes, payload_bytes) {
            for piece in pieces {
                self.own.extend_from_slice(piece);
            }
        }
        self.wake_front();
    }

    /// Writes a frame's header and makes room for what is to be copied of its payload; `false` where it is not taken.
    fn begin_frame(&mut self, first: u8, payload_bytes: usize, own_bytes: usize) -> bool {
        if self.sealed {
            return false;
        }
        if self.overflowed || self.waiting_bytes + payload_bytes + MAX_HEADER_BYTES > self.cap_bytes
        {
            self.overflowed = true;
            return false;
        }
        self.make_room(own_bytes + MAX_HEADER_BYTES);
        let before = self.own.len();
        self.own.push(first);
        match payload_bytes {
            0..=125 => self.own.push(payload_bytes as u8),
            126..=0xffff => {
                self.own.push(126);
                let length = (payload_bytes as u16).to_be_bytes();
                self.own.extend_from_slice(&length);
            }
            _ => {
                self.own.push(127);
                let length = (payload_bytes as u64).to_be_bytes();
                self.own.extend_from_slice(&length);
            }
        }
        self.waiting_bytes += self.own.len() - before + payload_bytes;
        true
    }

    fn make_room(&mut self, bytes: usize) {
        if self.own.capacity() == 0 {
            self.own = self.spare.take(self.cap_bytes);
        }
        if self.own.capacity() - self.own.len() >= bytes {
            return;
        }
        // Rather than grow, what is written makes room where that is a quarter of the buffer: then at most three bytes are
        // moved for one that was written, and a buffer that grows holds less than four thirds of what waits.
        if self.own_at > 0 && self.own_at >= self.own.len() / 4 {
            self.own.drain(..self.own_at);
            self.forget_written();
        }
        let needed = self.own.len() + bytes;
        if self.own.capacity() < needed {
            let most = self.cap_bytes + self.cap_bytes / 3;
            let roomy = (2 * self.own.capacity()).min(most).max(needed);
            self.own.reserve_exact(roomy - self.own.len());
        }
    }

    /// Hands a large buffer on where little waits in it: who calls this expects to wait for the client, perhaps for long.
    pub fn shrink(&mut self) {
        let waiting = &self.own[self.own_at..];
        if self.own.capacity() <= SMALL_BYTES.max(4 * waiting.len()) {
            return;
        }
        let fitting = waiting.to_vec();
        self.give_spare(fitting);
        self.forget_written();
    }

    /// Counts from the first byte that is not written, where those before it are gone.
    fn forget_written(&mut self) {
        for shared in &mut self.shared {
            shared.at -= self.own_at;
        }
        self.own_at = 0;
    }

    fn give_spare(&mut self, instead: Vec<u8>) {
        let mut large = std::mem::replace(&mut self.own, instead);
        large.clear();
        self.spare.give(large);
    }

    /// What is to be written next, or the beginning of it.
    pub fn pending(&self) -> Pieces<'_> {
        let mut pieces = Pieces::new();
        let mut at = self.own_at;
        for shared in self.shared.iter().take(MOST_PIECES / 2) {
            if at < shared.at {
                pieces.push(IoSlice::new(&self.own[at..shared.at]));
                at = shared.at;
            }
            pieces.push(IoSlice::new(&shared.bytes));
        }
        let end = match self.shared.get(MOST_PIECES / 2) {
            Some(next) => next.at,
            None => self.own.len(),
        };
        if at < end && pieces.len() < MOST_PIECES {
            pieces.push(IoSlice::new(&self.own[at..end]));
        }
        pieces
    }

    /// How many bytes wait.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Notes that so many of the pending bytes were written.
    pub fn advance(&mut self, bytes: usize) {
        let mut left = bytes.min(self.waiting_bytes);
        self.waiting_bytes -= left;
        while let Some(first) = self.shared.front_mut() {
            let own_bytes = left.min(first.at - self.own_at);
            self.own_at += own_bytes;
            left -= own_bytes;
            if self.own_at < first.at || left < first.bytes.len() {
                first.bytes.advance(left);
                left = 0;
                break;
            }
            left -= first.bytes.len();
            self.shared.pop_front();
        }
        self.own_at += left;
        if self.is_empty() {
            self.own_at = 0;
            self.own.clear();
            if self.own.capacity() > KEEP_BYTES {
                self.give_spare(Vec::new());
            }
            if self.shared.capacity() > KEEP_BYTES / size_of::<Shared>() {
                self.shared = VecDeque::new();
            }
        }
        if self.has_room() {
            self.wake_room();
        }
    }

    /// Takes nothing more: what follows is dropped.
    pub fn seal(&mut self) {
        self.sealed = true;
    }

    /// Whether a message did not fit: the client is too slow and its connection must end.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting_bytes == 0
    }

    /// Below the high-water mark (half the cap, or 256 KiB): stored queries and reading go on only then.
    pub fn has_room(&self) -> bool {
        self.waiting_bytes < (self.cap_bytes / 2).min(256 * 1024)
    }

    /// Wakes this waker when something is added.
    pub fn wake_on_push(&mut self, waker: &Waker) {
        match &self.front {
            Some(front) if front.will_wake(waker) => {}
            _ => self.front = Some(waker.clone()),
        }
    }

    /// Wakes nobody when something is added, until [`Outbox::wake_on_push`]: the front runs and looks by itself.
    pub fn forget_front(&mut self) {
        self.front = None;
    }

    /// Wakes this waker when there is room again, or when the connection ends.
    pub fn wake_on_room(&mut self, waker: &Waker) {
        if !self.room.iter().any(|known| known.will_wake(waker)) {
            self.room.push(waker.clone());
        }
    }

    /// Wakes whoever waits for room.
    pub fn wake_room(&mut self) {
        for waiting in self.room.drain(..) {
            waiting.wake();
        }
    }

    /// Wakes the front, so that it writes or looks at the session's state.
    pub fn wake_front(&mut self) {
        if let Some(front) = self.front.take() {
            front.wake();
        }
    }
}

#[cfg(test)]
mod tests;
