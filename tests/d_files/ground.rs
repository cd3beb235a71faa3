//! What these tests share: files of the repository, programs that may be missing, and the relay's own checks.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use yaml_rust2::{Yaml, YamlLoader};

/// A path in the repository.
pub(crate) fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The text of a file of the repository.
#[track_caller]
pub(crate) fn read(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// The one document of a file of the repository.
#[track_caller]
pub(crate) fn yaml(relative: &str) -> Yaml {
    let documents = YamlLoader::load_from_str(&read(relative));
    let mut documents = documents.unwrap_or_else(|error| panic!("{relative}: {error}"));
    assert_eq!(documents.len(), 1, "{relative}");
    documents.remove(0)
}

/// Where a program is; none, with a word on standard error, where it is not installed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join(name));
    let found = found.find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: {name} is not installed; tests/run brings it");
    }
    found
}

/// What a command prints, both streams; fails the test unless it succeeds.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let done = command.output();
    let done = done.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
    said.into_owned()
}

/// The relay's own program, with nothing in its environment but these variables.
pub(crate) fn trellis(environment: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
    command.env_clear().envs(environment);
    if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
        command.env("LLVM_PROFILE_FILE", profile);
    }
    command
}

/// Has the relay check what it would be started with in a container: the file that CONFIG names, and these variables. What
/// the configuration comes to.
#[track_caller]
pub(crate) fn checked(mut environment: BTreeMap<String, String>) -> Value {
    let config = environment.remove("CONFIG").unwrap_or_default();
    let file = path(config.strip_prefix("/app/").expect("CONFIG is below /app"));
    succeed(
        trellis(&environment)
            .args(["config", "check", "-c"])
            .arg(&file),
    );
    let mut explain = trellis(&environment);
    explain
        .args(["config", "explain", "--json", "-c"])
        .arg(&file);
    let done = explain.output().expect("trellis");
    serde_json::from_slice(&done.stdout).expect("JSON")
}

/// Names of metrics of ours in an expression of PromQL, without what a histogram adds.
pub(crate) fn metrics(expression: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_name(c));
    let ours = |word: &&str| {
        let beginnings = [
            "trellis_",
            "mls_gateway_",
            "livekit_token_",
            "groups_",
            "qube_coordination_",
        ];
        beginnings
            .iter()
            .any(|beginning| word.starts_with(beginning))
    };
    words
        .filter(ours)
        .map(|word| {
            let mut word = word;
            for suffix in ["_bucket", "_count", "_sum"] {
                word = word.strip_suffix(suffix).unwrap_or(word);
            }
            word.to_owned()
        })
        .collect()
}

/// Fails unless docs/metrics.md has a row for each of ours, and there is one at all.
#[track_caller]
pub(crate) fn assert_metrics_exist(what: &str, expression: &str) {
    let page = include_str!("../../docs/metrics.md");
    for metric in metrics(expression) {
        // Names of extensions and groups of metrics stand in labels as well.
        let is_value = expression.contains(&format!("\"{metric}\""));
        assert!(
            is_value || page.contains(&format!("| `{metric}` |")),
            "{what}: {metric} is not in docs/metrics.md"
        );
    }
}

/// Ports that were free a moment ago, of TCP and UDP alike.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    (0..count)
        .map(|_| trellis_test_support::free_port())
        .collect()
}
