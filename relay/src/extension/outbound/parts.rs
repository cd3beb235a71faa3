//! The body of a request: whole, or in parts that come while it is sent.
//!
//! Invariant: what is sent has the length that was told, or the request breaks off.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http_body::{Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

type Failure = Box<dyn Error + Send + Sync>;

/// The body of a request.
pub(super) enum Body {
    /// Can be sent again.
    Whole(Bytes),
    /// Can be sent once.
    Parts(Parts),
    /// Was sent.
    Sent,
}

impl Default for Body {
    fn default() -> Self {
        Body::Whole(Bytes::new())
    }
}

impl Body {
    /// For one request; `None` where it was sent already and nothing is left of it.
    pub(super) fn take(&mut self) -> Option<reqwest::Body> {
        match std::mem::replace(self, Body::Sent) {
            Body::Whole(bytes) => {
                *self = Body::Whole(bytes.clone());
                Some(bytes.into())
            }
            Body::Parts(parts) => Some(reqwest::Body::wrap(parts)),
            Body::Sent => None,
        }
    }

    /// For the only request. Nothing is sent of what was sent before.
    pub(super) fn into_sent(mut self) -> reqwest::Body {
        self.take().unwrap_or_default()
    }

    /// Whether nothing goes along with a redirect.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Body::Whole(bytes) if bytes.is_empty())
    }
}

type PartStream = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// Parts of a known length together.
pub(super) struct Parts {
    left_bytes: u64,
    /// Never waited for: it makes of what can be sent to a thread something that can be shared by some.
    parts: Mutex<PartStream>,
}

impl Parts {
    pub(super) fn new<E: Into<Failure>>(
        bytes: u64,
        parts: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Self {
        Parts {
            left_bytes: bytes,
            parts: Mutex::new(Box::pin(parts.map(|part| part.map_err(Into::into)))),
        }
    }
}

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let parts = self.parts.get_mut().unwrap_or_else(PoisonError::into_inner);
        let part = match ready!(parts.as_mut().poll_next(context)) {
            Some(part) => part?,
            None if self.left_bytes == 0 => return Poll::Ready(None),
            None => return Poll::Ready(Some(Err("the body is shorter than was told".into()))),
        };
        match self.left_bytes.checked_sub(part.len() as u64) {
            Some(left_bytes) => {
                self.left_bytes = left_bytes;
                Poll::Ready(Some(Ok(Frame::data(part))))
            }
            None => Poll::Ready(Some(Err("the body is longer than was told".into()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left_bytes)
    }
}
