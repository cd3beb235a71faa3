//! A node: a folder with a program and a genesis, and an agent for it as a process.

use crate::ground::{Ground, QUORUM, program};
use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use tempfile::TempDir;
use trellis_test_support::{Author, wait};

/// The version that every node begins with.
pub(crate) const FIRST: &str = "1.0.0";

/// How a node is to be.
pub(crate) struct Plan {
    pub(crate) node_id: String,
    pub(crate) relays: Vec<String>,
    networks: Vec<String>,
    developers: Vec<String>,
    template: String,
    /// Where this process ends as in a crash.
    pub(crate) crash: Option<String>,
    /// More for the top of the configuration.
    pub(crate) top: String,
    /// For how long a download is tried.
    pub(crate) fetch_within: String,
    /// More for the networks' tables.
    pub(crate) more: String,
    /// More for what an upgrade is.
    pub(crate) upgrade: String,
}

impl Plan {
    /// With all relays of the ground.
    pub(crate) fn of(ground: &Ground, node_id: &str, networks: &[&str]) -> Plan {
        Plan {
            node_id: node_id.to_owned(),
            relays: ground.relay_urls(),
            networks: networks.iter().map(|id| (*id).to_owned()).collect(),
            developers: ground.developers.iter().map(Author::npub).collect(),
            template: ground.files.url("/node/{version}"),
            crash: None,
            top: String::new(),
            fetch_within: "2s".to_owned(),
            more: String::new(),
            upgrade: String::new(),
        }
    }
}

/// A node with an agent that runs, or ran.
pub(crate) struct Node {
    plan: Plan,
    home: TempDir,
    agent: Child,
}

impl Node {
    /// Makes its folder and starts its agent.
    pub(crate) fn start(plan: Plan) -> Node {
        let home = TempDir::with_prefix("trellis-node-").expect("a folder");
        write_private(&home.path().join("key"), &Author::new().secret());
        for network in &plan.networks {
            let folder = home.path().join(network);
            fs::create_dir(&folder).expect("a folder");
            let program_file = folder.join("node");
            fs::write(&program_file, program(FIRST)).expect("a program");
            fs::set_permissions(&program_file, Permissions::from_mode(0o755)).expect("a mode");
            fs::write(folder.join("running"), format!("{FIRST}\n")).expect("written");
            fs::write(folder.join("genesis.json"), "old").expect("written");
        }
        fs::write(home.path().join("agent.toml"), config(&plan, home.path())).expect("written");
        let agent = spawn(&plan, home.path());
        Node { plan, home, agent }
    }

    pub(crate) fn id(&self) -> &str {
        &self.plan.node_id
    }

    /// A file of the node of one network.
    pub(crate) fn file(&self, network: &str, name: &str) -> PathBuf {
        self.home.path().join(network).join(name)
    }

    /// What a file of the node has, trimmed; nothing where there is none.
    pub(crate) fn read(&self, network: &str, name: &str) -> String {
        let text = fs::read_to_string(self.file(network, name)).unwrap_or_default();
        text.trim().to_owned()
    }

    /// The version that wrote down that it runs.
    pub(crate) fn running(&self, network: &str) -> String {
        self.read(network, "running")
    }

    /// How often the operator's command was started.
    pub(crate) fn commands(&self, network: &str) -> usize {
        self.read(network, "commands").lines().count()
    }

    /// The most votes that the agent counts for one action of a network.
    pub(crate) fn votes(&self, network: &str) -> usize {
        let metrics = self.page("/metrics");
        let name = format!("trellis_qube_agent_votes{{network=\"{network}\"}} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
        let value = value.and_then(|value| value.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {metrics}"))
    }

    /// What the agent logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Waits until the agent has connected.
    pub(crate) async fn until_ready(&self) {
        wait::until_true("the agent to be ready", || self.log().contains(" ready")).await;
    }

    /// Waits until the log has these words.
    pub(crate) async fn until_logged(&self, words: &str) {
        let what = format!("{words:?} in the log of {}", self.id());
        wait::until_true(&what, || self.log().contains(words)).await;
    }

    /// Waits until the agent's process ends by itself.
    pub(crate) async fn until_ended(&mut self) -> ExitStatus {
        let agent = &mut self.agent;
        wait::until_some("the agent's end", || agent.try_wait().expect("wait")).await
    }

    /// Ends the agent with SIGKILL, if it runs, and starts it again.
    pub(crate) fn restart(&mut self) {
        self.end();
        self.plan.crash = None;
        self.agent = spawn(&self.plan, self.home.path());
    }

    /// Gives it another top of the configuration, for the next start.
    pub(crate) fn reconfigure(&mut self, top: &str) {
        self.plan.top = top.to_owned();
        let text = config(&self.plan, self.home.path());
        fs::write(self.home.path().join("agent.toml"), text).expect("written");
    }

    /// SIGKILL.
    pub(crate) fn end(&mut self) {
        let _ended_already = self.agent.kill();
        let _status = self.agent.wait();
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.agent.id()).ok();
        let pid = pid.and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
        self.until_ended().await
    }

    /// A page of the agent.
    pub(crate) fn page(&self, path: &str) -> String {
        let log = self.log();
        let address = log.rsplit("health and metrics on http://").next();
        let address = address.and_then(|rest| rest.split_whitespace().next());
        let address = address.expect("the address in the log");
        let mut socket = TcpStream::connect(address).expect("a connection");
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Runs the agent's program with these arguments and gives what it printed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_qube-agent"))
            .args(arguments)
            .arg("-c")
            .arg(self.home.path().join("agent.toml"))
            .output()
            .expect("the agent's program");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            eprintln!("--- the log of {} ---\n{}", self.id(), self.log());
        }
    }
}

fn spawn(plan: &Plan, home: &Path) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(home.join("log"))
        .expect("a log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_qube-agent"));
    command
        .arg("run")
        .arg("-c")
        .arg(home.join("agent.toml"))
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    if let Some(crash) = &plan.crash {
        command.env("QUBE_AGENT_CRASH", crash);
    }
    command.spawn().expect("the agent")
}

fn config(plan: &Plan, home: &Path) -> String {
    let home_text = home.display();
    let mut text = format!(
        "data_dir = \"{home_text}/data\"\nkey_file = \"{home_text}/key\"\nrelays = {:?}\nlisten = \"127.0.0.1:0\"\n\
         check_every = \"100ms\"\nsettle = \"0s\"\n{}\n[download]\nallow_http = true\nwithin = \"{}\"\n",
        plan.relays, plan.top, plan.fetch_within
    );
    for network in &plan.networks {
        let folder = home.join(network);
        let folder = folder.display();
        // Says that it was started, then starts the program that is there.
        let restart = format!(
            "echo run >> {folder}/commands; while test -e {folder}/hold; do sleep 0.02; done; \
             exec {folder}/node"
        );
        let reboot =
            format!("echo run >> {folder}/commands; cp {folder}/genesis.json {folder}/booted");
        let probe =
            format!("test -s {folder}/running && ! test -e {folder}/ill-$(cat {folder}/running)");
        let healthy = format!("! grep -q broken {folder}/genesis.json");
        text.push_str(&format!(
            "[[networks]]\nid = \"{network}\"\nnode_id = \"{}\"\nquorum = {QUORUM}\ndevelopers = {:?}\n\
             current_version = \"{FIRST}\"\n{}\n\
             [networks.upgrade]\nurl_template = \"{}\"\nbinary = \"{folder}/node\"\n\
             restart = [\"sh\", \"-c\", \"{restart}\"]\n{}\n\
             [networks.upgrade.probe]\ncommand = [\"sh\", \"-c\", \"{probe}\"]\nwithin = \"1s\"\nevery = \"100ms\"\n\
             [networks.reboot]\ngenesis_path = \"{folder}/genesis.json\"\ncommand = [\"sh\", \"-c\", \"{reboot}\"]\n\
             [networks.reboot.probe]\ncommand = [\"sh\", \"-c\", \"{healthy}\"]\nwithin = \"1s\"\nevery = \"100ms\"\n",
            plan.node_id, plan.developers, plan.more, plan.template, plan.upgrade
        ));
    }
    text
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("a mode");
}
