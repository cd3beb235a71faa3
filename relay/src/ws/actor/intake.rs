//! What comes from the client, cut so that the decoder holds one frame at most.
//!
//! actix-web-actors' decoder reads all that is there before it looks at it, and collects a frame whole before it finds
//! it too long. So this stream ends a batch with every frame, refuses a frame by the length that it claims, and pauses
//! where the session takes nothing more for now.

use crate::session::{CloseCause, Session};
use actix_http::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The stream that the decoder reads.
pub(super) struct Intake<P> {
    payload: P,
    session: Rc<Session>,
    max_bytes: usize,
    /// Came, and was not yet handed to the decoder.
    unread: BytesMut,
    /// Bytes that the decoder still lacks of the frame it has begun.
    lacking: usize,
    /// The decoder has a whole frame, which it takes when this stream pauses.
    frame_is_whole: bool,
}

impl<P> Intake<P> {
    pub(super) fn new(payload: P, session: Rc<Session>, max_bytes: usize) -> Self {
        Intake {
            payload,
            session,
            max_bytes,
            unread: BytesMut::new(),
            lacking: 0,
            frame_is_whole: false,
        }
    }

    /// Hands over what is there of the frame that the decoder has begun.
    fn piece(&mut self) -> Bytes {
        let bytes = self.lacking.min(self.unread.len());
        self.lacking -= bytes;
        self.frame_is_whole = self.lacking == 0;
        self.unread.split_to(bytes).freeze()
    }

    /// Whether the session takes a further frame now. Where it does not, somebody polls again: the outflow when it has
    /// made room, and nobody needs to when the connection ends.
    fn may_go_on(&self) -> bool {
        let session = &self.session;
        session.closing().is_none() && session.worker.is_reading() && session.outbox().has_room()
    }
}

impl<P> Stream for Intake<P>
where
    P: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if std::mem::take(&mut this.frame_is_whole) {
                return Poll::Pending; // the decoder comes again by itself
            }
            if this.lacking == 0 {
                if !this.may_go_on() {
                    return Poll::Pending;
                }
                if let Some(claim) = Claim::read(&this.unread) {
                    if claim.payload_bytes > this.max_bytes as u64 {
                        super::refuse_size(&this.session, this.max_bytes);
                        return Poll::Pending;
                    }
                    this.lacking = claim.head_bytes + claim.payload_bytes as usize;
                }
            }
            if this.lacking > 0 && !this.unread.is_empty() {
                return Poll::Ready(Some(Ok(this.piece())));
            }
            match Pin::new(&mut this.payload).poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) => {
                    this.session.heard();
                    this.unread.extend_from_slice(&bytes);
                }
                Poll::Ready(Some(Err(_)) | None) => {
                    this.session.close(CloseCause::Gone);
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    if this.unread.is_empty() {
                        this.unread = BytesMut::new(); // idle connections hold no buffer
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

/// What the head of a frame says of its length (RFC 6455 section 5.2).
#[derive(Debug, PartialEq, Eq)]
struct Claim {
    head_bytes: usize,
    payload_bytes: u64,
}

impl Claim {
    /// None while the length has not come whole.
    fn read(frame: &[u8]) -> Option<Claim> {
        let second = *frame.get(1)?;
        let (length_end, payload_bytes) = match second & 0x7f {
            126 => {
                let length: [u8; 2] = frame.get(2..4)?.try_into().ok()?;
                (4, u16::from_be_bytes(length).into())
            }
            127 => {
                let length: [u8; 8] = frame.get(2..10)?.try_into().ok()?;
                (10, u64::from_be_bytes(length))
            }
            short => (2, short.into()),
        };
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        Some(Claim {
            head_bytes: length_end + mask_bytes,
            payload_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(head_bytes: usize, payload_bytes: u64) -> Option<Claim> {
        Some(Claim {
            head_bytes,
            payload_bytes,
        })
    }

    #[test]
    fn c17_the_length_that_a_frame_claims_is_known_from_its_head() {
        assert_eq!(Claim::read(&[0x81]), None);
        assert_eq!(Claim::read(&[0x81, 0x85]), claim(6, 5));
        assert_eq!(Claim::read(&[0x81, 5]), claim(2, 5));
        assert_eq!(Claim::read(&[0x81, 0xfe, 1]), None);
        assert_eq!(Claim::read(&[0x81, 0xfe, 1, 0]), claim(8, 256));
        let mut head = [0xff; 10];
        assert_eq!(Claim::read(&head[..9]), None);
        assert_eq!(Claim::read(&head), claim(14, u64::MAX));
        head[2..].copy_from_slice(&65_536_u64.to_be_bytes());
        assert_eq!(Claim::read(&head), claim(14, 65_536));
    }
}
