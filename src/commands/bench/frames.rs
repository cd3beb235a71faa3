//! WebSocket frames as a client writes and reads them (RFC 6455), and nothing else of the protocol.
//!
//! Written by hand so that measuring costs little: frames to send are masked once, before the clock starts, and what
//! comes is handed on where it lies.

use super::dice::Dice;
use anyhow::{bail, ensure};
use std::ops::Range;

/// Longest message that is taken from a relay.
const MAX_MESSAGE_BYTES: u64 = 64 << 20;

/// Room that one read is offered.
const READ_BYTES: usize = 64 << 10;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Appends a masked text frame that holds these pieces.
pub(super) fn append_text(dice: &mut Dice, pieces: &[&[u8]], out: &mut Vec<u8>) {
    append(dice, TEXT, pieces, out);
}

fn append(dice: &mut Dice, opcode: u8, pieces: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    out.push(0x80 | opcode);
    match length {
        0..126 => out.push(0x80 | length as u8),
        126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = (dice.next() as u32).to_be_bytes();
    out.extend_from_slice(&mask);
    let from = out.len();
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    for (at, byte) in out[from..].iter_mut().enumerate() {
        *byte ^= mask[at % 4];
    }
}

/// What a relay sent and nobody has looked at yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
    /// A message of several frames, until its last has come.
    fragments: Vec<u8>,
    whole: Vec<u8>,
    /// Pongs to send.
    replies: Vec<u8>,
}

/// Where a message lies.
#[derive(Debug)]
pub(super) enum Message {
    InPlace(Range<usize>),
    Reassembled,
}

impl Inbox {
    /// Room for what comes next.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        } else if self.taken > READ_BYTES {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.reserve(READ_BYTES);
        &mut self.bytes
    }

    /// Gives memory back that is not needed while nothing comes.
    pub(super) fn shrink(&mut self) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.shrink_to_fit();
    }

    /// The next whole message, if it is there.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Message>> {
        while let Some((first, payload)) = self.frame()? {
            let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
            ensure!(
                first & 0x70 == 0,
                "the relay sent a frame with reserved bits"
            );
            match opcode {
                TEXT | BINARY if is_last => return Ok(Some(Message::InPlace(payload))),
                TEXT | BINARY | CONTINUATION => {
                    let (bytes, fragments) = (&self.bytes[payload], &mut self.fragments);
                    let total = (fragments.len() + bytes.len()) as u64;
                    ensure!(
                        total <= MAX_MESSAGE_BYTES,
                        "the relay sent a message that is too long"
                    );
                    fragments.extend_from_slice(bytes);
                    if is_last {
                        self.whole = std::mem::take(&mut self.fragments);
                        return Ok(Some(Message::Reassembled));
                    }
                }
                PING => {
                    let bytes = self.bytes[payload].to_vec();
                    append(
                        &mut Dice::of(0, self.taken as u64),
                        PONG,
                        &[&bytes],
                        &mut self.replies,
                    );
                }
                PONG => {}
                CLOSE => {
                    let why = self.bytes[payload].get(2..).unwrap_or_default();
                    bail!(
                        "the relay closed the connection: {:?}",
                        String::from_utf8_lossy(why)
                    );
                }
                other => bail!("the relay sent a frame of the unknown type {other}"),
            }
        }
        Ok(None)
    }

    /// The bytes of a message, until more is asked for.
    pub(super) fn text(&self, message: &Message) -> &[u8] {
        match message {
            Message::InPlace(range) => &self.bytes[range.clone()],
            Message::Reassembled => &self.whole,
        }
    }

    /// What has to be sent in reply to pings.
    pub(super) fn take_replies(&mut self) -> Option<Vec<u8>> {
        (!self.replies.is_empty()).then(|| std::mem::take(&mut self.replies))
    }

    /// The first byte and the payload of the next whole frame.
    fn frame(&mut self) -> anyhow::Result<Option<(u8, Range<usize>)>> {
        let bytes = &self.bytes[self.taken..];
        let &[first, second, ..] = bytes else {
            return Ok(None);
        };
        ensure!(second & 0x80 == 0, "the relay sent a masked frame");
        let (head, length) = match second {
            126 => match bytes.get(2..4) {
                Some(&[a, b]) => (4, u64::from(u16::from_be_bytes([a, b]))),
                _ => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(|eight| eight.try_into().ok()) {
                Some(eight) => (10, u64::from_be_bytes(eight)),
                None => return Ok(None),
            },
            length => (2, u64::from(length)),
        };
        ensure!(
            length <= MAX_MESSAGE_BYTES,
            "the relay sent a frame that is too long"
        );
        let end = head + length as usize;
        if bytes.len() < end {
            return Ok(None);
        }
        let from = self.taken;
        self.taken += end;
        Ok(Some((first, from + head..from + end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).expect("short").to_be_bytes();
        [&[first, 126], &length[..], payload].concat()
    }

    #[test]
    fn v1_messages_are_found_however_they_are_cut() {
        let bytes = [
            server_frame(0x81, b"one"),
            server_frame(0x01, b"tw"),
            server_frame(0x89, b"ping"),
            server_frame(0x80, b"o"),
            server_frame(0x81, &[b'x'; 70]),
        ]
        .concat();
        for portion in [1, 2, 3, 7, bytes.len()] {
            let mut inbox = Inbox::default();
            let mut found = Vec::new();
            for part in bytes.chunks(portion) {
                inbox.room().extend_from_slice(part);
                while let Some(message) = inbox.next().expect("good frames") {
                    found.push(inbox.text(&message).to_vec());
                }
            }
            assert_eq!(found, [b"one".to_vec(), b"two".to_vec(), vec![b'x'; 70]]);
            let pong = inbox.take_replies().expect("a pong");
            assert_eq!(pong[..2], [0x8a, 0x84]);
        }
        let mut inbox = Inbox::default();
        inbox
            .room()
            .extend_from_slice(&server_frame(0x88, b"\x03\xe8bye"));
        let closed = inbox.next().expect_err("closed").to_string();
        assert!(closed.contains("bye"), "{closed}");
    }

    #[test]
    fn v1_what_is_sent_is_masked() {
        let mut out = Vec::new();
        let text = "x".repeat(300);
        append_text(
            &mut Dice::of(1, 1),
            &[b"[", text.as_bytes(), b"]"],
            &mut out,
        );
        let &[first, second, high, low, ref rest @ ..] = &out[..] else {
            panic!("a head");
        };
        assert_eq!((first, second), (0x81, 0x80 | 126));
        assert_eq!(u16::from_be_bytes([high, low]), 302);
        let (mask, payload) = rest.split_at(4);
        assert_ne!(mask, [0; 4]);
        let plain: Vec<u8> = payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ mask[at % 4])
            .collect();
        assert_eq!(plain, format!("[{text}]").into_bytes());
    }
}
