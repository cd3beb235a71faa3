//! What an operator does by hand: a point in time, lists, and what is damaged.

use crate::ground::{Place, assert_whole, health, run, until_backed_up, until_snapshot};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use trellis_test_support::{Author, Client, blob, command, json, trellis, wait};

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
async fn d4_files_and_blobs_are_verified_a_piece_at_a_time() {
    // Far more than there is room for.
    const BYTES: usize = 160 << 20;
    const ROOM_KIB: usize = 96 << 10;
    let place = Place::directory();
    let relay = place.relay("").start().await;
    until_snapshot(&relay).await;
    let (_, setup) = relay.stop().await;
    let sha256 = blob::sha256(&vec![0; BYTES]);
    let at = |name: &str| place.path().join(name);
    for folder in ["blobs", "files"] {
        fs::create_dir_all(at(folder)).expect("a folder");
    }
    let (long, packed) = (
        at("blobs").join(&sha256),
        at("files").join(format!("{sha256}.gz")),
    );
    let file = File::create(&long).expect("a file");
    file.set_len(BYTES as u64).expect("a long file");
    let pack = Command::new("gzip")
        .arg("-c1")
        .stdin(File::open(&long).expect("the file"))
        .stdout(File::create(&packed).expect("another"))
        .status();
    assert!(pack.expect("gzip").success());
    let head = fs::read(at("head.json")).expect("a head");
    let head: Value = serde_json::from_slice(&head).expect("JSON");
    let lineage = at(head["lineage"].as_str().expect("a name"));
    let listed = json!({"restore_to": "long", "sha256": sha256, "raw_bytes": BYTES});
    let blobs = json!({"format": 1, "at_ms": 1, "sequence": 0, "blobs": [["pictures", listed]]});
    let files = json!({"format": 1, "extension": "diary", "sequence": 0, "at_ms": 1, "cursors": {}, "files": [listed]});
    for (folder, name, list) in [
        ("blobs", "000000000000.json", blobs),
        ("files", "000000000000.diary.json", files),
    ] {
        fs::create_dir_all(lineage.join(folder)).expect("a folder");
        fs::write(lineage.join(folder).join(name), list.to_string()).expect("a list");
    }
    let verify = async || {
        let script = format!("ulimit -d {ROOM_KIB} && exec \"$0\" backup verify -c \"$1\"");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script, env!("CARGO_BIN_EXE_trellis")])
            .arg(setup.config_file())
            .env("TRELLIS_DATA__PATH", setup.home().join("data"));
        command::run(shell, "").await
    };
    let verified = verify().await;
    verified.assert_success();
    assert!(
        verified.stdout.contains(" 0 problems"),
        "{}",
        verified.text()
    );
    file.set_len(BYTES as u64 + 1).expect("a longer file");
    let half = fs::metadata(&packed).expect("the other").len() / 2;
    let cut = File::options().write(true).open(&packed).expect("it");
    cut.set_len(half).expect("half of it");
    let verified = verify().await;
    assert_eq!(verified.code, Some(1), "{}", verified.text());
    assert!(
        verified.stdout.contains(" 2 problems"),
        "{}",
        verified.text()
    );
    let assert_told = |verified: &command::Output, damaged: &Path| {
        let name = damaged.strip_prefix(place.path()).expect("a name");
        let name = name.display().to_string();
        assert!(verified.stdout.contains(&name), "{}", verified.text());
    };
    assert_told(&verified, &long);
    assert_told(&verified, &packed);

    // A damaged list ends nothing: what the other one names is looked at.
    let list = lineage.join("blobs/000000000000.json");
    fs::write(&list, "{").expect("half a list");
    let verified = verify().await;
    assert_eq!(verified.code, Some(1), "{}", verified.text());
    assert_told(&verified, &list);
    assert_told(&verified, &packed);
}
