//! V1: the comparison with other relays runs as its README says, here with this relay alone and few events.
//!
//! No figure is looked at: they are for people, on a machine that does nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use trellis_test_support::{Value, command, free_port};

/// The script, with this binary as relay and as generator, on one core if there is only one.
fn compare(home: &TempDir, arguments: &[&str]) -> Command {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/compare-relays/compare");
    let mut command = Command::new(script);
    command
        .current_dir(home.path())
        .env("TRELLIS", env!("CARGO_BIN_EXE_trellis"))
        .env("TMPDIR", home.path())
        .env("REPOSITORY", env!("CARGO_MANIFEST_DIR"))
        .args(["--events", "500", "--rounds", "1", "--cores", "0,0"])
        .args(["--lone", "20", "--queries", "60", "--fanout", "20"])
        .args(["--narrow", "50", "--idle", "20"])
        .args(["--port", &free_port().to_string()])
        .args(arguments);
    command
}

/// A port that was free a moment ago.
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

#[tokio::test]
async fn v1_rounds_of_other_settings_are_refused() {
    let home = TempDir::with_prefix("trellis-compare-").expect("a temporary directory");
    let ingest = ["trellis", "--phases", "ingest"];
    for _ in 0..2 {
        let output = command::run(compare(&home, &ingest), "").await;
        output.assert_success();
    }
    let lines = results(&home.path().join("results/trellis.jsonl"));
    let rounds: Vec<_> = lines.iter().map(|line| line["round"].as_u64()).collect();
    assert_eq!(rounds, [Some(1), Some(2)]);
    for line in &lines {
        assert_eq!(line["settings"]["events"], 500);
        assert_eq!(line["settings"]["cores"], "0,0");
        let version = line["version"].as_str().expect("a version");
        assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    }

    let mut other = compare(&home, &ingest);
    other.args(["--events", "600", "--lone", "10"]);
    let output = command::run(other, "").await;
    output.assert_failure(&["events (500 and 600)", "lone (20 and 10)", "--out"]);
    assert_eq!(output.code, Some(2));
    assert_eq!(output.stdout, "");
    let left = results(&home.path().join("results/trellis.jsonl"));
    assert_eq!(left, lines, "nothing is added");
}

#[tokio::test]
async fn v1_a_table_of_other_settings_or_of_nothing_is_refused() {
    let home = TempDir::with_prefix("trellis-compare-").expect("a temporary directory");
    let out = home.path().join("results");
    let again = || compare(&home, &["--rounds", "0"]);
    let missing = command::run(again(), "").await;
    missing.assert_failure(&["there are no results in results", "--out"]);
    std::fs::create_dir(&out).expect("a directory");
    let empty = command::run(again(), "").await;
    empty.assert_failure(&["there are no results in results", "--out"]);

    let line = |relay: &str, version: &str, events: u64| {
        let settings = serde_json::json!({"events": events});
        let found = serde_json::json!({"bytes_per_event": 1_000});
        let line = serde_json::json!({"relay": relay, "version": version, "round": 1, "settings": settings,
            "phase": "disk", "found": found});
        std::fs::write(out.join(format!("{relay}.jsonl")), format!("{line}\n")).expect("a file");
    };
    line("one", "1.0", 500);
    line("two", "2.0", 500);
    command::run(again(), "").await.assert_success();
    line("two", "2.0", 600);
    let output = command::run(again(), "").await;
    output.assert_failure(&["events (500 and 600)"]);
    assert_eq!(output.stdout, "");
}

#[tokio::test]
async fn v1_another_version_of_a_relay_is_refused() {
    let home = TempDir::with_prefix("trellis-compare-").expect("a temporary directory");
    let ingest = ["trellis", "--phases", "ingest"];
    command::run(compare(&home, &ingest), "")
        .await
        .assert_success();
    let file = home.path().join("results/trellis.jsonl");
    let mut line = results(&file).swap_remove(0);
    line["version"] = "trellis of old".into();
    std::fs::write(&file, format!("{line}\n")).expect("a file");
    let output = command::run(compare(&home, &ingest), "").await;
    output.assert_failure(&["version of trellis (trellis of old and trellis "]);
}

#[tokio::test]
async fn v1_two_relays_of_one_name_are_refused() {
    let home = TempDir::with_prefix("trellis-compare-").expect("a temporary directory");
    let own = relay_file(&home, "trellis", "");
    let output = command::run(compare(&home, &["trellis", &own]), "").await;
    output.assert_failure(&["two relays are called trellis", "rename"]);
    assert_eq!(output.code, Some(2));
}

#[tokio::test]
async fn v1_a_failed_phase_has_no_figures_and_exit_code_1() {
    let home = TempDir::with_prefix("trellis-compare-").expect("a temporary directory");
    // One takes too few subscriptions for the narrow ones, one never lives.
    let narrow = relay_file(
        &home,
        "few",
        "eval \"$(declare -f configure | sed 's/max_subscriptions = 20000/max_subscriptions = 8/')\"",
    );
    let dead = relay_file(
        &home,
        "dead",
        "launch() { echo 'no database today'; exit 3; }",
    );
    let phases = ["--phases", "ingest,disk,narrow"];
    let mut all = compare(&home, &["trellis", &narrow, &dead]);
    all.args(phases);
    let output = command::run(all, "").await;
    assert_eq!(output.code, Some(1), "{}", output.text());
    let table = &output.stdout;
    assert!(table.starts_with(' '), "{table}");
    let cells = |row: &str| -> Vec<bool> {
        let line = table.lines().find(|line| line.starts_with(row));
        let line = line.unwrap_or_else(|| panic!("{row} is not in {table}"));
        let cells = line.split_whitespace().rev().take(3);
        let mut cells: Vec<_> = cells.map(|cell| cell != "-").collect();
        cells.reverse();
        cells
    };
    // In the order of their names: dead, few, trellis.
    assert_eq!(cells("ingest: CPU"), [false, true, true], "{table}");
    assert_eq!(cells("disk"), [false, true, true], "{table}");
    assert_eq!(cells("narrow: CPU"), [false, false, true], "{table}");
    for words in [
        "dead, round 1, start: did not start",
        "no database today",
        "few, round 1, narrow: ",
    ] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let again = command::run(compare(&home, &["--rounds", "0"]), "").await;
    assert_eq!(&again.assert_success().stdout, table);
}

#[tokio::test]
async fn v1_what_a_failed_phase_found_stays_out_of_the_table() {
    let home = TempDir::with_prefix("trellis-compare-").expect("a temporary directory");
    let line = |round: u64, found: Value| {
        let line = serde_json::json!({"relay": "one", "version": "", "round": round, "settings": {},
            "phase": "ingest", "found": found});
        format!("{line}\n")
    };
    let failed = serde_json::json!({"error": "too many refusals\n", "refused": 77, "events_per_second": 90_000.0});
    let out = home.path().join("results");
    std::fs::create_dir(&out).expect("a directory");
    let table = async |lines: String| {
        std::fs::write(out.join("one.jsonl"), lines).expect("a file");
        let output = command::run(compare(&home, &["--rounds", "0"]), "").await;
        output.assert_success().stdout.clone()
    };
    let figure = |table: &str, row: &str| {
        let line = table.lines().find(|line| line.trim().starts_with(row));
        let figure = line.and_then(|line| line.split_whitespace().next_back());
        figure.map(str::to_owned)
    };

    let one = table(line(1, failed.clone())).await;
    assert_eq!(figure(&one, "events per second").as_deref(), Some("-"));
    assert_eq!(figure(&one, "refused").as_deref(), Some("77"));
    assert!(
        one.ends_with("one, round 1, ingest: too many refusals\n"),
        "{one}"
    );

    let right = serde_json::json!({"refused": 3, "events_per_second": 500.0});
    let both = table(line(1, failed) + &line(2, right)).await;
    assert_eq!(figure(&both, "events per second").as_deref(), Some("500"));
    assert_eq!(figure(&both, "refused").as_deref(), Some("40"));
}

/// A relay's file: this relay's own, with another ending. Its path.
fn relay_file(home: &TempDir, name: &str, ending: &str) -> String {
    let directory = home.path().join("relays");
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join(format!("{name}.sh"));
    let own = ". \"$REPOSITORY/examples/compare-relays/relays/trellis.sh\"";
    std::fs::write(&file, format!("{own}\n{ending}\n")).expect("a file");
    file.to_str().expect("a path of UTF-8").to_owned()
}

fn results(file: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(file).expect("results");
    let lines = lines.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON")
}
