//! Puts fragmented messages together (RFC 6455 section 5.4), bounded over all fragments.

use actix_http::ws::{Frame, Item};
use bytes::{Bytes, BytesMut};

/// The fragments of one message so far.
#[derive(Debug, Default)]
pub(super) struct Assembly(Option<Box<BytesMut>>);

/// What a data frame amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Data {
    /// A whole text message.
    Text(Bytes),
    /// Nothing yet.
    More,
    /// Binary, which Nostr does not use.
    Binary,
    /// Longer than allowed.
    TooBig,
}

impl Assembly {
    /// Takes a data frame; `None` for a control frame, which is handed back by being left alone.
    pub(super) fn take(&mut self, frame: &Frame, max_bytes: usize) -> Option<Data> {
        let item = match frame {
            Frame::Text(text) if text.len() > max_bytes => return Some(Data::TooBig),
            Frame::Text(text) => return Some(Data::Text(text.clone())),
            Frame::Binary(_) => return Some(Data::Binary),
            Frame::Continuation(item) => item,
            Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) => return None,
        };
        let (piece, last) = match item {
            Item::FirstBinary(_) => return Some(Data::Binary),
            Item::FirstText(piece) => {
                self.0 = Some(Box::default());
                (piece, false)
            }
            Item::Continue(piece) => (piece, false),
            Item::Last(piece) => (piece, true),
        };
        let Some(so_far) = &mut self.0 else {
            return Some(Data::Binary); // the continuation of a binary message
        };
        if so_far.len() + piece.len() > max_bytes {
            self.0 = None;
            return Some(Data::TooBig);
        }
        so_far.extend_from_slice(piece);
        match (last, self.0.take()) {
            (true, Some(whole)) => Some(Data::Text(whole.freeze())),
            (_, rest) => {
                self.0 = rest;
                Some(Data::More)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c17_the_limit_counts_over_continuation_frames() {
        let piece = || Bytes::from_static(b"12345");
        let mut assembly = Assembly::default();
        let first = Frame::Continuation(Item::FirstText(piece()));
        assert_eq!(assembly.take(&first, 10), Some(Data::More));
        let last = Frame::Continuation(Item::Last(piece()));
        let whole = Bytes::from_static(b"1234512345");
        assert_eq!(assembly.take(&last, 10), Some(Data::Text(whole)));

        assert_eq!(assembly.take(&first, 10), Some(Data::More));
        let next = Frame::Continuation(Item::Continue(piece()));
        assert_eq!(assembly.take(&next, 10), Some(Data::More));
        assert_eq!(assembly.take(&last, 10), Some(Data::TooBig));
        assert_eq!(assembly.take(&Frame::Text(piece()), 4), Some(Data::TooBig));
    }
}
