//! Two relays, three developers with keys in files and a configuration of the tools.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;
use trellis_test_support::command::{Running, run};
use trellis_test_support::{Author, Client, Output, Relay, Value, now, trellis};

pub(crate) const NETWORK: &str = "net";
pub(crate) const QUORUM: usize = 2;
pub(crate) const HASH: &str = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d2e3f4a5b6c7d8e9f0a1b2";
pub(crate) const OTHER_HASH: &str =
    "00b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d2e3f4a5b6c7d8e9f0a1b2";

/// What the tests stand on.
pub(crate) struct Ground {
    pub(crate) relays: Vec<Relay>,
    pub(crate) developers: Vec<Author>,
    pub(crate) home: TempDir,
}

impl Ground {
    pub(crate) async fn new() -> Ground {
        Ground::with("").await
    }

    /// With more in the first relay's configuration.
    pub(crate) async fn with(more: &str) -> Ground {
        let developers: Vec<Author> = (0..3).map(|_| Author::new()).collect();
        let table = network_table("extensions.qube_coordination.networks", &developers);
        let mut relays = Vec::new();
        for more in [more, ""] {
            let config = format!("{more}\n{table}");
            relays.push(trellis!().config(&config).start().await);
        }
        let home = TempDir::with_prefix("trellis-tools-").expect("a folder");
        for (number, developer) in developers.iter().enumerate() {
            secret_file(&home, &format!("key-{number}"), &developer.secret());
        }
        let urls: Vec<String> = relays
            .iter()
            .map(|relay| format!("'{}'", relay.ws_url()))
            .collect();
        let api = format!("{}/api/v1/qube", relays[0].http_url());
        let config = format!(
            "relays = [{}]\napi = ['{api}']\n{}",
            urls.join(", "),
            network_table("networks", &developers)
        );
        fs::write(home.path().join("qube.toml"), config).expect("written");
        Ground {
            relays,
            developers,
            home,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `trellis qube` with the configuration.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tool(&self.home);
        let (words, rest) = split(arguments);
        command
            .args(words)
            .arg("--config")
            .arg(self.path("qube.toml"))
            .args(rest);
        command
    }

    pub(crate) async fn tool(&self, arguments: &[&str]) -> Output {
        run(self.command(arguments), "").await
    }

    pub(crate) fn begin(&self, arguments: &[&str]) -> Running {
        Running::spawn(self.command(arguments))
    }

    /// The developer of this number has signed an upgrade of HASH with a clock that is so far ahead.
    pub(crate) async fn upgrade_ahead(&self, number: usize, version: &str, ahead_s: u64) {
        let developer = &self.developers[number];
        let draft = developer.draft(33_321).content("ahead");
        let tags = [
            ["d", "hyperqube"],
            ["version", version],
            ["hash", HASH],
            ["network", NETWORK],
            ["action", "upgrade"],
        ];
        let draft = tags.iter().fold(draft, |draft, tag| draft.tag(tag));
        let event = draft.at(now() + ahead_s).sign();
        for relay in &self.relays {
            let mut client = Client::connect(relay).await;
            client.login(developer).await;
            client.store(&event).await;
        }
    }

    /// What it prints with `--json`.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let output = self.tool(&arguments).await;
        let output = output.assert_success();
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.text()))
    }

    /// The developer of this number signs an upgrade with the tool.
    pub(crate) async fn upgrade(&self, number: usize, version: &str, hash: &str) -> Output {
        let key = self.path(&format!("key-{number}")).display().to_string();
        self.tool(&[
            "signal", "upgrade", "--to", version, "--hash", hash, "--key", &key,
        ])
        .await
    }

    /// A node's report on an upgrade, on the first relay.
    pub(crate) async fn report(
        &self,
        node: &Author,
        node_id: &str,
        version: &str,
        error: Option<&str>,
    ) {
        self.report_on("upgrade", node, node_id, version, error)
            .await;
    }

    pub(crate) async fn report_on(
        &self,
        action: &str,
        node: &Author,
        node_id: &str,
        version: &str,
        error: Option<&str>,
    ) {
        let developer = self.developers[0].pubkey();
        // Within one second nothing comes before anything else.
        let at = (now() + 3).to_string();
        let address = format!("33321:{developer}:hyperqube");
        let status = if error.is_none() {
            "success"
        } else {
            "failure"
        };
        let draft = node.draft(3_333).content("a report");
        let tags = [
            ["a", &address],
            ["p", &developer],
            ["version", version],
            ["network", NETWORK],
            ["action", action],
            ["status", status],
            ["node_id", node_id],
            ["action_at", &at],
        ];
        let draft = tags.iter().fold(draft, |draft, tag| draft.tag(tag));
        let draft = error
            .iter()
            .fold(draft, |draft, error| draft.tag(&["error", error]));
        let mut client = Client::connect(&self.relays[0]).await;
        client.store(&draft.sign()).await;
    }
}

/// `trellis qube` without a configuration, at home in this folder.
pub(crate) fn tool(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
    command
        .arg("qube")
        .env("HOME", home.path())
        .env_remove("XDG_CONFIG_HOME");
    command
}

/// A file that its owner alone may read.
pub(crate) fn secret_file(home: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = home.path().join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
    path
}

fn network_table(name: &str, developers: &[Author]) -> String {
    let keys: Vec<String> = developers
        .iter()
        .map(|it| format!("'{}'", it.npub()))
        .collect();
    format!(
        "[[{name}]]\nid = '{NETWORK}'\ndevelopers = [{}]\nquorum = {QUORUM}\n",
        keys.join(", ")
    )
}

/// The words that select a command, and what follows them.
fn split<'a, 'b>(arguments: &'b [&'a str]) -> (&'b [&'a str], &'b [&'a str]) {
    let nested = ["signal", "audit", "genesis"].contains(&arguments[0]);
    arguments.split_at(if nested { 2 } else { 1 })
}
