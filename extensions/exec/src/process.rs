//! One process of a program: started in a group of its own, and never left behind.
//!
//! Invariant: however it ends, its whole group is killed and its exit awaited; where nobody can wait any more, dropping it
//! kills the group. Should the relay itself be killed, the process reads the end of its input, which one that
//! hangs does only later: nothing here could end it then.

use crate::chatter::Chatter;
use crate::config::ProgramConfig;
use crate::version::Version;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use trellis_relay::config;

/// How long a process may take to end once its input is closed, and once more after SIGTERM.
const GOODBYE: Duration = Duration::from_millis(400);
/// How long a process that stopped talking may take to show how it ended.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// The system refuses to run a file that does not say by what: no `#!`.
const NO_INTERPRETER: i32 = 8;

pub(crate) struct Process {
    /// Absent once it was closed.
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: ChildStdout,
    pub(crate) child: Child,
    /// Of its file, if it has one.
    pub(crate) version: Option<Version>,
    group: Option<Pid>,
    chatter: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it; must be called on a tokio runtime.
    pub(crate) fn spawn(config: &ProgramConfig, chatter: &Arc<Chatter>) -> io::Result<Self> {
        let file = file_of(config);
        // Before it starts: what changes meanwhile is a new version.
        let version = file.as_deref().and_then(Version::of);
        let mut child = match &file {
            None => spawn(shell(&["-c", &config.command]), config),
            Some(file) => match spawn(Command::new(file), config) {
                Err(error) if error.raw_os_error() == Some(NO_INTERPRETER) => {
                    let mut command = shell(&[]);
                    command.arg(file);
                    spawn(command, config)
                }
                child => child,
            },
        }?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let stdout = stdout.ok_or_else(|| io::Error::other("its output is not connected"))?;
        Ok(Process {
            stdin,
            stdout,
            chatter: stderr.map(|stderr| tokio::spawn(chatter.clone().listen(stderr))),
            child,
            version,
            group,
        })
    }

    /// It was told to end: closes its input, then SIGTERM, then SIGKILL.
    pub(crate) async fn dismiss(mut self) {
        self.stdin = None;
        for signal in [Signal::TERM, Signal::KILL] {
            if tokio::time::timeout(GOODBYE, self.child.wait())
                .await
                .is_ok()
            {
                break;
            }
            self.signal(signal);
        }
        self.clean_up().await;
    }

    /// It failed: kills it, and says how it ended if it ended by itself.
    pub(crate) async fn put_down(mut self) -> Option<ExitStatus> {
        let ended = tokio::time::timeout(LAST_WORDS, self.child.wait()).await;
        self.clean_up().await;
        ended.ok()?.ok()
    }

    /// What belongs to it and is still there ends too, children that outlive their parent included.
    async fn clean_up(&mut self) {
        self.signal(Signal::KILL);
        // SIGKILL cannot be refused.
        let _ = self.child.wait().await;
        self.group = None;
        if let Some(mut chatter) = self.chatter.take()
            && tokio::time::timeout(LAST_WORDS, &mut chatter)
                .await
                .is_err()
        {
            // Somebody who left the group holds its output.
            chatter.abort();
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Nobody of the group may be left.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(chatter) = self.chatter.take() {
            chatter.abort();
        }
    }
}

fn shell(arguments: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(arguments);
    command
}

fn spawn(mut command: Command, program: &ProgramConfig) -> io::Result<Child> {
    // The relay's configuration may hold its secrets.
    for (name, _) in std::env::vars_os() {
        if config::is_setting(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    if let Some(cwd) = &program.cwd {
        command.current_dir(cwd);
    }
    command
        .envs(&program.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// The file that a command without spaces names. A bare word that is no file here is left to `PATH`.
pub(crate) fn file_of(config: &ProgramConfig) -> Option<PathBuf> {
    let command = config.command.trim();
    if command.contains(char::is_whitespace) {
        return None;
    }
    let file = folder_of(config).join(command);
    match command.contains('/') || file.exists() {
        true => Some(std::path::absolute(&file).unwrap_or(file)),
        false => Some(Path::new(command).to_owned()),
    }
}

/// Where a program runs.
pub(crate) fn folder_of(config: &ProgramConfig) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match &config.cwd {
        Some(cwd) => here.join(cwd),
        None => here,
    }
}

/// How a process ended, in words that follow "it".
pub(crate) fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
