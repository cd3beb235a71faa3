//! `qube-agent run-once`: runs one command, once, whatever becomes of the agent that asked for it.
//!
//! Invariant: the marker is on the disk before the command is started and is made by exactly one process, so a command
//! with the same id never starts a second time; how it ended is on the disk before this process ends. It runs in a
//! session of its own: what stops the agent does not stop it.

use crate::durable;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process_group, setsid};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often is looked whether the command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where the traces of one run are.
#[derive(Debug, Clone)]
pub(crate) struct Traces {
    folder: PathBuf,
    id: String,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub(crate) enum End {
    /// By itself, with this code.
    Code {
        /// 0 is success.
        code: i32,
    },
    /// By a signal that somebody sent.
    Signal {
        /// Which.
        signal: i32,
    },
    /// It took too long and was killed.
    TooLong,
    /// It could not be started.
    NotStarted {
        /// Why.
        error: String,
    },
}

impl End {
    /// What to report, unless it went well.
    pub(crate) fn problem(&self) -> Option<String> {
        match self {
            End::Code { code: 0 } => None,
            End::Code { code } => Some(format!("the command ended with {code}")),
            End::Signal { signal } => Some(format!("the command was ended by signal {signal}")),
            End::TooLong => Some("the command took too long and was killed".to_owned()),
            End::NotStarted { error } => Some(format!("the command could not be started: {error}")),
        }
    }

    fn of(status: ExitStatus) -> End {
        match (status.code(), status.signal()) {
            (Some(code), _) => End::Code { code },
            (None, Some(signal)) => End::Signal { signal },
            (None, None) => End::Code { code: -1 },
        }
    }
}

/// What the traces tell about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It has not begun, and nothing of it was done.
    NotBegun,
    /// It has begun, and its runner is there.
    Running,
    /// It runs, and its runner is gone: how it ends will not be written down.
    Orphaned(Process),
    /// It has ended.
    Ended(End),
    /// It has begun and its runner is gone without a word: the machine or somebody ended both. What it did is unknown.
    Lost,
}

/// A process that may have ended since: its number is another's only with another start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    id: i32,
    /// In ticks since the machine's start.
    started: u64,
}

impl Process {
    /// With this number, if it runs.
    fn running(id: i32) -> Option<Process> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The program's name, in brackets, may have anything in it.
        let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
        let state = rest.next()?;
        let started = rest.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Process { id, started })
    }

    /// Of a marker: the runner's number in the first line, the command's number and start in the second.
    fn of_marker(text: &str) -> Option<Process> {
        let mut words = text.lines().nth(1)?.split_whitespace();
        let id: i32 = words.next()?.parse().ok()?;
        let started: u64 = words.next()?.parse().ok()?;
        Process::running(id).filter(|process| process.started == started)
    }

    /// Kills it and all of its group.
    pub(crate) fn kill(self) {
        kill_group(self.id);
    }
}

impl Traces {
    /// Of the run with this id, in a folder that exists.
    pub(crate) fn new(folder: &Path, id: &str) -> Traces {
        Traces {
            folder: folder.to_owned(),
            id: id.to_owned(),
        }
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.id))
    }

    /// Where the command's output is.
    pub(crate) fn output(&self) -> PathBuf {
        self.file("output")
    }

    /// What is known of the run.
    pub(crate) fn look(&self) -> io::Result<Seen> {
        if let Some(end) = self.end()? {
            return Ok(Seen::Ended(end));
        }
        let mut marker = match File::open(self.file("begun")) {
            Ok(marker) => marker,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Seen::NotBegun),
            Err(error) => return Err(error),
        };
        match flock(&marker, FlockOperation::NonBlockingLockShared) {
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Seen::Running),
            Err(error) => Err(error.into()),
            Ok(()) => {
                let mut text = String::new();
                marker.read_to_string(&mut text)?;
                let orphan = Process::of_marker(&text).map_or(Seen::Lost, Seen::Orphaned);
                // The runner may have ended in order since the first look.
                Ok(self.end()?.map_or(orphan, Seen::Ended))
            }
        }
    }

    fn end(&self) -> io::Result<Option<End>> {
        let text = durable::read(&self.file("ended"))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Makes the marker, unless somebody has; holding it open says that the runner is there.
    fn begin(&self) -> io::Result<Option<File>> {
        let own = self.file(&format!("begun.{}", std::process::id()));
        let mut marker = durable::create(&own)?;
        // Locked and written before it has its name: whoever sees it sees that the runner is there.
        flock(&marker, FlockOperation::LockExclusive)?;
        writeln!(marker, "{}", std::process::id())?;
        marker.sync_all()?;
        // A link fails where the name is taken, as creating with O_EXCL does.
        let linked = fs::hard_link(&own, self.file("begun"));
        fs::remove_file(&own)?;
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error),
        }
        durable::sync_folder_of(&own)?;
        Ok(Some(marker))
    }
}

/// Forgets the runs that ended longest ago, so that a folder keeps so many files at most.
pub(crate) fn forget_oldest(folder: &Path, kept: usize) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort_unstable();
    let too_many = files.len().saturating_sub(kept);
    files
        .drain(..too_many)
        .try_for_each(|(_, path)| durable::remove(&path))
}

/// Runs the command unless it was begun before. True when it was run here.
pub(crate) fn run(traces: &Traces, argv: &[String], within: Duration) -> io::Result<bool> {
    // Fails only for the leader of a group, which has a session of its own or wants none.
    let _own_session = setsid();
    let Some(mut marker) = traces.begin()? else {
        return Ok(false);
    };
    let end = match start(traces, argv) {
        Ok(child) => {
            let process = i32::try_from(child.id()).ok().and_then(Process::running);
            if let Some(Process { id, started }) = process {
                // Where there is no room for it, only the end of this process is told less well.
                let _written = writeln!(marker, "{id} {started}");
            }
            wait(child, within)?
        }
        Err(error) => End::NotStarted {
            error: error.to_string(),
        },
    };
    durable::replace(&traces.file("ended"), &serde_json::to_vec(&end)?)?;
    drop(marker);
    Ok(true)
}

fn start(traces: &Traces, argv: &[String]) -> io::Result<Child> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| io::Error::other("no command"))?;
    let output = durable::create(&traces.output())?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
}

fn wait(mut child: Child, within: Duration) -> io::Result<End> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(End::of(status));
        }
        if started.elapsed() >= within {
            if let Ok(id) = i32::try_from(child.id()) {
                kill_group(id);
            }
            child.wait()?;
            return Ok(End::TooLong);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn kill_group(leader: i32) {
    if let Some(group) = Pid::from_raw(leader) {
        // Already gone is as good.
        let _gone = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces() -> (tempfile::TempDir, Traces) {
        let folder = tempfile::tempdir().expect("a folder");
        let traces = Traces::new(folder.path(), "one");
        (folder, traces)
    }

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    const LONG: Duration = Duration::from_secs(60);

    /// What is seen once nobody runs it: a child that another test is starting holds a copy of every file, and so the marker,
    /// until it has become another program.
    fn without_runner(traces: &Traces) -> Seen {
        let begun = Instant::now();
        loop {
            match traces.look().expect("a look") {
                Seen::Running if begun.elapsed() < LONG => std::thread::yield_now(),
                seen => return seen,
            }
        }
    }

    #[test]
    fn a6_a_command_is_run_once_and_its_end_is_kept() {
        let (folder, traces) = traces();
        let file = folder.path().join("count");
        let argv = shell(&format!("echo run >> {}; exit 3", file.display()));
        assert_eq!(traces.look().expect("a look"), Seen::NotBegun);
        assert!(run(&traces, &argv, LONG).expect("run"));
        assert!(!run(&traces, &argv, LONG).expect("not run"));
        let seen = traces.look().expect("a look");
        assert_eq!(seen, Seen::Ended(End::Code { code: 3 }));
        assert_eq!(fs::read_to_string(file).expect("the file"), "run\n");
    }

    #[test]
    fn a6_what_takes_too_long_is_killed() {
        let (_folder, traces) = traces();
        let argv = shell("sleep 600 & wait");
        assert!(run(&traces, &argv, Duration::from_millis(20)).expect("run"));
        let seen = traces.look().expect("a look");
        assert_eq!(seen, Seen::Ended(End::TooLong));
    }

    #[test]
    fn a6_what_cannot_be_started_has_ended() {
        let (_folder, traces) = traces();
        assert!(run(&traces, &["/no/such/program".to_owned()], LONG).expect("run"));
        let Seen::Ended(end) = traces.look().expect("a look") else {
            panic!("it has not ended");
        };
        assert!(end.problem().is_some_and(|text| text.contains("started")));
    }

    #[test]
    fn a6_old_runs_are_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..5 {
            let traces = Traces::new(folder.path(), &number.to_string());
            assert!(run(&traces, &shell("true"), LONG).expect("run"));
        }
        forget_oldest(folder.path(), 3).expect("forgotten");
        let left = fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(left, 3, "the three files of the newest run");
        let seen = Traces::new(folder.path(), "4").look().expect("a look");
        assert_eq!(seen, Seen::Ended(End::Code { code: 0 }));
    }

    #[test]
    fn a6_a_runner_that_is_gone_is_not_waited_for() {
        let (_folder, traces) = traces();
        let marker = traces.begin().expect("begun").expect("a marker");
        assert_eq!(traces.look().expect("a look"), Seen::Running);
        assert!(traces.begin().expect("a look").is_none());
        drop(marker);
        assert_eq!(without_runner(&traces), Seen::Lost);
        assert!(!run(&traces, &shell("true"), LONG).expect("not run"));
    }

    #[test]
    fn a6_a_command_whose_runner_is_gone_is_waited_for() {
        let (_folder, traces) = traces();
        let mut marker = traces.begin().expect("begun").expect("a marker");
        let mut child = start(&traces, &shell("sleep 600")).expect("started");
        let id = i32::try_from(child.id()).expect("a number");
        let process = Process::running(id).expect("it runs");
        writeln!(marker, "{id} {}", process.started).expect("written");
        assert_eq!(traces.look().expect("a look"), Seen::Running);
        drop(marker);
        assert_eq!(without_runner(&traces), Seen::Orphaned(process));
        process.kill();
        child.wait().expect("its end");
        assert_eq!(without_runner(&traces), Seen::Lost);
    }
}
