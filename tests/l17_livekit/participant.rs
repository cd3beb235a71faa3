//! A participant of a call: LiveKit's own library, in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use trellis_test_support::{Value, wait};

/// Dropping it ends it.
pub(crate) struct Participant {
    process: Child,
    stdin: Option<ChildStdin>,
    said: Arc<Mutex<Vec<Value>>>,
    /// So much of what it said was asked for.
    read: usize,
}

impl Participant {
    /// Runs the script with these arguments.
    pub(crate) fn start(python: &str, arguments: &[&str]) -> Participant {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/livekit-participant.py"
        );
        let mut command = Command::new(python);
        command.arg(script).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python");
        let stdout = BufReader::new(process.stdout.take().expect("its output"));
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    heard.lock().expect("its words").push(event);
                }
            }
        });
        Participant {
            stdin: process.stdin.take(),
            process,
            said,
            read: 0,
        }
    }

    /// Waits for this event, and forgets what came before it.
    pub(crate) async fn said(&mut self, event: &str) -> Value {
        self.said_one_of(&[event]).await
    }

    /// The same for the first of several.
    pub(crate) async fn said_one_of(&mut self, events: &[&str]) -> Value {
        let (said, from) = (&self.said, self.read);
        let (at, value) = wait::until_some(&format!("{events:?} of a participant"), || {
            let said = said.lock().expect("its words");
            let mut later = said.iter().enumerate().skip(from);
            let found = later.find(|(_, it)| events.iter().any(|event| it["event"] == *event))?;
            Some((found.0, found.1.clone()))
        })
        .await;
        self.read = at + 1;
        value
    }

    /// Whether it has said this so far.
    pub(crate) fn has_said(&self, event: &str) -> bool {
        let said = self.said.lock().expect("its words");
        said.iter().any(|it| it["event"] == event)
    }

    /// Asks it to leave.
    pub(crate) fn leave(&mut self) {
        self.stdin = None;
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
