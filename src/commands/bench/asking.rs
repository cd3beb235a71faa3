//! One connection that asks: several questions at a time, each answer judged when it is complete.

use super::answer::{self, Answer};
use super::expected::{Hits, Judge};
use super::latency::Latencies;
use super::socket::Socket;
use anyhow::Context as _;
use std::collections::HashSet;
use std::time::Instant;
use trellis_relay::event::Event;

/// Mistakes that are told in full.
const TOLD_MISTAKES: usize = 5;
const SHOWN_FILTER_CHARS: usize = 600;

/// A question and its answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) class: usize,
    /// The filters, with commas between.
    pub(super) filters_json: String,
    pub(super) hits: Vec<Hits>,
}

/// What came.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) queries: u64,
    pub(super) events: u64,
    pub(super) wrong: u64,
    pub(super) mistakes: Vec<String>,
    /// How many NOTICEs came, and the last of them.
    pub(super) notices: u64,
    pub(super) last_notice: Option<String>,
    pub(super) latencies: Latencies,
}

impl Answers {
    pub(super) fn add(&mut self, other: Answers) {
        self.queries += other.queries;
        self.events += other.events;
        self.wrong += other.wrong;
        self.mistakes.extend(other.mistakes);
        self.mistakes.truncate(TOLD_MISTAKES);
        self.notices += other.notices;
        self.last_notice = other.last_notice.or(self.last_notice.take());
        self.latencies.append(&other.latencies);
    }

    fn state(&self) -> String {
        match &self.last_notice {
            Some(notice) => format!("after {} answers, and the notice {notice:?}", self.queries),
            None => format!("after {} answers", self.queries),
        }
    }

    fn judge(&mut self, question: &Question, mistake: Option<String>) {
        let Some(mistake) = mistake else {
            return;
        };
        self.wrong += 1;
        if self.mistakes.len() < TOLD_MISTAKES {
            let filters: String = question
                .filters_json
                .chars()
                .take(SHOWN_FILTER_CHARS)
                .collect();
            self.mistakes
                .push(format!("{mistake}; asked for {filters}"));
        }
    }
}

/// The connection.
pub(super) struct Asker<'q> {
    pub(super) socket: Socket,
    pub(super) questions: &'q [Question],
    pub(super) judge: Judge,
    /// Whether events are read whole, and ids and signatures recomputed. Ids known to be right.
    pub(super) thorough: Option<HashSet<[u8; 32]>>,
}

struct Asked {
    sub: String,
    question: usize,
    since: Instant,
    ids: Vec<[u8; 32]>,
    mistake: Option<String>,
    /// The relay has ended the subscription.
    is_closed: bool,
}

impl Asker<'_> {
    /// Asks these questions, at most so many at a time.
    pub(super) async fn ask(
        &mut self,
        which: &[usize],
        in_flight: usize,
    ) -> anyhow::Result<Answers> {
        let mut answers = Answers::default();
        let mut open: Vec<Asked> = Vec::with_capacity(in_flight);
        let mut next = which.iter().enumerate();
        loop {
            while open.len() < in_flight
                && let Some((number, &question)) = next.next()
            {
                let sub = format!("q{number}");
                let text = format!(
                    "[\"REQ\",\"{sub}\",{}]",
                    self.questions[question].filters_json
                );
                let since = Instant::now();
                self.socket.send_text(&text).await?;
                open.push(Asked {
                    sub,
                    question,
                    since,
                    ids: Vec::with_capacity(64),
                    mistake: None,
                    is_closed: false,
                });
            }
            if open.is_empty() {
                return Ok(answers);
            }
            let before = answers.queries;
            while let Some(message) = self.socket.next()? {
                let text = self.socket.text(&message);
                if let Answer::Notice { words } = Answer::read(text) {
                    answers.notices += 1;
                    answers.last_notice = Some(String::from_utf8_lossy(words).into_owned());
                    continue;
                }
                let done = take(text, &mut open, &mut self.thorough);
                let done = done.with_context(|| answers.state())?;
                let Some(asked) = done.map(|at| open.swap_remove(at)) else {
                    continue;
                };
                answers.latencies.add(asked.since.elapsed());
                answers.queries += 1;
                answers.events += asked.ids.len() as u64;
                if !asked.is_closed {
                    let close = format!("[\"CLOSE\",\"{}\"]", asked.sub);
                    self.socket.send_text(&close).await?;
                }
                let question = &self.questions[asked.question];
                let mistake = asked
                    .mistake
                    .or_else(|| self.judge.mistake(&question.hits, &asked.ids));
                answers.judge(question, mistake);
            }
            if answers.queries == before {
                let received = self.socket.receive().await;
                received.with_context(|| answers.state())?;
            }
        }
    }
}

/// Takes one message; gives which answer is complete with it.
fn take(
    text: &[u8],
    open: &mut [Asked],
    thorough: &mut Option<HashSet<[u8; 32]>>,
) -> anyhow::Result<Option<usize>> {
    let position = |sub: &[u8]| open.iter().position(|asked| asked.sub.as_bytes() == sub);
    let unknown = |sub: &[u8]| {
        format!(
            "an answer to {:?}, which nobody asked",
            String::from_utf8_lossy(sub)
        )
    };
    match Answer::read(text) {
        Answer::Event { sub, json } => {
            let at = position(sub).with_context(|| unknown(sub))?;
            let id = answer::event_id(json).context("an event without an id")?;
            if let Some(known) = thorough
                && known.insert(id)
                && let Err(error) = Event::parse(json).and_then(|event| event.verify())
            {
                open[at].mistake = Some(format!(
                    "the event {} is not right: {error}",
                    const_hex::encode(id)
                ));
            }
            open[at].ids.push(id);
            Ok(None)
        }
        Answer::EndOfStored { sub } => Ok(Some(position(sub).with_context(|| unknown(sub))?)),
        Answer::Closed { sub, words } => {
            let at = position(sub);
            if let Some(at) = at {
                open[at].is_closed = true;
                // Without words it says that all has been sent and nothing can follow.
                if !words.is_empty() {
                    open[at].mistake = Some(format!("CLOSED {:?}", String::from_utf8_lossy(words)));
                }
            }
            Ok(at)
        }
        Answer::Notice { .. } | Answer::Ok { .. } | Answer::Other => Ok(None),
    }
}
