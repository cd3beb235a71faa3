//! The body of the response to a handshake: runs the actor and gives actix-http what waits in the outbox.
//!
//! Invariant: bytes leave the outbox only when actix-http asks, which it does while it has less than one buffer (32 KiB
//! by default) waiting for the socket. So what waits for a slow client is counted in its outbox, but for that buffer and
//! one chunk.

use crate::outbox::Outbox;
use crate::session::{CloseCause, Session};
use actix_web::Error;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{Fuse, StreamExt as _};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The body; dropping it ends the session.
pub(super) struct Outflow<A> {
    /// Never yields anything, since the actor sends nothing itself; to poll it is to run the actor.
    actor: Pin<Box<Fuse<A>>>,
    session: Rc<Session>,
}

/// Bytes handed over at once.
const CHUNK_BYTES: usize = 16 * 1024;

impl<A: Stream> Outflow<A> {
    pub(super) fn new(actor: A, session: Rc<Session>) -> Self {
        Outflow {
            actor: Box::pin(actor.fuse()),
            session,
        }
    }
}

impl<A: Stream<Item = Result<Bytes, Error>>> Stream for Outflow<A> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let session = &this.session;
        session.set_blocked(false);
        {
            let relay = session.worker.relay.clone();
            // The writer waits with its commit until the events that are there now have come.
            let _approach = relay.writer.approach();
            match this.actor.as_mut().poll_next(cx) {
                Poll::Ready(Some(sent)) => return Poll::Ready(Some(sent)),
                Poll::Ready(None) => session.close(CloseCause::Gone),
                Poll::Pending => {}
            }
        }
        let closing = session.closing();
        let mut outbox = session.outbox();
        if !outbox.is_empty() && closing != Some(CloseCause::TooSlow) {
            let chunk = next_chunk(&mut outbox);
            outbox.shrink();
            drop(outbox);
            // Until actix-http asks for more; it asks at once where the socket takes what it has.
            session.set_blocked(true);
            return Poll::Ready(Some(Ok(chunk)));
        }
        if closing.is_some() {
            // What the client still sends is read and dropped by actix-http, for a moment.
            return Poll::Ready(None);
        }
        outbox.wake_on_push(cx.waker());
        Poll::Pending
    }
}

fn next_chunk(outbox: &mut Outbox) -> Bytes {
    let mut chunk = Vec::with_capacity(outbox.waiting_bytes().min(CHUNK_BYTES));
    for piece in &outbox.pending() {
        let left = CHUNK_BYTES - chunk.len();
        chunk.extend_from_slice(&piece[..piece.len().min(left)]);
    }
    outbox.advance(chunk.len());
    chunk.into()
}

impl<A> Drop for Outflow<A> {
    fn drop(&mut self) {
        self.session.end();
    }
}
