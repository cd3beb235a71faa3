//! C21: the socket through which commands reach a running relay: who may, how many, and what becomes of it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use trellis_test_support::{Author, Client, Front, Relay, Setup, json, trellis, wait};

fn setup() -> Setup {
    trellis!().front(Front::Server)
}

fn socket(setup: &Setup) -> PathBuf {
    setup.home().join("data/admin.sock")
}

async fn export(relay: &Relay) -> trellis_test_support::Output {
    let file = relay.setup().config_file().display().to_string();
    relay.setup().run(&["export", "-c", &file]).await
}

/// A connection that has asked for a job.
fn ask(setup: &Setup, job: &str) -> UnixStream {
    let lock = setup.home().join("data/trellis.lock").metadata();
    let lock = lock.expect("the lock of the database");
    let database = json!({"path": "data", "device": lock.dev(), "inode": lock.ino()});
    let job = match job.strip_prefix('{') {
        Some(rest) => format!(r#"{{"database":{database},{rest}"#),
        None => job.to_owned(),
    };
    ask_plainly(setup, &job)
}

fn ask_plainly(setup: &Setup, line: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket(setup)).expect("connect");
    writeln!(stream, "{line}").expect("write the job");
    stream
}

fn next_line(stream: &UnixStream) -> String {
    stream
        .set_read_timeout(Some(wait::DEADLINE))
        .expect("a timeout");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("a line");
    line
}

#[tokio::test]
async fn c21_the_socket_is_the_users_own_and_goes_with_the_relay() {
    let relay = setup().start().await;
    let path = socket(relay.setup());
    let metadata = fs::symlink_metadata(&path).expect("a socket");
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    relay.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn c21_a_socket_that_a_crash_left_behind_is_replaced() {
    let setup = setup().start().await.kill();
    assert!(socket(&setup).exists());
    let relay = setup.start().await;
    export(&relay).await.assert_success();
}

#[tokio::test]
async fn c21_a_relay_without_a_socket_says_so() {
    let relay = setup().config("[data]\nadmin_socket = \"\"").start().await;
    assert!(!socket(relay.setup()).exists());
    let refused = export(&relay).await;
    refused.assert_failure(&["data.admin_socket", "in use"]);
}

#[tokio::test]
async fn c21_the_socket_may_be_elsewhere() {
    let setup = setup();
    let path = setup.home().join("here.sock").display().to_string();
    let relay = setup
        .config(&format!("[data]\nadmin_socket = {path:?}"))
        .start()
        .await;
    assert!(fs::symlink_metadata(path).is_ok());
    export(&relay).await.assert_success();
}

#[tokio::test]
async fn c21_a_relay_refuses_jobs_that_are_meant_for_another_database() {
    let setups = [(); 2].map(|()| setup());
    let shared = setups[0].home().join("shared.sock").display().to_string();
    let homes = setups.clone().map(|setup| setup.home().to_owned());
    let [first, second] =
        setups.map(|setup| setup.config(&format!("[data]\nadmin_socket = {shared:?}")));
    let (first, second) = (first.start().await, second.start().await);
    second.wait_for_log(0, "another process listens").await;
    let mut client = Client::connect(&first).await;
    let note = Author::new().note("stays");
    client.store(&note).await;
    let file = second.setup().config_file().display().to_string();
    for command in [&["delete", "-f", "{}", "--all"][..], &["compact"]] {
        let arguments = [command, &["-c", &file]].concat();
        let refused = second.setup().run(&arguments).await;
        let paths = homes.each_ref().map(|home| home.join("data"));
        let paths = paths.map(|path| path.canonicalize().expect("a directory"));
        let paths = paths.each_ref().map(|path| path.to_str().expect("UTF-8"));
        refused.assert_failure(&[paths[0], paths[1], "data.admin_socket"]);
    }
    assert_eq!(client.query(json!({})).await, [note]);
    export(&first).await.assert_success();
}

#[tokio::test]
async fn c21_a_path_too_long_for_a_socket_stops_no_relay() {
    let setup = setup();
    let data = setup.home().join("x".repeat(60)).join("y".repeat(60));
    let relay = setup
        .env("TRELLIS_DATA__PATH", &data.display().to_string())
        .start()
        .await;
    relay.wait_for_log(0, "data.admin_socket").await;
    Client::connect(&relay).await.assert_alive().await;
    export(&relay).await.assert_failure(&["admin socket"]);
}

#[tokio::test]
async fn c21_a_file_in_the_way_is_left_alone() {
    let setup = setup();
    fs::create_dir(setup.home().join("data")).expect("a directory");
    fs::write(socket(&setup), "mine").expect("a file");
    let relay = setup.start().await;
    relay.wait_for_log(0, "not a socket").await;
    let (_, setup) = relay.stop().await;
    assert_eq!(
        fs::read_to_string(socket(&setup)).expect("the file"),
        "mine"
    );
}

#[tokio::test]
async fn c21_what_the_socket_does_not_understand_is_refused_in_words() {
    let relay = setup().start().await;
    for job in [
        "what",
        r#"{"job":"reticulate"}"#,
        r#"{"job":"export","fitler":{}}"#,
    ] {
        let answer = next_line(&ask(relay.setup(), job));
        assert!(answer.starts_with(r#"{"error":"#), "{job}: {answer}");
    }
    let answer = next_line(&ask(relay.setup(), r#"{"job":"delete","filter":{}}"#));
    assert!(answer.contains("--all"), "{answer}");
    // No job is done on a guess.
    let answer = next_line(&ask_plainly(relay.setup(), r#"{"job":"compact"}"#));
    assert!(answer.contains("database"), "{answer}");
    // Somebody who only knocks disturbs nobody.
    drop(UnixStream::connect(socket(relay.setup())));
    export(&relay).await.assert_success();
}

#[tokio::test]
async fn c21_jobs_at_one_time_are_bounded() {
    let relay = setup().start().await;
    let import = r#"{"job":"import"}"#;
    let (first, second) = (ask(relay.setup(), import), ask(relay.setup(), import));
    wait::until("a refusal", async || {
        let refused = export(&relay).await;
        (refused.code == Some(1) && refused.stderr.contains("2 jobs run already")).then_some(())
    })
    .await;
    // A place is free as soon as a connection ends.
    drop(first);
    wait::until("a place", async || {
        (export(&relay).await.code == Some(0)).then_some(())
    })
    .await;
    drop(second);
}

#[tokio::test]
async fn c21_a_job_ends_with_its_connection() {
    let relay = setup().start().await;
    let mut client = Client::connect(&relay).await;
    client.store_all(&Author::new().notes(2_000)).await;
    // Answers that nobody reads fill the socket, and the job waits.
    let jobs = [(); 2].map(|()| ask(relay.setup(), r#"{"job":"export"}"#));
    drop(jobs);
    wait::until("a free place", async || {
        (export(&relay).await.code == Some(0)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c21_a_relay_that_stops_ends_its_jobs_first() {
    let relay = setup().start().await;
    let events = Author::new().notes(300);
    let file = relay.setup().config_file().display().to_string();
    let mut import = relay.setup().spawn(&["import", "-c", &file, "-"]);
    for event in &events {
        import.write(&(event.as_json() + "\n"));
    }
    let mut client = Client::connect(&relay).await;
    wait::until("the first batch", async || {
        (!client.query(json!({"limit": 1})).await.is_empty()).then_some(())
    })
    .await;
    // Another one whose answers nobody reads.
    client.store_all(&Author::new().notes(2_000)).await;
    let _unread = ask(relay.setup(), r#"{"job":"export"}"#);
    let (status, setup) = relay.stop().await;
    assert_eq!(status.code(), Some(0));
    let ended = import.end().await;
    ended.assert_failure(&["the relay is stopping", "--from-line"]);
    let exported = setup.run(&["export", "-c", &file]).await;
    // What had come is stored.
    assert_eq!(exported.assert_success().stdout.lines().count(), 2_300);
}
