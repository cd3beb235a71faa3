//! V1: the comparison with other relays runs as its README says, here with this relay alone and few events.
//!
//! No figure is looked at: they are for people, on a machine that does nothing else.

use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;
use trellis_test_support::{Value, command};

/// The script, with this binary as relay and as generator, on one core if there is only one.
fn compare(home: &TempDir, arguments: &[&str]) -> Command {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/compare-relays/compare");
    let mut command = Command::new(script);
    command
        .current_dir(home.path())
        .env("TRELLIS", env!("CARGO_BIN_EXE_trellis"))
        .env("TMPDIR", home.path())
        .args(["--events", "500", "--rounds", "1", "--cores", "0,0"])
        .args(["--lone", "20", "--queries", "60", "--fanout", "20"])
        .args(["--narrow", "50", "--idle", "20"])
        .args(["--port", &free_port().to_string()])
        .args(arguments);
    command
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

#[tokio::test]
async fn v1_a_comparison_ends_in_a_table() {
    let home = TempDir::with_prefix("trellis-compare-").expect("a temporary directory");
    let output = command::run(compare(&home, &["trellis"]), "").await;
    let table = &output.assert_success().stdout;
    let head = table.lines().next().expect("a head");
    assert_eq!(head.split_whitespace().collect::<Vec<_>>(), ["trellis"]);
    for row in [
        "ingest: CPU",
        "one by one",
        "disk",
        "query",
        "fanout 20",
        "narrow",
        "idle",
    ] {
        let line = table.lines().find(|line| line.starts_with(row));
        let figure = line.and_then(|line| line.split_whitespace().next_back());
        let figure = figure.unwrap_or_else(|| panic!("{row} is not in {table}"));
        assert!(figure.parse::<f64>().is_ok(), "{row}: {table}");
    }
    let results = home.path().join("results/trellis.jsonl");
    let results = std::fs::read_to_string(results).expect("results");
    for line in results.lines() {
        let result: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(result["relay"], "trellis");
        assert_eq!(result["found"].get("error"), None, "{line}");
    }
    let left: Vec<_> = std::fs::read_dir(home.path())
        .expect("the directory")
        .collect();
    assert_eq!(left.len(), 1, "only results are left: {left:?}");
}

#[tokio::test]
async fn v1_a_comparison_says_what_is_missing() {
    let home = TempDir::with_prefix("trellis-compare-").expect("a temporary directory");
    let mut without = compare(&home, &["trellis", "strfry"]);
    without.env("STRFRY", "/nowhere/strfry");
    let output = command::run(without, "").await;
    output.assert_failure(&[
        "strfry: no binary /nowhere/strfry",
        "STRFRY=/path/to/strfry",
        "https://",
    ]);
    assert_eq!(output.stdout, "");
    let unknown = command::run(compare(&home, &["nobody"]), "").await;
    unknown.assert_failure(&["nobody is no relay", "trellis", "strfry"]);
}
