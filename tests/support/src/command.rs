//! A program that runs to its end, with what it printed.

use crate::wait;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
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
pub async fn run(mut command: Command, input: &str) -> Output {
    let name = format!("the end of {command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdin = child.stdin.take();
    let input = input.to_owned();
    // A program that ends without reading its input is its own affair.
    let writer = thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(input.as_bytes())));
    let stdout = child.stdout.take().map(read_all);
    let stderr = child.stderr.take().map(read_all);
    let mut killer = KillOnDrop(child);
    let status = wait::until_some(&name, || killer.0.try_wait().expect("wait")).await;
    let _ = writer.join();
    let text = |reader: Option<thread::JoinHandle<String>>| {
        reader
            .and_then(|reader| reader.join().ok())
            .unwrap_or_default()
    };
    Output {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// No program outlives the test that started it.
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
