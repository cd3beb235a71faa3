//! The other end of the admin socket: hands a job to a running relay and serves it until it is done. Blocks.

use super::console::Console;
use super::database::Database;
use super::dialogue::{Order, Reply, read_event, write_line};
use super::job::{Done, Job};
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

/// How often the console is asked whether it is still wanted, while the relay says nothing.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A longer line is sent in pieces.
const PIECE_BYTES: usize = 1 << 20;

/// Why a running relay did not do a job.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens, or this user may not come in.
    #[error("a running relay has the database open, and its admin socket {path} cannot be reached")]
    Connect {
        /// Where it should be.
        path: String,
        /// The system's word.
        source: io::Error,
    },
    /// The relay's own words.
    #[error("{0}")]
    Refused(String),
    /// The connection ended before the job did.
    #[error("the connection to the running relay broke")]
    Broken(#[source] io::Error),
    /// The input broke; what came before it is imported.
    #[error("reading failed")]
    Read(#[source] io::Error),
    /// The output broke; a closed pipe shows as [`io::ErrorKind::BrokenPipe`].
    #[error("writing failed")]
    Write(#[source] io::Error),
}

/// Has the relay that listens at `path` do the job on this database, or refuse if it has another one. The input is read
/// where this runs, on a thread of its own. Once the console calls the job off, no more input is sent: an import ends with
/// what was sent, other jobs are broken off.
pub fn run(
    path: &Path,
    database: Database,
    job: &Job,
    input: Box<dyn BufRead + Send>,
    console: &mut dyn Console,
) -> Result<Done, ClientError> {
    let mut stream = UnixStream::connect(path).map_err(|source| ClientError::Connect {
        path: path.display().to_string(),
        source,
    })?;
    let begin = || {
        stream.set_read_timeout(Some(LOOK_EVERY))?;
        stream.try_clone()
    };
    let receiving = begin().map_err(ClientError::Broken)?;
    // A relay that refuses at once closes the connection; what it said is read below.
    let order = Order {
        database,
        job: job.clone(),
    };
    let _ = write_line(&mut stream, &order);
    let sender = Arc::new(Mutex::new(Sender {
        stream: Some(stream),
        failed: None,
    }));
    if job.takes_input() {
        let sender = sender.clone();
        std::thread::Builder::new()
            .name("input".into())
            .spawn(move || send(input, &sender))
            .map_err(ClientError::Broken)?;
    }
    let done = receive(receiving, &sender, console)?;
    let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
    match sender.failed.take() {
        Some(error) => Err(ClientError::Read(error)),
        None => Ok(done),
    }
}

/// The sending half.
struct Sender {
    /// Until it is closed.
    stream: Option<UnixStream>,
    /// Why the input ended too early.
    failed: Option<io::Error>,
}

impl Sender {
    fn close(&mut self) {
        if let Some(stream) = self.stream.take() {
            // It may be closed from the other side.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

/// Sends the input in whole lines, so that it may be ended between any two pieces.
fn send(mut input: Box<dyn BufRead + Send>, sender: &Mutex<Sender>) {
    let mut waiting = Vec::new();
    loop {
        let is_end = match input.fill_buf() {
            Ok([]) => true,
            Ok(read) => {
                waiting.extend_from_slice(read);
                let length = read.len();
                input.consume(length);
                false
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
                sender.failed = Some(error);
                sender.close();
                return;
            }
        };
        let whole = match waiting.iter().rposition(|byte| *byte == b'\n') {
            _ if is_end || waiting.len() > PIECE_BYTES => waiting.len(),
            Some(at) => at + 1,
            None => 0,
        };
        let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stream) = sender.stream.as_mut() else {
            return;
        };
        // A relay that takes no more says why, or is gone.
        let is_broken = stream.write_all(&waiting[..whole]).is_err();
        waiting.drain(..whole);
        if is_end || is_broken {
            sender.close();
            return;
        }
    }
}

fn receive(
    stream: UnixStream,
    sender: &Mutex<Sender>,
    console: &mut dyn Console,
) -> Result<Done, ClientError> {
    let mut replies = BufReader::with_capacity(1 << 16, stream);
    let mut line = Vec::new();
    loop {
        if console.is_cancelled() {
            match sender.try_lock() {
                Ok(mut sender) => sender.close(),
                Err(TryLockError::Poisoned(sender)) => sender.into_inner().close(),
                // It is sending; the next look will find it between two pieces.
                Err(TryLockError::WouldBlock) => {}
            }
        }
        match replies.read_until(b'\n', &mut line) {
            Ok(0) => {
                let end = io::Error::from(io::ErrorKind::UnexpectedEof);
                return Err(ClientError::Broken(end));
            }
            Ok(_) => {}
            // What was read so far stays in `line`.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(ClientError::Broken(error)),
        }
        if let Some(event) = read_event(&line) {
            console.print(event).map_err(ClientError::Write)?;
        } else {
            let reply = serde_json::from_slice(&line);
            match reply.map_err(|error| ClientError::Broken(error.into()))? {
                Reply::Note(note) => console.tell(note),
                Reply::Done(done) => return Ok(done),
                Reply::Error(words) => return Err(ClientError::Refused(words)),
            }
        }
        line.clear();
    }
}
