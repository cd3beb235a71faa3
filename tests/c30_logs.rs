//! C30: files with the log forget in time, by themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use trellis_test_support::{Author, Client, Front, Setup, http, trellis, wait};

fn setup(more: &str) -> Setup {
    let config = format!("[log]\ndirectory = \"logs\"\n{more}");
    trellis!().front(Front::Server).config(&config)
}

/// The files of a log, oldest first.
fn files(home: &Path, stem: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.join("logs")) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let is_of = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(stem))
    };
    let mut paths: Vec<PathBuf> = paths.filter(is_of).collect();
    paths.sort();
    paths
}

fn text(home: &Path, stem: &str) -> String {
    let texts = files(home, stem).into_iter();
    let texts = texts.map(|path| fs::read_to_string(path).unwrap_or_default());
    texts.collect()
}

#[tokio::test]
async fn c30_by_default_the_relay_writes_no_log_files() {
    let relay = trellis!().front(Front::Server).start().await;
    let home = relay.setup().home().to_owned();
    let (_, _setup) = relay.stop().await;
    assert!(!home.join("logs").exists());
    assert!(files(&home, "requests").is_empty());
}

#[tokio::test]
async fn c30_what_is_older_than_the_retention_goes_at_the_start_and_while_the_relay_runs() {
    let setup = setup("request_retention = \"3s\"\nfilter = \"debug\"\n");
    let (home, setup) = (setup.home().to_owned(), setup);
    let logs = home.join("logs");
    fs::create_dir(&logs).expect("a directory");
    let old = [
        "requests-2026-01-01T00-00-00Z.jsonl",
        "errors-2026-01-01T00-00-00Z.jsonl",
    ];
    for name in old {
        fs::write(logs.join(name), "old\n").expect("an old file");
    }
    fs::write(logs.join("mine.txt"), "of somebody else\n").expect("a file");
    let relay = setup.start().await;
    for name in old {
        assert!(!logs.join(name).exists(), "{name}");
    }
    assert!(logs.join("mine.txt").exists());
    let mut client = Client::connect(&relay).await;
    client.store(&Author::new().note("canary-content")).await;
    http::get(&relay, "/livez", &[]).await;
    wait::until_true("the request is in the log", || {
        text(&home, "requests").contains("a request was answered")
    })
    .await;
    let first = files(&home, "requests").remove(0);
    assert!(!text(&home, "requests").contains("canary-content"));
    // Nobody asks for anything meanwhile.
    wait::until_true("the file is gone", || !first.exists()).await;
    wait::until_true("the request is gone", || {
        !text(&home, "requests").contains("a request was answered")
    })
    .await;
    client.assert_alive().await;
}

#[tokio::test]
async fn c30_warnings_and_errors_are_in_files_of_their_own() {
    let relay = setup("").start().await;
    let home = relay.setup().home().to_owned();
    relay.write_config("[log]\ndirectory = \"elsewhere\"\n");
    relay.hang_up();
    wait::until_true("the warning is in the log", || {
        text(&home, "errors").contains("takes effect only after a restart")
    })
    .await;
    assert!(!home.join("elsewhere").exists());
    let (_, _setup) = relay.stop().await;
    // The last lines as well.
    let requests = text(&home, "requests");
    for line in ["listening on", "stopped"] {
        assert!(requests.contains(line), "{line}: {requests}");
    }
    assert!(!requests.contains("takes effect"), "{requests}");
    for line in requests.lines().chain(text(&home, "errors").lines()) {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(line["timestamp"].is_string(), "{line}");
    }
    let mode = |path: &Path| {
        let metadata = fs::metadata(path).expect("a file");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(&home.join("logs")), 0o700);
    for stem in ["requests", "errors"] {
        assert_eq!(mode(&files(&home, stem)[0]), 0o600);
    }
}

#[tokio::test]
async fn c30_a_relay_whose_logs_cannot_be_written_goes_on() {
    let relay = setup("filter = \"debug\"\nrequest_retention = \"3s\"\n")
        .start()
        .await;
    let logs = relay.setup().home().join("logs");
    fs::remove_dir_all(&logs).expect("the logs");
    fs::write(&logs, "in the way").expect("a file");
    let mut client = Client::connect(&relay).await;
    client.store(&Author::new().note("stored")).await;
    let words = "lines could not be written to the log files";
    relay.wait_for_log(0, words).await;
    client.store(&Author::new().note("stored, too")).await;
    fs::remove_file(&logs).expect("the file");
    fs::create_dir(&logs).expect("a directory");
    let home = relay.setup().home().to_owned();
    wait::until("there is a log again", async || {
        http::get(&relay, "/livez", &[]).await;
        let is_there = text(&home, "requests").contains("a request was answered");
        is_there.then_some(())
    })
    .await;
}

#[tokio::test]
async fn c30_longer_retention_than_promised_is_refused() {
    for (key, words) in [
        ("request_retention = \"25h\"", "log.request_retention"),
        ("error_retention = \"8d\"", "log.error_retention"),
        ("request_retention = \"0s\"", "1s to 1d"),
        ("max_bytes = \"1KiB\"", "at least 1MiB"),
        ("directory = \"\"", "log.directory"),
    ] {
        let config = format!("[log]\n{key}\n");
        let setup = trellis!().front(Front::Server).config(&config);
        setup.serve_to_end().await.assert_failure(&[words]);
    }
    let setup = trellis!()
        .front(Front::Server)
        .config("[log]\ndirectory = \"/dev/null/logs\"\n");
    let output = setup.serve_to_end().await;
    output.assert_failure(&["log.directory /dev/null/logs"]);
}
