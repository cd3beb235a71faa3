//! What the agent is about to do and what it has done of one action, a line a step, on the disk before and after.
//!
//! Invariant: a step's effect comes after its `begin` line and before its `done` line is durable. So after a crash the
//! agent knows which step may have had its effect, and each step is written so that it can find out whether it had.
//! A line that was not written to its end is no line.

use crate::durable;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file, in the network's folder.
const NAME: &str = "journal.jsonl";

/// The variable that ends the process at a line of the journal: `before:N` or `after:N`, of the lines this process
/// writes. For tests of what follows a crash; who can set it could kill the agent as well.
const CRASH: &str = "QUBE_AGENT_CRASH";

/// The part of an action that a line is about, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// What is to be done; its line has the whole task.
    Decide,
    /// Get the file and check it.
    Fetch,
    /// Keep what is there, for a rollback.
    Keep,
    /// Put the new file in its place.
    Swap,
    /// Run the operator's command.
    Restart,
    /// Ask whether the node is well.
    Probe,
    /// Put the old file back.
    Restore,
    /// Run the operator's command on the old file.
    RestartBack,
    /// Ask whether the old one is well.
    ProbeBack,
    /// Write down how it ended.
    Record,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// When. Unix seconds.
    pub(crate) at_s: u64,
    /// Of what.
    pub(crate) step: Step,
    /// Before or after.
    #[serde(flatten)]
    pub(crate) mark: Mark,
}

/// Before the effect or after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub(crate) enum Mark {
    /// It is about to happen.
    Begin,
    /// It happened, and this is what later steps need of it.
    Done {
        /// Of the step's own shape.
        result: Value,
    },
    /// It cannot be done.
    Failed {
        /// Why, in words for the report.
        error: String,
    },
}

/// The journal of one network.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    lines: Vec<Line>,
    crash: Crash,
}

impl Journal {
    /// Opens it, and cuts off a last line that is not whole. An error where anything else of it cannot be read: what was
    /// done would be forgotten, and done again.
    pub(crate) fn open(folder: &Path) -> io::Result<Journal> {
        let path = folder.join(NAME);
        let text = durable::read(&path)?.unwrap_or_default();
        let (lines, whole_bytes) = whole_lines(&path, &text)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path)?;
        file.set_len(whole_bytes)?;
        file.seek(io::SeekFrom::End(0))?;
        file.sync_all()?;
        durable::sync_folder_of(&path)?;
        Ok(Journal {
            path,
            file,
            lines,
            crash: Crash::from_env(),
        })
    }

    /// What was decided and is not yet recorded. An error where that cannot be read.
    pub(crate) fn unfinished<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let Some(first) = self.lines.first() else {
            return Ok(None);
        };
        let (Step::Decide, Mark::Done { result }) = (first.step, &first.mark) else {
            return Err(unreadable(
                &self.path,
                "its first line is not what was decided",
            ));
        };
        let task = serde_json::from_value(result.clone());
        task.map(Some)
            .map_err(|error| unreadable(&self.path, error))
    }

    /// Whether a step of the unfinished action was begun, as far as is known.
    pub(crate) fn has_begun(&self, step: Step) -> bool {
        self.lines.iter().any(|line| line.step == step)
    }

    /// How a step of the unfinished action ended, if it did.
    pub(crate) fn ended(&self, step: Step) -> Option<&Mark> {
        let ends = |line: &&Line| line.step == step && line.mark != Mark::Begin;
        self.lines.iter().rev().find(ends).map(|line| &line.mark)
    }

    /// Adds a line; it is on the disk when this returns.
    pub(crate) fn append(&mut self, at_s: u64, step: Step, mark: Mark) -> io::Result<()> {
        if (step == Step::Decide) != self.lines.is_empty() {
            return Err(unreadable(
                &self.path,
                "an action is to begin where another is not over",
            ));
        }
        let line = Line { at_s, step, mark };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        self.crash.before();
        self.file.write_all(&text)?;
        self.file.sync_data()?;
        self.crash.after();
        self.lines.push(line);
        Ok(())
    }

    /// Begins anew after an action was recorded; its lines are kept under another name until the next one.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.crash.before();
        durable::rename(&self.path, &self.path.with_extension("last.jsonl"))?;
        self.crash.after();
        let crash = std::mem::take(&mut self.crash);
        let folder = self.path.parent().map(Path::to_owned).unwrap_or_default();
        *self = Journal::open(&folder)?;
        self.crash = crash;
        Ok(())
    }
}

/// The lines of a folder's journal, read without touching it.
pub(crate) fn read_lines(folder: &Path) -> io::Result<Vec<Line>> {
    let path = folder.join(NAME);
    let text = durable::read(&path)?.unwrap_or_default();
    Ok(whole_lines(&path, &text)?.0)
}

/// The lines that are whole, and the bytes they take. The last one may be torn, or have its end and not all of its middle:
/// what it is about has not happened, or can be done again. No other may.
fn whole_lines(path: &Path, text: &[u8]) -> io::Result<(Vec<Line>, u64)> {
    let mut lines = Vec::new();
    let mut whole_bytes = 0;
    let mut rest = text.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(line) = rest.next() {
        if !line.ends_with(b"\n") {
            break;
        }
        match serde_json::from_slice::<Value>(line) {
            Ok(value) => {
                let line = serde_json::from_value(value);
                let number = lines.len() + 1;
                let problem = |error| unreadable(path, format!("line {number}: {error}"));
                lines.push(line.map_err(problem)?);
            }
            Err(_) if rest.peek().is_none() => break,
            Err(error) => {
                let number = lines.len() + 1;
                return Err(unreadable(path, format!("line {number}: {error}")));
            }
        }
        whole_bytes += line.len() as u64;
    }
    Ok((lines, whole_bytes))
}

fn unreadable(path: &Path, problem: impl std::fmt::Display) -> io::Error {
    let path = path.display();
    let message = format!(
        "{path}: {problem}; look at what was under way, finish it by hand, and move the file away"
    );
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Where a test has this process end as a crash would.
#[derive(Default)]
struct Crash {
    at: Option<(bool, usize)>,
    written: usize,
}

impl Crash {
    fn from_env() -> Crash {
        let text = std::env::var(CRASH).unwrap_or_default();
        let (when, line) = text.split_once(':').unwrap_or_default();
        let line = line.parse().ok();
        Crash {
            at: line.map(|line| (when == "before", line)),
            written: 0,
        }
    }

    fn before(&mut self) {
        self.written += 1;
        if self.at == Some((true, self.written)) {
            std::process::abort();
        }
    }

    fn after(&self) {
        if self.at == Some((false, self.written)) {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn done(value: Value) -> Mark {
        Mark::Done { result: value }
    }

    #[test]
    fn a6_lines_are_there_after_the_process_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path()).expect("a journal");
        journal
            .append(1, Step::Decide, done(json!("what")))
            .expect("a line");
        journal.append(2, Step::Fetch, Mark::Begin).expect("a line");
        drop(journal);
        let journal = Journal::open(folder.path()).expect("a journal");
        let unfinished = journal.unfinished::<String>().expect("readable");
        assert_eq!(unfinished.as_deref(), Some("what"));
        assert_eq!(journal.ended(Step::Fetch), None, "it only began");
    }

    #[test]
    fn a6_a_torn_line_is_no_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path()).expect("a journal");
        journal
            .append(1, Step::Decide, done(json!("what")))
            .expect("a line");
        let path = folder.path().join("journal.jsonl");
        let mut text = std::fs::read(&path).expect("the file");
        text.extend_from_slice(br#"{"at_s":2,"step":"fe"#);
        std::fs::write(&path, text).expect("the file");
        let mut journal = Journal::open(folder.path()).expect("a journal");
        journal.append(3, Step::Fetch, Mark::Begin).expect("a line");
        let journal = Journal::open(folder.path()).expect("a journal");
        assert_eq!(journal.lines.last().map(|line| line.at_s), Some(3));
        assert!(journal.unfinished::<String>().expect("readable").is_some());
    }

    #[test]
    fn a6_what_cannot_be_read_is_not_taken_for_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path()).expect("a journal");
        journal
            .append(1, Step::Decide, done(json!("what")))
            .expect("a line");
        let error = journal.unfinished::<u64>().expect_err("another shape");
        assert!(error.to_string().contains("journal.jsonl"), "{error}");
        let again = journal.append(2, Step::Decide, done(json!("more")));
        again.expect_err("behind an unfinished one");
        journal.append(2, Step::Fetch, Mark::Begin).expect("a line");
        let path = folder.path().join("journal.jsonl");
        let text = std::fs::read_to_string(&path).expect("the file");
        for (from, to) in [("what\"", "what"), ("decide", "ponder")] {
            std::fs::write(&path, text.replacen(from, to, 1)).expect("the file");
            let error = Journal::open(folder.path()).err().expect("damaged");
            let error = error.to_string();
            assert!(error.contains("journal.jsonl: line 1"), "{error}");
        }
        std::fs::write(
            &path,
            text.lines().last().expect("a line").to_owned() + "\n",
        )
        .expect("the file");
        let journal = Journal::open(folder.path()).expect("a journal");
        journal.unfinished::<String>().expect_err("no decision");
    }

    #[test]
    fn a6_a_finished_action_is_not_taken_up_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path()).expect("a journal");
        journal
            .append(1, Step::Decide, done(json!("what")))
            .expect("a line");
        journal.finish().expect("a new journal");
        assert_eq!(journal.unfinished::<String>().expect("readable"), None);
        let journal = Journal::open(folder.path()).expect("a journal");
        assert_eq!(journal.unfinished::<String>().expect("readable"), None);
    }
}
