//! Verdicts that take time: async `admit` hooks of one connection overlap, their events are released in arrival order.

use super::{Candidate, admit_again, decide};
use crate::extension::{Admit, AdmitRequest, Hooks};
use crate::session::{Session, Wait};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// Events of one connection that may be thought about at once.
const MAX_OPEN: usize = 32;

/// The queue of one connection; absent until an async hook is asked for the first time.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    queue: VecDeque<Entry>,
    /// The number of the entry at the front of the queue.
    first: u64,
    waiting: Vec<Waker>,
}

#[derive(Debug)]
struct Entry {
    candidate: Candidate,
    verdict: Option<Admit>,
}

/// Asks the async hooks while the connection goes on.
pub(super) fn think(session: &Rc<Session>, hooks: Arc<Hooks>, candidate: Candidate) {
    let request = AdmitRequest {
        event: candidate.event.clone(),
        viewer: candidate.viewer.clone(),
    };
    let number = push(session, candidate, None);
    let session = session.clone();
    actix_rt::spawn(async move {
        let verdict = hooks.plan(request.event.kind()).admit_async(request).await;
        {
            let mut slot = session.admissions.borrow_mut();
            let admissions = slot.get_or_insert_default();
            let at = (number - admissions.first) as usize;
            if let Some(entry) = admissions.queue.get_mut(at) {
                entry.verdict = Some(verdict);
            }
        }
        release(&session);
    });
}

/// Acts on a verdict at once, or behind those that are still open.
pub(super) fn settle(session: &Rc<Session>, candidate: Candidate, verdict: Admit) {
    if open(session) == 0 {
        decide(session, candidate, verdict);
    } else {
        push(session, candidate, Some(verdict));
    }
}

/// A wait until one more event may be thought about; none where it may now.
pub(super) fn room(session: &Rc<Session>) -> Option<Wait> {
    (open(session) >= MAX_OPEN).then(|| until(session, MAX_OPEN - 1))
}

/// A wait until every EVENT so far is on its way: AUTH, REQ, COUNT and CLOSE take effect after it.
pub(in crate::flow) fn admissions_done(session: &Rc<Session>) -> Option<Wait> {
    (open(session) > 0).then(|| until(session, 0))
}

fn until(session: &Rc<Session>, at_most: usize) -> Wait {
    let session = session.clone();
    Box::pin(poll_fn(move |cx| {
        if open(&session) <= at_most {
            return Poll::Ready(());
        }
        let mut slot = session.admissions.borrow_mut();
        slot.get_or_insert_default()
            .waiting
            .push(cx.waker().clone());
        Poll::Pending
    }))
}

fn open(session: &Session) -> usize {
    session
        .admissions
        .borrow()
        .as_ref()
        .map_or(0, |admissions| admissions.queue.len())
}

fn push(session: &Session, candidate: Candidate, verdict: Option<Admit>) -> u64 {
    let mut slot = session.admissions.borrow_mut();
    let admissions = slot.get_or_insert_default();
    admissions.queue.push_back(Entry { candidate, verdict });
    admissions.first + admissions.queue.len() as u64 - 1
}

/// Lets go of everything at the front that has its verdict.
fn release(session: &Rc<Session>) {
    loop {
        let (candidate, verdict) = {
            let mut slot = session.admissions.borrow_mut();
            let Some(admissions) = slot.as_mut() else {
                return;
            };
            match admissions.queue.pop_front() {
                Some(Entry {
                    candidate,
                    verdict: Some(verdict),
                }) => {
                    admissions.first += 1;
                    admissions.waiting.drain(..).for_each(Waker::wake);
                    (candidate, verdict)
                }
                Some(open) => {
                    admissions.queue.push_front(open);
                    return;
                }
                None => return,
            }
        };
        let generation = session.worker.hooks().generation();
        if verdict == Admit::Accept && candidate.generation != generation {
            // Who was switched on meanwhile has not been asked.
            admit_again(session, candidate);
        } else {
            decide(session, candidate, verdict);
        }
    }
}
