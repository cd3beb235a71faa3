//! What comes from the client, cut so that the decoder holds one frame at most.
//!
//! actix-web-actors' decoder reads all that is there before it looks at it, and collects a frame whole before it finds
//! it too long. So this stream ends a batch with every frame, refuses a frame by the length that it claims, and pauses
//! where the session takes nothing more for now.

use super::super::claim::Claim;
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
        session.closing().is_none() && session.is_reading() && session.outbox().has_room()
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
                    if claim.exceeds(this.max_bytes) {
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
