//! What passes between the relay and one process: questions in, answers out, in any order.
//!
//! Invariant: every question it has taken is answered, or put back for another process; it never waits for a process
//! that does not read, does not answer or has gone. Not here: what comes after its end (`worker`).

use crate::lines::Lines;
use crate::process::{Process, ending};
use crate::program::{Program, Stage};
use crate::protocol::Reply;
use crate::queue::{Asked, Readiness, Taken, Unanswered};
use crate::version::Version;
use bytes::{Buf as _, BytesMut};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::Instant;

/// A process that has lived for so long has proved itself, whether or not it was asked anything.
const PROBATION: Duration = Duration::from_secs(30);
/// How long is waited for the answers of a process that has ended, should somebody else hold its output.
const LAST_WORDS: Duration = Duration::from_millis(200);

pub(crate) struct Conversation {
    process: Process,
    /// By their order, which is also that of their deadlines.
    open: BTreeMap<u64, Open>,
    by_id: HashMap<String, u64>,
    next: u64,
    outgoing: BytesMut,
    lines: Lines,
    started: Instant,
    is_proved: bool,
    stage: watch::Receiver<Stage>,
}

/// A question that the process has.
struct Open {
    asked: Asked,
    since: Instant,
}

/// Why a conversation paused or ended.
#[derive(Debug)]
pub(crate) enum Pause {
    /// The program's file is of this version by now, and there is a question for it.
    Outdated(Version),
    /// No question is left, and none will come.
    Finished,
    /// It cannot go on; in words that follow "it".
    Failed(String),
}

impl Conversation {
    pub(crate) fn new(process: Process, program: &Program) -> Self {
        Conversation {
            process,
            open: BTreeMap::new(),
            by_id: HashMap::new(),
            next: 0,
            outgoing: BytesMut::new(),
            lines: Lines::new(program.config.max_reply_bytes),
            started: Instant::now(),
            is_proved: false,
            stage: program.stage(),
        }
    }

    /// Asks and listens until there is a reason to pause. Where `is_last` nothing more is taken from the queue.
    pub(crate) async fn go_on(&mut self, program: &Program, is_last: bool) -> Pause {
        loop {
            let mut has_room = !is_last && self.has_room(program);
            while has_room && !program.queue.is_empty() {
                if let Some(version) = program.newer(self.process.version) {
                    return Pause::Outdated(version);
                }
                match program.queue.take(|asked| self.readiness(asked)) {
                    Taken::One(asked) => self.put(asked),
                    Taken::None => break,
                    Taken::Alone => {
                        // It is for whoever has nothing else to do.
                        program.queue.wake();
                        has_room = false;
                        break;
                    }
                }
                has_room = self.has_room(program);
            }
            let is_over = *self.stage.borrow_and_update() == Stage::Over;
            if is_over || self.open.is_empty() && (is_last || program.is_drained()) {
                return Pause::Finished;
            }
            let overdue = self.deadline(program);
            let probation = self.started + PROBATION;
            let Process {
                stdin,
                stdout,
                child,
                ..
            } = &mut self.process;
            tokio::select! {
                () = program.queue.changed(), if has_room => {}
                _ = self.stage.changed() => {}
                written = write(stdin.as_mut(), &self.outgoing), if !self.outgoing.is_empty() => {
                    match written {
                        Ok(bytes) => self.outgoing.advance(bytes),
                        Err(_) => {
                            self.hear_the_rest(program).await;
                            return Pause::Failed("closed its input".to_owned());
                        }
                    }
                }
                read = stdout.read_buf(&mut self.lines.bytes) => match read {
                    Ok(0) => return Pause::Failed("closed its output".to_owned()),
                    Ok(_) => if let Err(failed) = self.hear(program) {
                        return Pause::Failed(failed);
                    },
                    Err(error) => return Pause::Failed(format!("cannot be read: {error}")),
                },
                ended = child.wait() => {
                    self.hear_the_rest(program).await;
                    return Pause::Failed(ended.map_or_else(|error| error.to_string(), ending));
                }
                () = tokio::time::sleep_until(overdue), if !self.open.is_empty() => {
                    let timeout = program.config.answer_timeout();
                    self.give_up_overdue(timeout);
                    let ms = timeout.as_millis();
                    return Pause::Failed(format!("gave no answer within {ms} ms"));
                }
                () = tokio::time::sleep_until(probation), if !self.is_proved => self.prove(program),
            }
        }
    }

    /// Ends it well: the process has no question left.
    pub(crate) async fn dismiss(self) {
        self.process.dismiss().await;
    }

    /// Ends it badly: questions that were not answered are put back, once each. How it went, in words that follow "it".
    pub(crate) async fn put_down(self, program: &Program, mut why: String) -> String {
        if let Some(status) = self.process.put_down().await
            && why != ending(status)
        {
            why = format!("{why} and {}", ending(status));
        }
        // The first is put back last, so that it is the first again.
        for (_, open) in self.open.into_iter().rev() {
            if open.asked.is_second_try {
                open.asked.answer(Err(Unanswered::Died(why.clone())));
            } else {
                program.counts.second_tries.increment(1);
                program.queue.put_back(open.asked);
            }
        }
        why
    }

    /// A question over which a process has ended is asked alone, so that it takes no other with it.
    fn has_room(&self, program: &Program) -> bool {
        let mut open = self.open.values();
        self.open.len() < program.config.in_flight && !open.any(|open| open.asked.is_second_try)
    }

    fn readiness(&self, asked: &Asked) -> Readiness {
        if asked.is_second_try && !self.open.is_empty() {
            Readiness::Alone
        } else if self.by_id.contains_key(&asked.question.id) {
            // It would be answered twice.
            Readiness::Later
        } else {
            Readiness::Now
        }
    }

    fn put(&mut self, asked: Asked) {
        self.outgoing.extend_from_slice(&asked.question.line);
        self.by_id.insert(asked.question.id.clone(), self.next);
        let since = Instant::now();
        self.open.insert(self.next, Open { asked, since });
        self.next += 1;
    }

    fn deadline(&self, program: &Program) -> Instant {
        let first = self.open.first_key_value();
        let since = first.map_or_else(Instant::now, |(_, open)| open.since);
        since + program.config.answer_timeout()
    }

    fn give_up_overdue(&mut self, timeout: Duration) {
        let now = Instant::now();
        while let Some(first) = self.open.first_entry() {
            if first.get().since + timeout > now {
                break;
            }
            let (_, open) = first.remove_entry();
            open.asked.answer(Err(Unanswered::TimedOut(timeout)));
        }
    }

    /// Takes the answers out of what was read. An error means that the process cannot be understood any more.
    fn hear(&mut self, program: &Program) -> Result<(), String> {
        loop {
            let line = self.lines.next().map_err(|_| {
                let max_bytes = program.config.max_reply_bytes;
                format!("wrote a line of more than {max_bytes} bytes (max_reply_bytes)")
            })?;
            let Some(line) = line else {
                return Ok(());
            };
            match Reply::read(&line) {
                Ok(reply) => self.settle(reply, program),
                Err(error) => program.stray(&error.to_string()),
            }
        }
    }

    fn settle(&mut self, reply: Reply, program: &Program) {
        let open = self.by_id.remove(&reply.id);
        let Some(open) = open.and_then(|number| self.open.remove(&number)) else {
            return program.stray("it answered a question that is not open");
        };
        let seconds = open.since.elapsed().as_secs_f64();
        program.counts.answer_seconds.record(seconds);
        if reply.verdict.is_ok() {
            self.prove(program);
        }
        open.asked.answer(reply.verdict.map_err(Unanswered::Wrong));
    }

    fn prove(&mut self, program: &Program) {
        if !self.is_proved {
            self.is_proved = true;
            program.proved();
        }
    }

    /// What a process has said before it ended counts.
    async fn hear_the_rest(&mut self, program: &Program) {
        let until = Instant::now() + LAST_WORDS;
        loop {
            let read = self.process.stdout.read_buf(&mut self.lines.bytes);
            match tokio::time::timeout_at(until, read).await {
                Ok(Ok(bytes)) if bytes > 0 && self.hear(program).is_ok() => {}
                _ => return,
            }
        }
    }
}

async fn write(
    stdin: Option<&mut tokio::process::ChildStdin>,
    bytes: &[u8],
) -> std::io::Result<usize> {
    match stdin {
        Some(stdin) => stdin.write(bytes).await,
        None => Err(std::io::ErrorKind::BrokenPipe.into()),
    }
}
