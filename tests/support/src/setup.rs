//! How a relay is to run: which binary and front, with what configuration, environment and directory.
//!
//! Invariant: a relay under test sees none of the caller's environment but what `PASSED_ON` lists, listens on a free port
//! of the loopback interface and keeps its data in a directory that is removed after the test.

use crate::command::{self, Output, Running};
use crate::relay::Relay;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// The last says where an instrumented relay counts its lines; others do not look at it.
const PASSED_ON: [&str; 3] = ["PATH", "HOME", "LLVM_PROFILE_FILE"];

/// Which of the two WebSocket fronts is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// The server's own: `trellis serve`.
    Server,
    /// The route for embedding: the example `embed`, started as `embed -c FILE`.
    Embedded,
}

impl Front {
    /// From the variable `TRELLIS_FRONT`: `server` (also when unset) or `embedded`.
    pub fn from_env() -> Front {
        match std::env::var("TRELLIS_FRONT").as_deref() {
            Ok("embedded") => Front::Embedded,
            Ok("server") | Err(_) => Front::Server,
            Ok(other) => panic!("TRELLIS_FRONT is {other:?}, not server or embedded"),
        }
    }
}

/// A relay that can be started, again and again, on the same directory.
#[derive(Clone, Debug)]
pub struct Setup {
    binary: PathBuf,
    front: Front,
    home: Arc<TempDir>,
    config: Option<String>,
    environment: BTreeMap<String, String>,
    arguments: Vec<String>,
}

impl Setup {
    /// With an empty configuration file, the front that `TRELLIS_FRONT` names, and the binary that `TRELLIS_BIN` names
    /// if it names one.
    pub fn new(binary: &str) -> Setup {
        let mut setup = Self::of(binary);
        setup.front = Front::from_env();
        if let Some(binary) = std::env::var_os("TRELLIS_BIN") {
            // The relay starts in a directory of its own.
            setup.binary = std::path::absolute(binary).expect("the path of a program");
        }
        setup
    }

    /// With an empty configuration file, the server's own front, and this binary whatever the environment says.
    pub fn of(binary: &str) -> Setup {
        let home = TempDir::with_prefix("trellis-test-").expect("a temporary directory");
        let data = home.path().join("data").display().to_string();
        let mut environment = BTreeMap::from([
            ("TRELLIS_NETWORK__PORT".to_owned(), "0".to_owned()),
            ("TRELLIS_DATA__PATH".to_owned(), data),
        ]);
        for name in PASSED_ON {
            if let Ok(value) = std::env::var(name) {
                environment.insert(name.to_owned(), value);
            }
        }
        Setup {
            binary: binary.into(),
            front: Front::Server,
            home: Arc::new(home),
            config: Some(String::new()),
            environment,
            arguments: Vec::new(),
        }
    }

    /// With this TOML as configuration file.
    pub fn config(mut self, toml: &str) -> Self {
        self.config = Some(toml.to_owned());
        self
    }

    /// Without any configuration file.
    pub fn without_config(mut self) -> Self {
        self.config = None;
        self
    }

    /// With this variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without this variable, should it be set.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// With one more argument to `serve`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Over this front, whatever `TRELLIS_FRONT` says.
    pub fn front(mut self, front: Front) -> Self {
        self.front = front;
        self
    }

    /// The program that runs.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Another program in its place, which runs it.
    pub fn run_by(mut self, program: &Path) -> Self {
        self.binary = program.to_owned();
        self
    }

    /// The directory: `config.toml`, `data` and whatever a test puts there. The relay's working directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the configuration file is.
    pub fn config_file(&self) -> PathBuf {
        self.home().join("config.toml")
    }

    /// Starts the relay and waits until it listens.
    pub async fn start(self) -> Relay {
        let command = self.serve_command();
        Relay::spawn(self, command).await
    }

    /// Runs `trellis` with these arguments in the same directory and environment, to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_input(arguments, "").await
    }

    /// The same with text on standard input.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        self.write_config();
        let mut command = self.command(&self.binary);
        command.args(arguments);
        command::run(command, input).await
    }

    /// Starts `trellis` with these arguments in the same directory and environment, and does not wait for its end.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        self.write_config();
        let mut command = self.command(&self.binary);
        command.args(arguments);
        Running::spawn(command)
    }

    /// The same, and nobody reads what it prints.
    pub fn spawn_unread(&self, arguments: &[&str]) -> Running {
        self.write_config();
        let mut command = self.command(&self.binary);
        command.args(arguments);
        Running::spawn_unread(command)
    }

    /// Tries to serve, expecting that it ends by itself.
    pub async fn serve_to_end(&self) -> Output {
        command::run(self.serve_command(), "").await
    }

    fn serve_command(&self) -> Command {
        self.write_config();
        let mut command = match self.front {
            Front::Server => {
                let mut command = self.command(&self.binary);
                command.arg("serve");
                command
            }
            Front::Embedded => self.command(&self.example("embed")),
        };
        if self.config.is_some() {
            command.arg("-c").arg(self.config_file());
        }
        command.args(&self.arguments);
        command
    }

    fn write_config(&self) {
        if let Some(toml) = &self.config {
            std::fs::write(self.config_file(), toml).expect("write the configuration");
        }
    }

    /// Cargo puts examples next to the binary, but does not build them for a single test.
    fn example(&self, name: &str) -> PathBuf {
        let path = self.binary.with_file_name("examples").join(name);
        assert!(
            path.exists(),
            "{} is missing; `cargo build --example {name}` makes it",
            path.display()
        );
        path
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.home());
        command
    }
}
