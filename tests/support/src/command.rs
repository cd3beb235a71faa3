//! A program that is run, with what it printed.

use crate::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::thread;

/// What a program left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Both streams, for searching words wherever they stand.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails the test unless the program succeeded.
    #[track_caller]
    pub fn assert_success(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.text());
        self
    }

    /// Fails the test unless the program ended by itself with an error that says all these words on standard error.
    #[track_caller]
    pub fn assert_failure(&self, words: &[&str]) -> &Self {
        assert!(
            self.code.is_some_and(|code| code != 0),
            "exit code {:?}: {}",
            self.code,
            self.text()
        );
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is not in: {}",
                self.stderr
            );
        }
        self
    }
}

/// Runs a command with this standard input; panics if it has not ended at the deadline.
pub async fn run(command: Command, input: &str) -> Output {
    let mut running = Running::spawn(command);
    let writer = running.feed(input);
    let output = running.end().await;
    let _ = writer.join();
    output
}

/// A program that runs until it is told to end, or to its end.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: KillOnDrop,
    stdin: Option<ChildStdin>,
    stdout: Option<thread::JoinHandle<String>>,
    stderr: Option<thread::JoinHandle<String>>,
}

impl Running {
    /// Starts a program.
    pub fn spawn(mut command: Command) -> Running {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running {
            name: format!("{command:?}"),
            stdin: child.stdin.take(),
            stdout: child.stdout.take().map(read_all),
            stderr: child.stderr.take().map(read_all),
            child: KillOnDrop(child),
        }
    }

    /// Starts a program of which nobody reads what it prints: writing to either stream fails.
    pub fn spawn_unread(mut command: Command) -> Running {
        let (_, stdout) = std::io::pipe().expect("a pipe");
        let (_, stderr) = std::io::pipe().expect("a pipe");
        command.stdin(Stdio::piped()).stdout(stdout).stderr(stderr);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running {
            name: format!("{command:?}"),
            stdin: child.stdin.take(),
            stdout: None,
            stderr: None,
            child: KillOnDrop(child),
        }
    }

    /// Writes all of its standard input from a thread, and closes it. A program that ends without reading its input is
    /// its own affair.
    pub fn feed(&mut self, input: &str) -> thread::JoinHandle<()> {
        let stdin = self.stdin.take();
        let input = input.to_owned();
        thread::spawn(move || {
            let _ = stdin.map(|mut pipe| pipe.write_all(input.as_bytes()));
        })
    }

    /// Writes to its standard input, which stays open.
    pub fn write(&mut self, input: &str) {
        let pipe = self.stdin.as_mut().expect("an input that is open");
        pipe.write_all(input.as_bytes()).expect("write its input");
    }

    /// SIGINT, as from Ctrl-C.
    pub fn interrupt(&self) {
        let pid = i32::try_from(self.child.0.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), Signal::INT).expect("send a signal");
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        let _ = self.child.0.kill();
    }

    /// Waits until it has ended; panics at the deadline.
    pub async fn end(mut self) -> Output {
        let what = format!("the end of {}", self.name);
        let child = &mut self.child.0;
        let status = wait::until_some(&what, || child.try_wait().expect("wait")).await;
        let text = |reader: Option<thread::JoinHandle<String>>| {
            reader
                .and_then(|reader| reader.join().ok())
                .unwrap_or_default()
        };
        Output {
            code: status.code(),
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
        }
    }
}

/// No program outlives the test that started it.
#[derive(Debug)]
struct KillOnDrop(std::process::Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
