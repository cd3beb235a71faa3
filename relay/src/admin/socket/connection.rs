//! One connection of the admin socket as the console of its job.

use super::Jobs;
use crate::admin::console::{Console, Note};
use crate::admin::dialogue::{MAX_JOB_BYTES, Order, Reply, write_event, write_line};
use crate::admin::job::Done;
use rustix::net::{RecvFlags, recv};
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long whoever connects may take to say what for.
const JOB_TIME: Duration = Duration::from_secs(10);
const BUFFER_BYTES: usize = 64 << 10;

pub(super) struct Connection {
    input: Option<BufReader<UnixStream>>,
    output: BufWriter<UnixStream>,
    jobs: Arc<Jobs>,
    /// Whether the end of what comes calls the job off, rather than ending its input.
    end_cancels: bool,
}

impl Connection {
    pub(super) fn new(stream: UnixStream, jobs: Arc<Jobs>) -> io::Result<Self> {
        let output = BufWriter::with_capacity(BUFFER_BYTES, stream.try_clone()?);
        Ok(Connection {
            input: Some(BufReader::with_capacity(BUFFER_BYTES, stream)),
            output,
            jobs,
            end_cancels: false,
        })
    }

    /// The first line; nothing where there is none. An `Err` is for whoever wrote it.
    pub(super) fn read_order(&mut self) -> Result<Option<Order>, String> {
        let mut line = Vec::new();
        if let Some(input) = &mut self.input {
            let timeout = input.get_ref().set_read_timeout(Some(JOB_TIME));
            let read =
                timeout.and_then(|()| input.take(MAX_JOB_BYTES).read_until(b'\n', &mut line));
            read.map_err(|error| format!("the job could not be read: {error}"))?;
        }
        if line.is_empty() {
            return Ok(None);
        }
        match serde_json::from_slice(&line) {
            Ok(order) => Ok(Some(order)),
            Err(error) => Err(format!(
                "the running relay does not know this job, and may be of another version: {error}"
            )),
        }
    }

    /// What follows the first line: the job's input, or nothing but the end that calls it off.
    pub(super) fn input(&mut self, takes_input: bool) -> io::Result<Box<dyn BufRead>> {
        self.end_cancels = !takes_input;
        match self.input.take() {
            Some(input) if takes_input => {
                input.get_ref().set_read_timeout(None)?;
                Ok(Box::new(input))
            }
            _ => Ok(Box::new(io::empty())),
        }
    }

    pub(super) fn refuse(&mut self, words: String) -> io::Result<()> {
        self.answer(Err(words))
    }

    pub(super) fn answer(&mut self, result: Result<Done, String>) -> io::Result<()> {
        let reply = match result {
            Ok(done) => Reply::Done(done),
            Err(words) => Reply::Error(words),
        };
        write_line(&mut self.output, &reply)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.jobs.stopping.load(Ordering::Acquire)
    }

    /// Whether the other side has closed its half, of which nothing but that is expected.
    fn has_ended(&self) -> bool {
        let mut byte = [0];
        let looked = recv(
            self.output.get_ref(),
            &mut byte,
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        );
        match looked {
            Ok((read, _)) => read == 0,
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }
}

impl Console for Connection {
    fn print(&mut self, event_json: &[u8]) -> io::Result<()> {
        write_event(&mut self.output, event_json)
    }

    fn tell(&mut self, note: Note) {
        // A connection that broke shows at the next print, or ends the input.
        let _ = write_line(&mut self.output, &Reply::Note(note));
    }

    fn is_cancelled(&self) -> bool {
        self.is_stopping() || (self.end_cancels && self.has_ended())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // What is left in the buffer is nobody's any more if this fails.
        let _ = self.output.flush();
    }
}
