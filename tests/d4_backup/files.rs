//! Files and blobs of extensions, by those of the media server.

use crate::ground::{Place, run, until_backed_up, until_snapshot};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use trellis_test_support::{Author, Front, Relay, blob, trellis, wait};

const TABLE: &str = "[extensions.blossom_policy]";
const PDF: &[u8] = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\ntrailer <<>>\n%%EOF\n";

/// Uploads a file, and gives its hash.
fn upload(relay: &Relay) -> String {
    let sha256 = blob::sha256(PDF);
    let (author, length) = (Author::new(), PDF.len() as u64);
    let address = relay.address();
    let begun = blob::Upload::begin(address, &author, &sha256, "application/pdf", length);
    let mut upload = begun.expect("an upload");
    upload.send(PDF).expect("an upload");
    let (status, body) = upload.answer().expect("an answer");
    assert!((200..300).contains(&status), "{status} {body}");
    sha256
}

/// The newest list of blobs, once it was written after a time and holds this.
async fn until_listed(place: &Place, sha256: &str, after_ms: u64) {
    wait::until("the blob to be listed", async || {
        let lists = place.files(".json").into_iter();
        let lists = lists.filter(|it| it.parent().is_some_and(|it| it.ends_with("blobs")));
        let texts = lists.filter_map(|it| std::fs::read_to_string(it).ok());
        let lists: Vec<Value> = texts
            .filter_map(|text| serde_json::from_str(&text).ok())
            .collect();
        let newest = lists.iter().max_by_key(|list| list["at_ms"].as_u64())?;
        let holds = newest["blobs"].to_string().contains(sha256);
        (holds && newest["at_ms"].as_u64() > Some(after_ms)).then_some(())
    })
    .await;
}

fn assert_served(relay: &Relay, sha256: &str) {
    let mut found = Vec::new();
    let status = blob::read(relay.address(), sha256, |piece| {
        found.extend_from_slice(piece)
    });
    assert_eq!(status.expect("an answer"), 200);
    assert_eq!(found, PDF);
}

/// A relay with a blob, by its hash, that a list in its backup names.
async fn with_listed_blob(place: &Place) -> (Relay, String) {
    let relay = place.relay(TABLE).start().await;
    let sha256 = upload(&relay);
    until_snapshot(&relay).await;
    // Blobs are looked for at a start, and then once in a snapshot interval.
    let relay = relay.kill().start().await;
    until_listed(place, &sha256, 0).await;
    (relay, sha256)
}

#[tokio::test]
async fn d4_files_and_blobs_of_extensions_come_back() {
    let place = Place::directory();
    let (relay, sha256) = with_listed_blob(&place).await;
    until_backed_up(&relay).await;
    let setup = relay.kill();
    let verified = run(&setup, &["verify"]).await;
    verified.assert_success();
    let relay = place.relay(TABLE).start().await;
    assert_served(&relay, &sha256);
}

#[tokio::test]
async fn d4_blobs_of_an_extension_that_is_off_stay_in_the_backup() {
    let place = Place::directory();
    let (relay, sha256) = with_listed_blob(&place).await;
    let then_ms = (trellis_test_support::now() + 1) * 1_000;
    wait::until("another second", async || {
        (trellis_test_support::now() * 1_000 > then_ms).then_some(())
    })
    .await;
    let without = place.config("");
    let relay = relay.kill().config(&without).start().await;
    until_listed(&place, &sha256, then_ms).await;
    relay.kill();
    let relay = place.relay(TABLE).start().await;
    assert_served(&relay, &sha256);
}

#[tokio::test]
async fn d4_what_no_list_names_goes_and_the_rest_comes_back() {
    let place = Place::directory();
    let (relay, sha256) = with_listed_blob(&place).await;
    let (_, setup) = relay.stop().await;
    let unnamed = "0".repeat(64);
    let unnamed = [format!("files/{unnamed}.gz"), format!("blobs/{unnamed}")];
    let unnamed = unnamed.map(|name| place.path().join(name));
    for path in &unnamed {
        std::fs::write(path, "what no list names").expect("write");
    }
    let relay = setup.start().await;
    wait::until("it to go", async || {
        unnamed.iter().all(|it| !it.exists()).then_some(())
    })
    .await;
    relay.stop().await;
    let relay = place.relay(TABLE).start().await;
    assert_served(&relay, &sha256);
}

#[tokio::test]
async fn d4_files_of_an_extension_that_is_off_outlive_the_history_that_has_them() {
    let place = Place::directory();
    let (relay, sha256) = with_listed_blob(&place).await;
    // In order, so that its index was brought away last.
    let (status, _) = relay.stop().await;
    assert!(status.success());
    let lists = || place.files(".blossom_policy.json");
    let folder_of = |list: &Path| list.ancestors().nth(2).map(Path::to_owned);
    let first = lists()
        .first()
        .and_then(|it| folder_of(it))
        .expect("a history");
    let then_ms = trellis_test_support::now() * 1_000;

    let relay = place.relay("").start().await;
    wait::until("the files to be listed in the new history", async || {
        let is_new = |list: &PathBuf| folder_of(list).as_ref() != Some(&first);
        lists().iter().any(is_new).then_some(())
    })
    .await;
    until_listed(&place, &sha256, then_ms - 1).await;
    run(relay.setup(), &["now", "--snapshot"])
        .await
        .assert_success();
    let (status, _) = relay.stop().await;
    assert!(status.success());
    // As when it is too old to be kept.
    std::fs::remove_dir_all(&first).expect("the first history");
    let relay = place.relay(TABLE).start().await;
    assert_served(&relay, &sha256);
}

#[tokio::test]
async fn d4_a_stop_brings_files_of_extensions_to_the_backup() {
    let place = Place::directory();
    // So long that nobody looks again by himself.
    let toml = format!(
        "{TABLE}\n[backup]\nurl = {:?}\ninterval = \"1h\"",
        place.url
    );
    let setup = || trellis!().front(Front::Server).config(&toml);
    let relay = setup().start().await;
    let lists = || -> BTreeSet<String> {
        let lists = place.files(".blossom_policy.json").into_iter();
        lists
            .filter_map(|it| std::fs::read_to_string(it).ok())
            .collect()
    };
    wait::until("a first list", async || (!lists().is_empty()).then_some(())).await;
    let sha256 = upload(&relay);
    let (status, _) = relay.stop().await;
    assert!(status.success());
    let restored = setup();
    run(&restored, &["restore"]).await.assert_success();
    // SQLite keeps the hash as it is.
    let hash: Vec<u8> = (0..sha256.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&sha256[at..at + 2], 16).expect("hex"))
        .collect();
    let mut folders = vec![restored.home().join("data")];
    let mut is_known = false;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.extension().is_some_and(|it| it == "sqlite") => {
                    let bytes = std::fs::read(path).expect("read");
                    is_known |= bytes.windows(32).any(|window| window == hash);
                }
                _ => {}
            }
        }
    }
    assert!(is_known, "the index does not know what was uploaded last");
}
