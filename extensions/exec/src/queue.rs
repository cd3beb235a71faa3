//! Questions that wait for a process of one program.
//!
//! Invariant: a question in it is answered, once: by a process that takes it, or by an error when nobody will. Its length
//! is bounded by `max_concurrent`, the core's bound for questions under way.

use crate::protocol::{Question, Verdict};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// Why a question got no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("it gave no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("its process ended twice before it answered; the last one {0}")]
    Died(String),
    #[error("it is not running: it {0}")]
    Down(String),
    #[error("{0}")]
    Wrong(String),
    #[error("no process was free in time")]
    Busy,
    #[error("it is being stopped")]
    Stopping,
}

pub(crate) type Answer = Result<Verdict, Unanswered>;

/// A question and whoever waits for the answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) question: Question,
    answer: oneshot::Sender<Answer>,
    /// Set once a process has it: from then on the time of the process counts.
    taken: Arc<AtomicBool>,
    /// A process has ended over it.
    pub(crate) is_second_try: bool,
}

/// Whether a process can be asked a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Now,
    /// Others may be asked before.
    Later,
    /// Once it has no other question; until then it is asked nothing.
    Alone,
}

/// What there is to ask a process.
#[derive(Debug)]
pub(crate) enum Taken {
    One(Asked),
    /// A question waits until the process has no other.
    Alone,
    None,
}

/// Who waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    answer: oneshot::Receiver<Answer>,
    taken: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    questions: VecDeque<Asked>,
    /// Why nobody will take anything.
    refused: Option<Unanswered>,
}

impl Asked {
    pub(crate) fn answer(self, answer: Answer) {
        // Nobody may be waiting any more.
        let _ = self.answer.send(answer);
    }
}

impl Queue {
    /// Adds a question at the end.
    pub(crate) fn ask(&self, question: Question) -> Waiter {
        let (answer, answered) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let asked = Asked {
            question,
            answer,
            taken: taken.clone(),
            is_second_try: false,
        };
        let mut waiting = self.lock();
        match &waiting.refused {
            Some(why) => asked.answer(Err(why.clone())),
            None => {
                // Whoever gave up stands at the front, since all wait for equally long.
                while (waiting.questions.front()).is_some_and(|asked| asked.answer.is_closed()) {
                    waiting.questions.pop_front();
                }
                waiting.questions.push_back(asked);
                self.changed.notify_one();
            }
        }
        Waiter {
            answer: answered,
            taken,
        }
    }

    /// The first question that somebody waits for and that may be put now.
    pub(crate) fn take(&self, readiness: impl Fn(&Asked) -> Readiness) -> Taken {
        let mut waiting = self.lock();
        let wanted = |asked: &Asked| !asked.answer.is_closed();
        while waiting
            .questions
            .front()
            .is_some_and(|asked| !wanted(asked))
        {
            waiting.questions.pop_front();
        }
        let mut questions = waiting.questions.iter().enumerate();
        let found = questions.find_map(|(at, asked)| match readiness(asked) {
            _ if !wanted(asked) => None,
            Readiness::Later => None,
            ready => Some((at, ready)),
        });
        match found {
            Some((_, Readiness::Alone)) => Taken::Alone,
            Some((at, _)) => match waiting.questions.remove(at) {
                Some(asked) => {
                    asked.taken.store(true, Relaxed);
                    Taken::One(asked)
                }
                None => Taken::None,
            },
            None => Taken::None,
        }
    }

    /// Lets another process see whether there is something to take.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().questions.is_empty()
    }

    /// Puts a question back to the front, for another process.
    pub(crate) fn put_back(&self, mut asked: Asked) {
        asked.is_second_try = true;
        let mut waiting = self.lock();
        match waiting.refused.clone() {
            Some(why) => asked.answer(Err(why)),
            None => waiting.questions.push_front(asked),
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Answers everything that waits, and whatever comes until [`Queue::open`], with this.
    pub(crate) fn refuse(&self, why: &Unanswered) {
        let mut waiting = self.lock();
        if waiting.refused != Some(Unanswered::Stopping) {
            waiting.refused = Some(why.clone());
        }
        for asked in waiting.questions.drain(..) {
            asked.answer(Err(why.clone()));
        }
    }

    /// Lets what waits wait on, and refuses what comes.
    pub(crate) fn close(&self) {
        self.lock().refused = Some(Unanswered::Stopping);
        self.changed.notify_waiters();
    }

    /// Takes questions again, unless it was closed for good.
    pub(crate) fn open(&self) {
        let mut waiting = self.lock();
        if waiting.refused != Some(Unanswered::Stopping) {
            waiting.refused = None;
        }
    }

    /// Ends when there may be something to take.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// The answer; `Busy` when no process has taken the question after a while.
    pub(crate) async fn answered(mut self, max_wait: Duration) -> Answer {
        let gone = |_| Err(Unanswered::Stopping);
        match tokio::time::timeout(max_wait, &mut self.answer).await {
            Ok(answer) => answer.unwrap_or_else(gone),
            Err(_) if self.taken.load(Relaxed) => self.answer.await.unwrap_or_else(gone),
            Err(_) => Err(Unanswered::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::protocol::Question;
    use bytes::Bytes;

    const LONG: Duration = Duration::from_secs(60);

    fn question(id: &str) -> Question {
        Question {
            id: id.to_owned(),
            line: Bytes::new(),
        }
    }

    fn take(queue: &Queue) -> Asked {
        taken(queue.take(|_| Readiness::Now)).unwrap()
    }

    fn taken(taken: Taken) -> Option<Asked> {
        match taken {
            Taken::One(asked) => Some(asked),
            Taken::Alone | Taken::None => None,
        }
    }

    fn unless_a(asked: &Asked) -> Readiness {
        match asked.question.id == "a" {
            true => Readiness::Later,
            false => Readiness::Now,
        }
    }

    #[tokio::test]
    async fn e12_nothing_is_taken_past_a_question_that_is_to_be_asked_alone() {
        let queue = Queue::default();
        let _waiters = ["a", "b"].map(|id| queue.ask(question(id)));
        queue.put_back(take(&queue));
        let busy = |asked: &Asked| match asked.is_second_try {
            true => Readiness::Alone,
            false => Readiness::Now,
        };
        assert!(matches!(queue.take(busy), Taken::Alone));
        assert_eq!(take(&queue).question.id, "a");
        assert_eq!(taken(queue.take(busy)).unwrap().question.id, "b");
    }

    #[tokio::test]
    async fn e12_a_question_that_was_put_back_is_the_first_again() {
        let queue = Queue::default();
        let _waiters = ["a", "b"].map(|id| queue.ask(question(id)));
        let asked = take(&queue);
        assert!(!asked.is_second_try);
        queue.put_back(asked);
        let again = take(&queue);
        assert_eq!(
            (again.question.id.as_str(), again.is_second_try),
            ("a", true)
        );
    }

    #[tokio::test]
    async fn e12_a_question_that_may_not_be_put_now_keeps_its_place() {
        let queue = Queue::default();
        let _waiters = ["a", "b", "a"].map(|id| queue.ask(question(id)));
        assert_eq!(taken(queue.take(unless_a)).unwrap().question.id, "b");
        assert!(taken(queue.take(unless_a)).is_none());
        assert_eq!(take(&queue).question.id, "a");
    }

    #[tokio::test]
    async fn e12_whoever_gave_up_is_not_asked_for() {
        let queue = Queue::default();
        drop(queue.ask(question("gone")));
        let waiter = queue.ask(question("here"));
        let asked = take(&queue);
        assert_eq!(asked.question.id, "here");
        asked.answer(Ok(Verdict::ShadowReject));
        assert_eq!(waiter.answered(LONG).await, Ok(Verdict::ShadowReject));
        assert!(queue.is_empty());
    }

    #[tokio::test]
    async fn e12_a_question_that_nobody_takes_is_busy_and_one_that_is_taken_waits_on() {
        let queue = Queue::default();
        let waiter = queue.ask(question("a"));
        assert_eq!(waiter.answered(Duration::ZERO).await, Err(Unanswered::Busy));
        let waiter = queue.ask(question("b"));
        let asked = take(&queue);
        let answered = waiter.answered(Duration::ZERO);
        let answers = async {
            tokio::task::yield_now().await;
            asked.answer(Ok(Verdict::ShadowReject));
        };
        let (answer, ()) = tokio::join!(answered, answers);
        assert_eq!(answer, Ok(Verdict::ShadowReject));
    }

    #[tokio::test]
    async fn e12_a_queue_that_refuses_answers_what_waits_and_what_comes() {
        let queue = Queue::default();
        let waiting = queue.ask(question("a"));
        let down = Unanswered::Down("ended".to_owned());
        queue.refuse(&down);
        assert_eq!(waiting.answered(LONG).await, Err(down.clone()));
        assert_eq!(queue.ask(question("b")).answered(LONG).await, Err(down));
        queue.open();
        let waiting = queue.ask(question("c"));
        queue.close();
        queue.open();
        let late = queue.ask(question("d")).answered(LONG).await;
        assert_eq!(late, Err(Unanswered::Stopping));
        take(&queue).answer(Ok(Verdict::ShadowReject));
        assert!(waiting.answered(LONG).await.is_ok());
    }
}
