//! Logs in files: warnings and errors in one, everything else, which tells of requests, in another.
//!
//! Invariant: whoever logs is never held up by a disk: lines wait for a thread in a bounded queue, and where it is full they
//! are lost and counted. No line in a file holds an address of a client. Not here: when files begin and go (`log_file`).

use super::json_lines::{self, JsonLines};
use super::log_file::{Keeping, LogFile};
use anyhow::Context as _;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::registry::LookupSpan;
use trellis_relay::clock::Clock;
use trellis_relay::config::Log;

/// Lines that may wait for the disk.
const WAITING: usize = 8_192;
/// Files are looked over so often at least.
const LOOK_EVERY_S: u64 = 60;
/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How long until a queue that was full is tried again.
const FULL_RETRY: Duration = Duration::from_millis(5);

/// Which log a line is for.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Requests,
    Errors,
}

#[derive(Debug)]
enum Message {
    Line(Kind, Vec<u8>),
    /// All lines before this are to be written; then whoever asked is told.
    Finish(SyncSender<()>),
}

/// Where lines go in.
#[derive(Clone, Debug)]
struct Entrance {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

/// The files, which are written to until the end of the process.
#[derive(Debug)]
pub(super) struct Files {
    entrance: Entrance,
}

impl Files {
    /// Opens the logs in a directory, and begins to write.
    pub(super) fn open(directory: &Path, log: &Log, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let now_s = clock.now_s();
        let shortest_s = log.request_retention.min(log.error_retention).as_secs() / 24;
        let look_every_s = shortest_s.clamp(1, LOOK_EVERY_S);
        let look_every = Duration::from_secs(look_every_s);
        let open = |stem, retention_s: u64| {
            let keeping = Keeping {
                directory: directory.to_owned(),
                stem,
                retention_s,
                look_every_s,
                max_bytes: log.max_bytes.bytes(),
            };
            let context = || format!("log.directory {}", directory.display());
            LogFile::open(keeping, now_s).with_context(context)
        };
        let logs = Logs {
            requests: open("requests", log.request_retention.as_secs())?,
            errors: open("errors", log.error_retention.as_secs())?,
            clock,
        };
        let (queue, lines) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        std::thread::Builder::new().name("log".into()).spawn({
            let lost = lost.clone();
            move || logs.run(&lines, look_every, &lost)
        })?;
        Ok(Files {
            entrance: Entrance { queue, lost },
        })
    }

    /// What hands lines to them.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let lines = |kind| {
            let writer = Lines(kind, self.entrance.clone());
            tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_writer(writer)
                .log_internal_errors(false)
                .fmt_fields(JsonFields::new())
                .event_format(JsonLines)
        };
        // Both with the spans in which something happened, of whatever level these are.
        let errors = filter_fn(|metadata| *metadata.level() <= Level::WARN || metadata.is_span());
        let requests = filter_fn(|metadata| *metadata.level() > Level::WARN || metadata.is_span());
        lines(Kind::Errors)
            .with_filter(errors)
            .and_then(lines(Kind::Requests).with_filter(requests))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let (done, is_done) = sync_channel(1);
        let until = Instant::now() + LAST_LINES;
        let mut finish = Message::Finish(done);
        // The queue may be full, and the disk may hang.
        while let Err(TrySendError::Full(again)) = self.entrance.queue.try_send(finish) {
            if Instant::now() >= until {
                return;
            }
            finish = again;
            std::thread::sleep(FULL_RETRY);
        }
        let _ = is_done.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// Makes lines of one log.
#[derive(Clone, Debug)]
struct Lines(Kind, Entrance);

impl<'w> MakeWriter<'w> for Lines {
    type Writer = &'w Lines;

    fn make_writer(&'w self) -> &'w Lines {
        self
    }
}

impl io::Write for &Lines {
    /// One call is one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Lines(kind, entrance) = *self;
        let sent = entrance.queue.try_send(Message::Line(*kind, line.to_vec()));
        if sent.is_err() {
            entrance.lost.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the thread owns.
struct Logs {
    requests: LogFile,
    errors: LogFile,
    clock: Arc<dyn Clock>,
}

impl Logs {
    fn run(mut self, lines: &Receiver<Message>, look_every: Duration, lost: &AtomicU64) {
        let mut looked = Instant::now();
        loop {
            match lines.recv_timeout(look_every.saturating_sub(looked.elapsed())) {
                Ok(Message::Line(kind, line)) => self.write(kind, &line),
                // Whoever waits may have gone.
                Ok(Message::Finish(done)) => drop(done.try_send(())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if looked.elapsed() >= look_every {
                looked = Instant::now();
                self.look(lost);
            }
        }
    }

    fn write(&mut self, kind: Kind, line: &[u8]) {
        let now_s = self.clock.now_s();
        let line = json_lines::without_addresses(line);
        let log = match kind {
            Kind::Requests => &mut self.requests,
            Kind::Errors => &mut self.errors,
        };
        log.write(&line, now_s);
    }

    /// Removes what is too old. What goes wrong is told on stderr, where the log is as well.
    fn look(&mut self, lost: &AtomicU64) {
        let now_s = self.clock.now_s();
        for log in [&mut self.requests, &mut self.errors] {
            if let Err(error) = log.tidy(now_s) {
                tracing::error!(%error, "log files could not be looked over, and may be too old");
            }
        }
        let written = self.requests.take_lost() + self.errors.take_lost();
        let lines = written + lost.swap(0, Relaxed);
        if lines > 0 {
            tracing::error!(lines, "lines could not be written to the log files");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::Value;
    use tempfile::TempDir;
    use tracing_subscriber::layer::SubscriberExt as _;
    use trellis_relay::clock::SystemClock;

    #[test]
    fn c30_each_line_tells_in_what_it_happened_and_no_address() {
        let directory = TempDir::with_prefix("trellis-test-").unwrap();
        let files = Files::open(directory.path(), &Log::default(), Arc::new(SystemClock)).unwrap();
        let subscriber = tracing_subscriber::registry().with(files.layer());
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::debug_span!("publish", session = 7, of = "203.0.113.7").entered();
            tracing::error!("it failed for\n203.0.113.7");
            tracing::info!(peer = "ip:203.0.113.7", "it went on");
        });
        drop(files);
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let log = name.split_once('-').unwrap().0.to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("203.0.113"), "{text}");
            let line: Value = serde_json::from_str(text.trim_end()).unwrap();
            assert_eq!(line["spans"][0]["name"], "publish", "{text}");
            assert_eq!(line["spans"][0]["session"], 7, "{text}");
            lines.push((log, line["message"].as_str().unwrap().to_owned()));
        }
        lines.sort();
        let told = |log: &str, message: &str| (log.to_owned(), message.to_owned());
        let wanted = [
            told("errors", "it failed for\n[removed]"),
            told("requests", "it went on"),
        ];
        assert_eq!(lines, wanted);
    }
}
