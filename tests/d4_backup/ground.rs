//! A place for copies, a relay that writes there, and a history to be looked for afterwards.

use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use trellis_test_support::{
    Author, Client, Event, Front, Output, Relay, Setup, http, json, trellis, wait,
};

/// Where copies go. Removed after the test.
pub(super) struct Place {
    pub(super) url: String,
    pub(super) directory: Option<TempDir>,
}

impl Place {
    pub(super) fn directory() -> Self {
        let directory = TempDir::with_prefix("trellis-copies-").expect("a directory");
        Place {
            url: format!("file://{}", directory.path().display()),
            directory: Some(directory),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.as_ref().expect("a directory").path()
    }

    /// A relay with an empty database that writes there.
    pub(super) fn relay(&self, more: &str) -> Setup {
        trellis!().front(Front::Server).config(&self.config(more))
    }

    /// What a relay that writes there is configured with.
    pub(super) fn config(&self, more: &str) -> String {
        format!(
            "{more}\n[backup]\nurl = {:?}\ninterval = \"200ms\"\n[limitation]\nmax_limit = 20000",
            self.url
        )
    }

    pub(super) fn files(&self, ends: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path if path.to_string_lossy().ends_with(ends) => found.push(path),
                    _ => {}
                }
            }
        }
        found.sort();
        found
    }
}

pub(super) async fn health(relay: &Relay) -> Value {
    http::get(relay, "/health", &[]).await.json()["backup"].clone()
}

/// Waits until everything that is committed now is in the backup.
pub(super) async fn until_backed_up(relay: &Relay) {
    let config = relay.setup().config_file().display().to_string();
    let written = relay.setup().run(&["backup", "now", "-c", &config]).await;
    written.assert_success();
}

pub(super) async fn until_snapshot(relay: &Relay) {
    wait::until("a snapshot", async || {
        health(relay).await["last_snapshot_at_ms"].as_u64()
    })
    .await;
}

pub(super) async fn run(setup: &Setup, arguments: &[&str]) -> Output {
    let config = setup.config_file().display().to_string();
    let mut all = vec!["backup"];
    all.extend(arguments);
    all.extend(["-c", &config]);
    setup.run(&all).await
}

pub(super) async fn assert_whole(setup: &Setup) {
    let config = setup.config_file().display().to_string();
    let checked = setup.run(&["check", "-c", &config]).await;
    checked.assert_success();
}

/// What a history of each kind leaves behind, to be looked for after a restoration.
pub(super) struct History {
    pub(super) kept: Event,
    pub(super) deleted: Event,
    pub(super) deleted_version: Event,
    pub(super) vanished: Event,
}

pub(super) async fn write_history(relay: &Relay) -> History {
    let (author, gone) = (Author::new(), Author::new());
    let mut client = Client::connect(relay).await;
    let history = History {
        kept: author.note("kept"),
        deleted: author.note("deleted"),
        deleted_version: author.draft(30_023).tag(&["d", "x"]).content("old").sign(),
        vanished: gone.note("vanished"),
    };
    for event in [
        &history.kept,
        &history.deleted,
        &history.deleted_version,
        &history.vanished,
    ] {
        client.store(event).await;
    }
    let address = format!("30023:{}:x", author.pubkey());
    let deletion = author.deletion([["e", &history.deleted.id.to_hex()], ["a", &address]]);
    client.store(&deletion).await;
    let vanish = gone.draft(62).tag(&["relay", "ALL_RELAYS"]).sign();
    client.store(&vanish).await;
    history
}

pub(super) async fn assert_history(relay: &Relay, history: &History) {
    let mut client = Client::connect(relay).await;
    let kept = history.kept.id.to_hex();
    assert_eq!(client.query_ids(json!({"ids": [kept]})).await, [kept]);
    for gone in [&history.deleted, &history.deleted_version] {
        let verdict = client.publish(gone).await;
        verdict.assert_refused("blocked:", "deleted");
    }
    let verdict = client.publish(&history.vanished).await;
    verdict.assert_refused("blocked:", "vanished");
}
