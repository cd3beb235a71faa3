//! B14: `trellis blossom ...` by the program itself, while the relay runs and when it does not.

#![cfg(feature = "blossom_policy")]

use std::fs;
use trellis_test_support::blob::{self, Upload};
use trellis_test_support::{Author, Front, Relay, Setup, trellis};

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\ntrailer <<>>\n%%EOF\n";

fn setup() -> Setup {
    let config = "[extensions.blossom_policy]\npath = 'blobs'\nquota.free_bytes = '1MiB'\n";
    trellis!().front(Front::Server).config(config)
}

/// What a command prints; it fails the test if it fails.
async fn run(setup: &Setup, words: &[&str]) -> String {
    let config = setup.config_file().display().to_string();
    let words = [&["blossom"][..], words, &["-c", &config]].concat();
    setup.run(&words).await.assert_success().stdout.clone()
}

/// The command is refused with these words.
async fn refused(setup: &Setup, words: &[&str], told: &[&str]) {
    let config = setup.config_file().display().to_string();
    let words = [&["blossom"][..], words, &["-c", &config]].concat();
    let refused = setup.run(&words).await;
    refused.assert_failure(told);
    assert_eq!(refused.code, Some(1), "{}", refused.text());
}

fn status_of(relay: &Relay, sha256: &str) -> u16 {
    blob::read(relay.address(), sha256, |_| {}).expect("an answer")
}

fn upload(relay: &Relay, author: &Author) -> u16 {
    let (sha256, length) = (blob::sha256(PDF), PDF.len() as u64);
    let upload = Upload::begin(relay.address(), author, &sha256, "application/pdf", length);
    let mut upload = upload.expect("a connection");
    // Whoever is refused may be cut off.
    let _ = upload.send(PDF);
    upload.answer().expect("an answer").0
}

#[tokio::test]
async fn b14_commands_hide_show_and_remove_blobs_of_a_relay_that_runs() {
    let (relay, alice) = (setup().start().await, Author::new());
    let (setup, name) = (relay.setup(), blob::sha256(PDF));
    let why = ["--reason", "to be looked at"];
    assert_eq!(upload(&relay, &alice), 201);
    let totals = run(setup, &["totals"]).await;
    assert_eq!(
        totals,
        format!("blobs\t1\nbytes\t{}\nquarantined\t0\n", PDF.len())
    );
    for (hide, show) in [("quarantine", "unquarantine"), ("ban", "unban")] {
        let words = [&[hide, &name][..], &why].concat();
        assert_eq!(run(setup, &words).await, "done\n");
        assert_eq!(run(setup, &words).await, "it was so before\n");
        assert_eq!(status_of(&relay, &name), 451, "{hide}");
        assert_eq!(upload(&relay, &alice), 403, "{hide}");
        let words = [show, &name, "--reason=it is fine"];
        assert_eq!(run(setup, &words).await, "done\n");
        assert_eq!(run(setup, &words).await, "it was so before\n");
        assert_eq!(status_of(&relay, &name), 200, "{show}");
    }
    let compared = "hashes\t0\nblobs\t0\nquarantined\t0\nunread\t0\n";
    assert_eq!(run(setup, &["rescan"]).await, compared);
    let remove = [&["remove", &name][..], &why].concat();
    assert_eq!(run(setup, &remove).await, "done\n");
    assert_eq!(status_of(&relay, &name), 404);
    refused(setup, &remove, &["no such blob"]).await;
    let quarantine = [&["quarantine", &name][..], &why].concat();
    refused(setup, &quarantine, &["no such blob"]).await;
}

#[tokio::test]
async fn b14_commands_work_on_a_relay_that_is_stopped() {
    let (relay, alice) = (setup().start().await, Author::new());
    assert_eq!(upload(&relay, &alice), 201);
    let (_, setup) = relay.stop().await;
    let name = blob::sha256(PDF);
    let checked = run(&setup, &["check"]).await;
    assert_eq!(checked, "1 blobs are as they should be\n");
    // One that nobody has, and one that is gone.
    let stray = "ab".repeat(32);
    let files = setup.home().join("blobs/files");
    fs::create_dir_all(files.join("ab/ab")).expect("a folder");
    fs::write(files.join("ab/ab").join(&stray), b"x").expect("a file");
    fs::remove_file(files.join(&name[..2]).join(&name[2..4]).join(&name)).expect("a blob");
    let checked = run(&setup, &["check"]).await;
    assert!(
        checked.contains(&stray) && checked.contains(&name),
        "{checked}"
    );
    let removed = run(&setup, &["check", "--remove"]).await;
    assert!(
        removed.contains("removed") && removed.contains("forgotten"),
        "{removed}"
    );
    let checked = run(&setup, &["check"]).await;
    assert_eq!(checked, "0 blobs are as they should be\n");
    let ban = ["ban", &name, "--reason", "malware"];
    assert_eq!(run(&setup, &ban).await, "done\n");
    let relay = setup.start().await;
    assert_eq!(upload(&relay, &alice), 403);
}

#[tokio::test]
async fn b14_wrong_words_are_told_with_what_would_be_right() {
    let setup = setup();
    let name = blob::sha256(PDF);
    refused(&setup, &[], &["blossom check [--remove]"]).await;
    refused(&setup, &["chek"], &["\"chek\"", "blossom check"]).await;
    refused(&setup, &["totals", "now"], &["totals stands alone"]).await;
    refused(
        &setup,
        &["check", "--delete"],
        &["\"--delete\"", "--remove"],
    )
    .await;
    refused(&setup, &["ban", &name], &["a reason", "--reason TEXT"]).await;
    refused(&setup, &["ban", "abc", "--reason", "x"], &["64 hex digits"]).await;
    let two_lines = ["ban", &name, "--reason", "a\nb"];
    refused(&setup, &two_lines, &["one line"]).await;
    // Without a configuration no extension is on.
    let unknown = setup.run(&["blossom", "check"]).await;
    unknown.assert_failure(&["blossom", "-c FILE"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.text());
}
