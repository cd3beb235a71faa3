//! D4: the server in a backup, and after a restore.

use super::ground::*;
use crate::BlossomPolicy;
use crate::blob::BlobHash;
use crate::index::looking::column;
use crate::storage::upstream::double::{Double, Manner};
use futures_util::future::{join, join_all};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use trellis_relay::testing::{Author, Backup, TestRelay, json};

fn index(backup: &Backup) -> PathBuf {
    backup.files("blossom_policy").remove(0)
}

/// What a query of a copy gives.
async fn hashes(copy: &Path, query: &'static str) -> BTreeSet<String> {
    column(copy, query).await.into_iter().collect()
}

const BLOBS: &str = "SELECT lower(hex(sha256)) FROM blobs";
const OWNED: &str = "SELECT lower(hex(sha256)) FROM owners";

/// The names of the blobs in a backup.
fn blobs(backup: &Backup) -> BTreeSet<String> {
    let files = backup.places().into_iter();
    let files = files.filter(|place| place.starts_with("blobs/files"));
    files
        .map(|place| place.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn d4_an_index_that_is_copied_while_blobs_come_in_is_of_one_moment() {
    let rates = "rates = { uploads_per_minute = 1000000, uploads_per_minute_and_ip = 1000000 }";
    let relay = relay(rates).await;
    let is_over = Cell::new(false);
    let uploading = (0..3).map(async |uploader| {
        let mut number = 0;
        while !is_over.get() {
            let author = Author::new(uploader + 1);
            store(&relay, &author, uploader * 1_000_000 + number).await;
            number += 1;
        }
        number
    });
    let backing_up = async {
        let mut backups = Vec::new();
        for _ in 0..6 {
            backups.push(relay.back_up().await);
        }
        is_over.set(true);
        backups
    };
    let (uploaded, backups) = join(join_all(uploading), backing_up).await;
    let uploaded: u64 = uploaded.into_iter().sum();
    let mut before = BTreeSet::new();
    for backup in &backups {
        let copy = index(backup);
        let sound = hashes(&copy, "PRAGMA integrity_check").await;
        assert_eq!(sound, BTreeSet::from(["ok".to_owned()]));
        let (rows, owned) = (hashes(&copy, BLOBS).await, hashes(&copy, OWNED).await);
        assert_eq!(
            rows, owned,
            "a row without its owner, or an owner of nothing"
        );
        assert!(rows.is_superset(&before));
        // Blobs are asked for after the index was copied.
        assert!(blobs(backup).is_superset(&rows));
        before = rows;
    }
    let last = relay.back_up().await;
    assert_eq!(blobs(&last).len() as u64, uploaded);
    assert_eq!(hashes(&index(&last), BLOBS).await, blobs(&last));
}

async fn order(relay: &TestRelay, action: &str, hash: &BlobHash) {
    let body = json!({ "sha256": hash, "reason": "an order" });
    let call = relay.post(&format!("/admin/{action}")).json(&body);
    let done = call.nip98(&Author::new(9)).await;
    assert_eq!(done.status, 200, "{}", done.text());
}

#[tokio::test]
async fn d4_a_restored_server_shows_what_it_had_and_nothing_that_is_banned() {
    let admin = Author::new(9).pubkey().to_hex();
    let relay = relay(&format!("admins = ['{admin}']")).await;
    let alice = Author::new(1);
    let kept = store(&relay, &alice, 1).await;
    let banned = store(&relay, &alice, 2).await;
    let quarantined = store(&relay, &alice, 3).await;
    order(&relay, "ban", &banned).await;
    order(&relay, "quarantine", &quarantined).await;
    let backup = relay.back_up().await;
    assert!(backup.places().contains(&Path::new("blobs/index.sqlite")));
    let wanted = [kept, quarantined].map(|hash| hash.to_string());
    assert_eq!(blobs(&backup), BTreeSet::from(wanted));
    let late = store(&relay, &alice, 4).await;

    let relay = relay.kill_and_restore(&backup).await;
    let found = relay.get(&format!("/{kept}")).await;
    assert_eq!((found.status, found.body), (200, pdf(1)));
    for hidden in [banned, quarantined] {
        assert_refused(&relay.get(&format!("/{hidden}")).await, 451, "");
    }
    assert_eq!(relay.get(&format!("/{late}")).await.status, 404);
    let again = upload(&relay, &alice, "application/pdf", &pdf(2)).await;
    assert_refused(&again, 403, "not stored here");
    assert_eq!(store(&relay, &alice, 4).await, late);
    assert_eq!(relay.get(&format!("/{late}")).await.status, 200);
}

#[tokio::test]
async fn d4_a_directory_elsewhere_is_restored_where_it_was() {
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().canonicalize().unwrap().join("media");
    let relay = relay(&format!("path = '{}'", path.display())).await;
    let hash = store(&relay, &Author::new(1), 1).await;
    let backup = relay.back_up().await;
    assert!(backup.places().contains(&&*path.join("index.sqlite")));
    std::fs::remove_dir_all(&path).unwrap();
    let relay = relay.kill_and_restore(&backup).await;
    assert_eq!(relay.get(&format!("/{hash}")).await.status, 200);
}

#[tokio::test]
async fn d4_of_another_servers_blobs_the_index_alone_is_backed_up() {
    let double = Double::start(Manner::Right);
    let (outbound, url) = (double.server.outbound(), double.server.url(""));
    let config = format!(
        "{outbound}\n[extensions.blossom_policy]\nbackend = 'upstream'\nupstream = {{ url = '{url}' }}"
    );
    let relay = TestRelay::of::<BlossomPolicy>().config(&config);
    let relay = relay.start().await;
    store(&relay, &Author::new(1), 1).await;
    let backup = relay.back_up().await;
    assert_eq!(backup.places(), [Path::new("blobs/index.sqlite")]);
    let rows = relay.backed_up_rows("blossom_policy");
    assert_eq!(rows, []);
}
