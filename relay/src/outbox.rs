//! What waits to be sent to one client: WebSocket frames in one buffer, bounded in bytes.
//!
//! Invariant: the buffer never holds more than the cap. A message that does not fit marks the client as too slow, and
//! its connection ends; nothing is dropped silently from a connection that lives on. Fronts drain it, flows fill it.

use bytes::{Buf, BytesMut};
use std::task::Waker;

/// The send queue of a session.
#[derive(Debug)]
pub struct Outbox {
    buf: BytesMut,
    cap_bytes: usize,
    overflowed: bool,
    sealed: bool,
    front: Option<Waker>,
    /// Wakes a stored query that waits for room.
    room: Vec<Waker>,
}

/// An empty outbox keeps a buffer up to this size, so that busy connections do not allocate again and idle ones cost little.
const KEEP_BYTES: usize = 1024;
/// RFC 6455: FIN and opcode 1, text.
const TEXT: u8 = 0x81;

impl Outbox {
    /// An empty outbox that takes up to `cap_bytes`.
    pub fn new(cap_bytes: usize) -> Self {
        Outbox {
            buf: BytesMut::new(),
            cap_bytes,
            overflowed: false,
            sealed: false,
            front: None,
            room: Vec::new(),
        }
    }

    /// Adds one text frame made of pieces.
    pub fn push_text(&mut self, pieces: &[&[u8]]) {
        let payload_bytes = pieces.iter().map(|piece| piece.len()).sum();
        self.push_frame(TEXT, payload_bytes, pieces);
    }

    /// Adds a control frame (RFC 6455 section 5.5); `opcode` is 8 close, 9 ping, 10 pong.
    pub fn push_control(&mut self, opcode: u8, payload: &[u8]) {
        let payload = &payload[..payload.len().min(125)];
        self.push_frame(0x80 | opcode, payload.len(), &[payload]);
    }

    fn push_frame(&mut self, first: u8, payload_bytes: usize, pieces: &[&[u8]]) {
        const MAX_HEADER_BYTES: usize = 10;
        if self.sealed {
            return;
        }
        if self.overflowed || self.buf.len() + payload_bytes + MAX_HEADER_BYTES > self.cap_bytes {
            self.overflowed = true;
        } else {
            self.buf.reserve(payload_bytes + MAX_HEADER_BYTES);
            self.buf.extend_from_slice(&[first]);
            match payload_bytes {
                0..=125 => self.buf.extend_from_slice(&[payload_bytes as u8]),
                126..=0xffff => {
                    self.buf.extend_from_slice(&[126]);
                    self.buf
                        .extend_from_slice(&(payload_bytes as u16).to_be_bytes());
                }
                _ => {
                    self.buf.extend_from_slice(&[127]);
                    self.buf
                        .extend_from_slice(&(payload_bytes as u64).to_be_bytes());
                }
            }
            for piece in pieces {
                self.buf.extend_from_slice(piece);
            }
        }
        if let Some(front) = self.front.take() {
            front.wake();
        }
    }

    /// What is to be written next.
    pub fn pending(&self) -> &[u8] {
        &self.buf
    }

    /// Notes that bytes were written.
    pub fn advance(&mut self, bytes: usize) {
        self.buf.advance(bytes);
        if self.buf.is_empty() {
            if self.buf.capacity() > KEEP_BYTES {
                self.buf = BytesMut::new();
            } else {
                self.buf.clear();
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
        self.buf.is_empty()
    }

    /// Below the high-water mark (half the cap, or 256 KiB): stored queries and reading go on only then.
    pub fn has_room(&self) -> bool {
        self.buf.len() < (self.cap_bytes / 2).min(256 * 1024)
    }

    /// Wakes this waker when something is added.
    pub fn wake_on_push(&mut self, waker: &Waker) {
        match &self.front {
            Some(front) if front.will_wake(waker) => {}
            _ => self.front = Some(waker.clone()),
        }
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

    /// Wakes the front though nothing was added, so that it looks at the session's state.
    pub fn wake_front(&mut self) {
        if let Some(front) = self.front.take() {
            front.wake();
        }
    }
}
