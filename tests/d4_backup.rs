//! D4: the continuous backup by real processes: a disk that is gone, a restart, a point in time, a handover, a place that
//! is somebody else's, and what commands say of it.
//!
//! Restoring 1,000,000 events is measured by `d4_a_million_events_are_restored`, which is ignored: run it in release with
//! `cargo test --release --test d4_backup d4_a_million -- --ignored --nocapture`; it prints how long copying and restoring
//! took. What ingest costs with the backup beside without: `cargo test --release --test d4_backup d4_what_ingest -- --ignored
//! --nocapture` publishes the same events to both and prints both times.

#![cfg(feature = "backup")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;
use trellis_test_support::{
    Author, Client, Event, Front, Output, Relay, Reply, Setup, blob, http, json, trellis, wait,
};

/// Where copies go. Removed after the test.
struct Place {
    url: String,
    directory: Option<TempDir>,
}

impl Place {
    fn directory() -> Self {
        let directory = TempDir::with_prefix("trellis-copies-").expect("a directory");
        Place {
            url: format!("file://{}", directory.path().display()),
            directory: Some(directory),
        }
    }

    fn path(&self) -> &Path {
        self.directory.as_ref().expect("a directory").path()
    }

    /// A relay with an empty database that writes there.
    fn relay(&self, more: &str) -> Setup {
        let toml = format!(
            "{more}\n[backup]\nurl = {:?}\ninterval = \"200ms\"\n[limitation]\nmax_limit = 20000",
            self.url
        );
        trellis!().front(Front::Server).config(&toml)
    }

    fn files(&self, ends: &str) -> Vec<PathBuf> {
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

async fn health(relay: &Relay) -> Value {
    http::get(relay, "/health", &[]).await.json()["backup"].clone()
}

/// Waits until everything that is committed now is in the backup.
async fn until_backed_up(relay: &Relay) {
    let config = relay.setup().config_file().display().to_string();
    let written = relay.setup().run(&["backup", "now", "-c", &config]).await;
    written.assert_success();
}

async fn until_snapshot(relay: &Relay) {
    wait::until("a snapshot", async || {
        health(relay).await["last_snapshot_at_ms"].as_u64()
    })
    .await;
}

async fn run(setup: &Setup, arguments: &[&str]) -> Output {
    let config = setup.config_file().display().to_string();
    let mut all = vec!["backup"];
    all.extend(arguments);
    all.extend(["-c", &config]);
    setup.run(&all).await
}

async fn assert_whole(setup: &Setup) {
    let config = setup.config_file().display().to_string();
    let checked = setup.run(&["check", "-c", &config]).await;
    checked.assert_success();
}

/// What a history of each kind leaves behind, to be looked for after a restoration.
struct History {
    kept: Event,
    deleted: Event,
    deleted_version: Event,
    vanished: Event,
}

async fn write_history(relay: &Relay) -> History {
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

async fn assert_history(relay: &Relay, history: &History) {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d4_kill_9_and_an_empty_directory_lose_no_more_than_the_interval() {
    let place = Place::directory();
    let relay = place.relay("").start().await;
    until_snapshot(&relay).await;
    let history = write_history(&relay).await;
    let author = Author::new();
    let notes = author.notes(3_000);
    let mut client = Client::connect(&relay).await;
    client.store_all(&notes).await;
    until_backed_up(&relay).await;
    // Within the interval these may be lost, and those before may not.
    client.send_event(&author.note("perhaps")).await;
    relay.kill();

    let relay = place.relay("").start().await;
    assert!(relay.log().contains("restored"), "{}", relay.log());
    assert_history(&relay, &history).await;
    let mut client = Client::connect(&relay).await;
    let found = client.query(json!({"authors": [author.pubkey()]})).await;
    assert!(
        found.len() >= notes.len(),
        "{} of {}",
        found.len(),
        notes.len()
    );
    for note in &notes {
        assert!(found.contains(note));
    }
    // It takes events, and is backed up in its turn.
    client.store(&author.note("after")).await;
    until_backed_up(&relay).await;
    let setup = relay.kill();
    assert_whole(&setup).await;
    let relay = place.relay("").start().await;
    let mut client = Client::connect(&relay).await;
    let after = client
        .query(json!({"authors": [author.pubkey()], "limit": 1}))
        .await;
    assert_eq!(after[0].content, "after");
    assert_history(&relay, &history).await;
}

#[cfg(feature = "groups")]
#[tokio::test]
async fn d4_rows_of_extensions_come_back_and_their_hooks_go_on() {
    let place = Place::directory();
    let table = "[extensions.groups]";
    let relay = place.relay(table).start().await;
    let (admin, member, second) = (Author::new(), Author::new(), Author::new());
    let mut client = Client::connect(&relay).await;
    client.login(&admin).await;
    let draft = |kind: u16| admin.draft(kind).tag(&["h", "pizza"]);
    client.store(&draft(9007).sign()).await;
    let edit = draft(9002).tag(&["closed"]).tag(&["restricted"]);
    client.store(&edit.sign()).await;
    client
        .store(&draft(9000).tag(&["p", &member.pubkey()]).sign())
        .await;
    until_members(&mut client, 2).await;
    until_snapshot(&relay).await;
    until_backed_up(&relay).await;
    let data = relay.setup().home().join("data/relay.key");
    let key = std::fs::read(data).expect("the relay's key");
    relay.kill();

    let setup = place.relay(table);
    std::fs::create_dir_all(setup.home().join("data")).expect("a directory");
    std::fs::write(setup.home().join("data/relay.key"), key).expect("the relay's key");
    let relay = setup.start().await;
    let config = relay.setup().config_file().display().to_string();
    let checked = relay.setup().run(&["groups", "check", "-c", &config]).await;
    let text = &checked.assert_success().stdout;
    assert!(text.contains("what follows from their events"), "{text}");
    let mut client = Client::connect(&relay).await;
    client.login(&member).await;
    // Who was a member is one, and a stranger is none.
    client
        .store(&member.draft(9).tag(&["h", "pizza"]).content("hi").sign())
        .await;
    let mut stranger = Client::connect(&relay).await;
    stranger.login(&second).await;
    let refused = second.draft(9).tag(&["h", "pizza"]).content("hi").sign();
    assert!(!stranger.publish(&refused).await.accepted);
    client.login(&admin).await;
    client
        .store(&draft(9000).tag(&["p", &second.pubkey()]).sign())
        .await;
    until_members(&mut client, 3).await;
}

#[cfg(feature = "groups")]
async fn until_members(client: &mut Client, count: usize) {
    wait::until("the list of members", async || {
        let filter = json!({"kinds": [39002], "#d": ["pizza"]});
        let found = client.query(filter).await;
        let tags = found.first().map(|event| event.tags.len());
        (tags == Some(count + 1)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn d4_a_restart_on_the_same_disk_goes_on_and_a_stop_loses_nothing() {
    let place = Place::directory();
    let author = Author::new();
    let mut setup = place.relay("");
    let mut stored = Vec::new();
    for round in 0..3 {
        let relay = setup.start().await;
        let mut client = Client::connect(&relay).await;
        let note = author.note(&format!("round {round}"));
        client.store(&note).await;
        stored.push(note);
        // At once, before the next interval.
        let (status, after) = relay.stop().await;
        assert!(status.success());
        setup = after;
    }
    // One history, and it has ended.
    assert_eq!(place.files("lineage.json").len(), 1);
    assert_eq!(place.files("ended.json").len(), 1);
    let verified = run(&setup, &["verify", "--signatures"]).await;
    verified.assert_success();
    let relay = place.relay("").start().await;
    let mut client = Client::connect(&relay).await;
    let found = client.query(json!({"authors": [author.pubkey()]})).await;
    for note in &stored {
        assert!(found.contains(note), "{}", note.content);
    }
}

#[tokio::test]
async fn d4_a_point_in_time_is_restored_by_hand() {
    let place = Place::directory();
    let relay = place.relay("").start().await;
    until_snapshot(&relay).await;
    let author = Author::new();
    let mut client = Client::connect(&relay).await;
    let before = author.note("before");
    client.store(&before).await;
    until_backed_up(&relay).await;
    let then = trellis_test_support::now() + 1;
    wait::until("another second", async || {
        (trellis_test_support::now() > then).then_some(())
    })
    .await;
    client
        .store(&author.deletion([["e", &before.id.to_hex()]]))
        .await;
    until_backed_up(&relay).await;
    let running = relay.setup().clone();
    // Nothing is restored over anything, and the relay that runs is not disturbed.
    let refused = run(&running, &["restore"]).await;
    refused.assert_failure(&[]);
    let setup = place.relay("");
    let restored = run(&setup, &["restore", "--until", &then.to_string()]).await;
    restored.assert_success();
    assert_whole(&setup).await;
    assert_eq!(health(&relay).await["status"], "ok");
    drop(relay);
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let found = client.query(json!({"authors": [author.pubkey()]})).await;
    assert_eq!(found, [before]);
}

#[tokio::test]
async fn d4_who_takes_over_loses_nothing_that_was_answered_ok() {
    let place = Place::directory();
    let old = place.relay("").start().await;
    until_snapshot(&old).await;
    let author = Author::new();
    let mut publisher = Client::connect(&old).await;
    let publishing = async {
        // Until it is refused, or sent away.
        let mut answered = Vec::new();
        let mut last = None;
        for n in 0..100_000 {
            let note = author.note(&format!("note {n}"));
            publisher.send_event(&note).await;
            match publisher.next().await {
                Some(Reply::Ok(_, verdict)) if verdict.accepted => {
                    answered.push(note.id.to_hex());
                }
                Some(Reply::Ok(_, verdict)) => {
                    last = Some(verdict);
                    break;
                }
                Some(_) => {}
                None => break,
            }
        }
        if let Some(verdict) = last {
            verdict.assert_refused("error:", "taken over");
            assert_eq!(publisher.closed_by_relay().await, Some(1001));
        }
        answered
    };
    let (new, answered) = tokio::join!(place.relay("").start(), publishing);
    let mut client = Client::connect(&new).await;
    for some in answered.chunks(500) {
        let found = client.query_ids(json!({"ids": some})).await;
        assert_eq!(found.len(), some.len(), "answered OK and lost");
    }
    assert_eq!(health(&old).await["status"], "superseded");
    assert_eq!(http::get(&old, "/ready", &[]).await.status, 503);
    let mut late = Client::connect(&old).await;
    late.publish(&author.note("late"))
        .await
        .assert_refused("error:", "taken over");
    client.store(&author.note("goes on")).await;
    // Its disk is of yesterday now.
    let (_, setup) = old.stop().await;
    setup
        .serve_to_end()
        .await
        .assert_failure(&["another relay has taken over"]);
}

#[tokio::test]
async fn d4_a_place_of_somebody_else_is_not_written_to() {
    let place = Place::directory();
    let relay = place.relay("").start().await;
    until_snapshot(&relay).await;
    relay.stop().await;
    let other = trellis!().front(Front::Server);
    let relay = other.start().await;
    let author = Author::new();
    let note = author.note("of the other");
    Client::connect(&relay).await.store(&note).await;
    let (_, setup) = relay.stop().await;
    let toml = format!("[backup]\nurl = {:?}\ninterval = \"200ms\"", place.url);
    let setup = setup.config(&toml);
    let refused = setup.clone().serve_to_end().await;
    refused.assert_failure(&["another database", "--take-over"]);
    let taken = run(&setup, &["now", "--take-over"]).await;
    taken.assert_success();
    let relay = setup.start().await;
    relay.kill();
    let relay = place.relay("").start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [note]);
}

#[tokio::test]
async fn d4_commands_tell_what_is_there_and_what_is_damaged() {
    let place = Place::directory();
    let relay = place.relay("").start().await;
    until_snapshot(&relay).await;
    let author = Author::new();
    Client::connect(&relay)
        .await
        .store(&author.note("one"))
        .await;
    until_backed_up(&relay).await;
    let setup = relay.setup().clone();
    let anew = run(&setup, &["now", "--snapshot"]).await;
    assert!(
        anew.assert_success().stdout.contains("anew"),
        "{}",
        anew.stdout
    );
    let listed = run(&setup, &["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed.assert_success().stdout).expect("JSON");
    assert_eq!(listed[0]["is_head"], true);
    assert_eq!(listed[0]["snapshots"].as_array().map(Vec::len), Some(2));
    let listed = run(&setup, &["list"]).await;
    assert!(listed.assert_success().stdout.contains("written now"));
    run(&setup, &["verify", "--signatures"])
        .await
        .assert_success();
    let segment = place.files(".jsonl.gz").pop().expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).expect("write");
    let verified = run(&setup, &["verify"]).await;
    assert_eq!(verified.code, Some(1));
    assert!(verified.stdout.contains("hash"), "{}", verified.text());
    let without = trellis!();
    let wrong = run(&without, &["list"]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.text());
}

#[tokio::test]
async fn d4_a_place_that_fails_is_shown_and_tried_again() {
    let place = Place::directory();
    let relay = place.relay("[metrics]\nenabled = true").start().await;
    until_snapshot(&relay).await;
    let moved = place.path().with_extension("moved");
    std::fs::rename(place.path(), &moved).expect("rename");
    std::fs::write(place.path(), "in the way").expect("write");
    let author = Author::new();
    let note = author.note("meanwhile");
    Client::connect(&relay).await.store(&note).await;
    wait::until("a failure to be shown", async || {
        let health = health(&relay).await;
        (health["status"] == "degraded").then_some(())
    })
    .await;
    let metrics = http::get(&relay, "/metrics", &[]).await.body;
    assert!(
        metrics.contains("trellis_backup_failures_total"),
        "{metrics}"
    );
    // Clients are none the wiser.
    assert_eq!(http::get(&relay, "/health", &[]).await.status, 200);
    std::fs::remove_file(place.path()).expect("remove");
    std::fs::rename(&moved, place.path()).expect("rename");
    wait::until("all to be well", async || {
        let health = health(&relay).await;
        (health["status"] == "ok").then_some(())
    })
    .await;
    until_backed_up(&relay).await;
    relay.kill();
    let relay = place.relay("").start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [note]);
}

#[cfg(feature = "blossom_policy")]
#[tokio::test]
async fn d4_files_and_blobs_of_extensions_come_back() {
    let place = Place::directory();
    let table = "[extensions.blossom_policy]";
    let relay = place.relay(table).start().await;
    let author = Author::new();
    let bytes = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\ntrailer <<>>\n%%EOF\n".to_vec();
    let sha256 = blob::sha256(&bytes);
    let length = bytes.len() as u64;
    let address = relay.address();
    let begun = blob::Upload::begin(address, &author, &sha256, "application/pdf", length);
    let mut upload = begun.expect("an upload");
    upload.send(&bytes).expect("an upload");
    let (status, body) = upload.answer().expect("an answer");
    assert!((200..300).contains(&status), "{status} {body}");
    until_snapshot(&relay).await;
    // Blobs are looked for at a start, and then once in a snapshot interval.
    let setup = relay.kill();
    let relay = setup.start().await;
    wait::until("the blob to be listed", async || {
        let listed = place.files(".json").into_iter().any(|file| {
            let is_list = file.parent().is_some_and(|it| it.ends_with("blobs"));
            is_list && std::fs::read_to_string(file).is_ok_and(|text| text.contains(&sha256))
        });
        listed.then_some(())
    })
    .await;
    until_backed_up(&relay).await;
    let setup = relay.kill();
    let verified = run(&setup, &["verify"]).await;
    verified.assert_success();
    let relay = place.relay(table).start().await;
    let mut found = Vec::new();
    let status = blob::read(relay.address(), &sha256, |piece| {
        found.extend_from_slice(piece)
    });
    assert_eq!(status.expect("an answer"), 200);
    assert_eq!(found, bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d4_a_bucket_that_speaks_s3_serves_as_well() {
    let Ok(url) = std::env::var("TEST_S3_URL") else {
        eprintln!("TEST_S3_URL is not set: S3 is not tested");
        return;
    };
    let (endpoint, bucket) = url.rsplit_once('/').expect("a bucket");
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ];
    assert_bucket_serves(&format!("s3://{bucket}"), &environment).await;
}

/// TEST_GCS_URL names a bucket of an emulator, such as `http://127.0.0.1:4443/trellis` of fake-gcs-server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d4_a_bucket_of_google_serves_as_well() {
    let Ok(url) = std::env::var("TEST_GCS_URL") else {
        eprintln!("TEST_GCS_URL is not set: Google Cloud Storage is not tested");
        return;
    };
    let (endpoint, bucket) = url.rsplit_once('/').expect("a bucket");
    let environment = [("STORAGE_EMULATOR_HOST", endpoint)];
    assert_bucket_serves(&format!("gs://{bucket}"), &environment).await;
}

async fn assert_bucket_serves(bucket: &str, environment: &[(&str, &str)]) {
    let prefix = format!("backup-{}", std::process::id());
    let place = Place {
        url: format!("{bucket}/{}", trellis_test_support::author::unique(&prefix)),
        directory: None,
    };
    let relay = || {
        let setup = place.relay("");
        let with = |setup: Setup, (name, value): &(&str, &str)| setup.env(name, value);
        environment.iter().fold(setup, with)
    };
    let first = relay().start().await;
    until_snapshot(&first).await;
    let history = write_history(&first).await;
    until_backed_up(&first).await;
    let setup = first.kill();
    run(&setup, &["list"]).await.assert_success();
    let verified = run(&setup, &["verify", "--signatures"]).await;
    verified.assert_success();
    let second = relay().start().await;
    assert_history(&second, &history).await;
    let (status, _) = second.stop().await;
    assert!(status.success());
    let third = relay().start().await;
    assert_history(&third, &history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; to be run in release"]
async fn d4_a_million_events_are_restored() {
    let place = Place::directory();
    let relay = place.relay("").start().await;
    let author = Author::new();
    let mut client = Client::connect(&relay).await;
    for _ in 0..200 {
        let notes: Vec<Event> = (0..5_000)
            .map(|n| {
                author
                    .draft(1)
                    .content(&trellis_test_support::author::unique(&format!("{n}")))
                    .sign()
            })
            .collect();
        client.store_all(&notes).await;
    }
    let began = Instant::now();
    run(relay.setup(), &["now", "--snapshot"])
        .await
        .assert_success();
    eprintln!("a snapshot of 1,000,000 events: {:?}", began.elapsed());
    relay.kill();
    let began = Instant::now();
    let setup = place.relay("");
    let restored = run(&setup, &["restore"]).await;
    eprintln!("restored in {:?}: {}", began.elapsed(), restored.text());
    restored.assert_success();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; to be run in release"]
async fn d4_what_ingest_costs_with_and_without() {
    let author = Author::new();
    let notes: Vec<Event> = (0..50_000)
        .map(|n| {
            author
                .draft(1)
                .content(&format!("note {n} {}", "word ".repeat(40)))
                .sign()
        })
        .collect();
    for round in 0..3 {
        let place = Place::directory();
        let plain = trellis!().front(Front::Server);
        for (name, setup) in [("without", plain), ("with", place.relay(""))] {
            let relay = setup.start().await;
            let mut client = Client::connect(&relay).await;
            let began = Instant::now();
            client.store_all(&notes).await;
            let rate = notes.len() as f64 / began.elapsed().as_secs_f64();
            eprintln!("round {round}, {name} a backup: {rate:.0} events a second");
        }
    }
}
