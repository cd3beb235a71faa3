//! The body of an extension's response, which is an author's code where it is a stream.
//!
//! Invariant: a stream is polled and dropped under its hook's watch: a panic in it ends that response alone, is counted,
//! and what it says is not logged. A stream that never ends is its client's affair, who may go, and the server's at its end.

use super::super::hook::{Fault, Hook, Panicked};
use super::super::panics;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Puts the body under watch, unless all of it is there already.
pub(super) fn watched(hook: &Arc<Hook>, response: HttpResponse) -> HttpResponse {
    response.map_body(|_, body| match body.try_into_bytes() {
        Ok(bytes) => BoxBody::new(bytes),
        Err(body) => BoxBody::new(Watched {
            hook: hook.clone(),
            body: Some(body),
        }),
    })
}

struct Watched {
    hook: Arc<Hook>,
    /// `None` after a panic.
    body: Option<BoxBody>,
}

type Item = Option<Result<Bytes, Box<dyn std::error::Error>>>;

impl MessageBody for Watched {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.as_ref().map_or(BodySize::None, BoxBody::size)
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Item> {
        let Watched { hook, body } = &mut *self;
        let Some(polled) = body.as_mut() else {
            return Poll::Ready(None);
        };
        match hook.contain(|| Pin::new(polled).poll_next(context)) {
            Ok(item) => item,
            Err(Panicked) => {
                hook.fault(Fault::Panicked);
                let error = io::Error::other("the body ended before its time");
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let body = self.body.take();
        if panics::contain_as(self.hook.owner.name, || drop(body)).is_err() {
            self.hook.owner.count_fault("drop");
        }
    }
}
