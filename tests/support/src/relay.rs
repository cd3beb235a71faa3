//! A running relay: a child process whose log is read and that dies with the test.

use crate::setup::Setup;
use crate::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What the relay prints, followed by its address, once it listens.
const READY: &str = "listening on http://";

/// How much of the log a failed test shows.
const SHOWN_LOG_BYTES: usize = 8_000;

/// A relay that listens.
#[derive(Debug)]
pub struct Relay {
    child: Child,
    log: Log,
    log_readers: Vec<thread::JoinHandle<()>>,
    address: SocketAddr,
    setup: Setup,
}

impl Relay {
    pub(crate) async fn spawn(setup: Setup, mut command: Command) -> Relay {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Log::default();
        let stdout = child.stdout.take().map(|pipe| log.follow(pipe));
        let stderr = child.stderr.take().map(|pipe| log.follow(pipe));
        let mut relay = Relay {
            child,
            log,
            log_readers: stdout.into_iter().chain(stderr).collect(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            setup,
        };
        relay.address = relay.wait_until_ready().await;
        relay
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `ws://127.0.0.1:PORT`
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// `http://127.0.0.1:PORT`
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it was started.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Everything it printed so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until the log, from a byte on, holds these words.
    pub async fn wait_for_log(&self, from: usize, words: &str) {
        wait::until_true(&format!("{words:?} in the log"), || {
            self.log()
                .get(from..)
                .is_some_and(|new| new.contains(words))
        })
        .await;
    }

    /// Replaces the configuration file by renaming, as careful editors do.
    pub fn write_config(&self, toml: &str) {
        let new = self.setup.home().join("config.toml.new");
        std::fs::write(&new, toml).expect("write the configuration");
        std::fs::rename(new, self.setup.config_file()).expect("rename the configuration");
    }

    /// SIGHUP: reload.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGTERM, without waiting.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_some()
    }

    /// SIGTERM, waits for the end, and hands back what is needed to start again.
    pub async fn stop(mut self) -> (ExitStatus, Setup) {
        if !self.has_ended() {
            self.ask_to_stop();
        }
        let child = &mut self.child;
        let status = wait::until_some("the relay's end", || child.try_wait().expect("wait")).await;
        (status, self.setup.clone())
    }

    /// The same, with everything that was printed up to the end instead.
    pub async fn stop_with_log(mut self) -> (ExitStatus, String) {
        let log = self.log.clone();
        let readers = std::mem::take(&mut self.log_readers);
        let (status, _) = self.stop().await;
        for reader in readers {
            let _ = reader.join();
        }
        (status, log.text())
    }

    /// SIGKILL; hands back what is needed to start again.
    pub fn kill(mut self) -> Setup {
        self.end();
        self.setup.clone()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("send a signal");
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    async fn wait_until_ready(&mut self) -> SocketAddr {
        let (child, log) = (&mut self.child, &self.log);
        let ready = wait::until_some("the relay to listen", || {
            if let Some(address) = log.address() {
                return Some(Ok(address));
            }
            let status = child.try_wait().expect("wait")?;
            // Its last words may still be in the pipe.
            Some(log.address().ok_or(status))
        })
        .await;
        match ready {
            Ok(address) => address,
            Err(status) => panic!("the relay ended with {status} before it listened"),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            let log = self.log();
            let from = log.ceil_char_boundary(log.len().saturating_sub(SHOWN_LOG_BYTES));
            eprintln!("--- the relay's log ---\n{}--- end ---", &log[from..]);
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn text(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn follow(&self, pipe: impl Read + Send + 'static) -> thread::JoinHandle<()> {
        let log = self.clone();
        thread::spawn(move || {
            let mut lines = BufReader::new(pipe);
            let mut line = Vec::new();
            while lines
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let mut text = log.0.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        })
    }

    /// The address in the first complete line that says READY; the loopback one where it listens on all.
    fn address(&self) -> Option<SocketAddr> {
        let text = self.text();
        let line = text
            .split_inclusive('\n')
            .find(|line| line.contains(READY) && line.ends_with('\n'))?;
        let after = &line[line.find(READY)? + READY.len()..];
        let end = after
            .find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c)))
            .unwrap_or(after.len());
        let mut address: SocketAddr = after[..end].parse().ok()?;
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        Some(address)
    }
}
