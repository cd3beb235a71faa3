//! What is stored and comes to be listed.

use super::ground::*;
use crate::index::breaking;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use trellis_relay::testing::{Author, TestRelay, until};

fn table(list: &Path, blobs: &Path) -> String {
    let admin = Author::new(9).pubkey().to_hex();
    format!(
        "path = '{}'\nadmins = ['{admin}']\nblock_lists = {{ files = ['{}'], reload_interval = '1s' }}\n\
         rates = {{ uploads_per_minute = 1000, requests_per_minute_and_ip = 100000 }}",
        blobs.display(),
        list.display()
    )
}

fn ground(listed: &str) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("list.txt");
    fs::write(&list, listed).unwrap();
    let table = table(&list, &folder.path().join("blobs"));
    (folder, table)
}

async fn rescan(relay: &TestRelay, who: &Author) -> trellis_relay::testing::Response {
    relay.post("/admin/rescan").nip98(who).await
}

#[tokio::test]
async fn b7_what_comes_to_be_listed_is_quarantined_without_a_restart() {
    let (folder, table) = ground("");
    let relay = relay(&table).await;
    let alice = Author::new(1);
    store(&relay, &alice, 1).await;
    store(&relay, &alice, 2).await;
    let listed = hash(&pdf(1)).to_string();
    fs::write(folder.path().join("list.txt"), &listed).unwrap();
    until("the listed blob is quarantined", async || {
        // Signed requests are so many a minute; the token of the last upload is good for an hour.
        relay.clock().advance(Duration::from_millis(100));
        let decisions = relay
            .get("/admin/decisions")
            .nip98(&Author::new(9))
            .await
            .text();
        decisions.contains(&listed) && decisions.contains("on a block list")
    })
    .await;
    let again = upload(&relay, &alice, "application/pdf", &pdf(1)).await;
    assert_refused(&again, 403, "not stored here");
    assert_eq!(
        upload(&relay, &alice, "application/pdf", &pdf(2))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn b7_a_list_by_another_hash_finds_what_was_stored_before_it() {
    let (folder, table) = ground("");
    {
        let relay = relay(&table).await;
        store(&relay, &Author::new(1), 1).await;
        store(&relay, &Author::new(1), 2).await;
    }
    fs::write(
        folder.path().join("list.txt"),
        const_hex::encode(Md5::digest(pdf(2))),
    )
    .unwrap();
    let relay = relay(&table).await;
    // The look at the start and this one find it once.
    let answer = rescan(&relay, &Author::new(9)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let found: Value = answer.json();
    assert_eq!(found["unread"], json!(0));
    let shown = relay.get(&format!("/{}", hash(&pdf(2)))).await;
    assert_refused(&shown, 451, "");
    let refused = upload(&relay, &Author::new(1), "application/pdf", &pdf(2)).await;
    assert_refused(&refused, 403, "not stored here");
}

#[tokio::test]
async fn b14_only_the_operator_has_everything_looked_at() {
    let (_folder, table) = ground("");
    let relay = relay(&table).await;
    store(&relay, &Author::new(1), 1).await;
    assert_refused(&rescan(&relay, &Author::new(1)).await, 403, "operator");
    assert_eq!(relay.post("/admin/rescan").await.status, 401);
    let found: Value = rescan(&relay, &Author::new(9)).await.json();
    assert_eq!(found, json!({ "blobs": 0, "quarantined": 0, "unread": 0 }));
}

#[tokio::test]
async fn b7_a_look_that_broke_off_is_begun_anew_by_itself_and_every_decision_is_written_down() {
    let (folder, table) = ground("");
    let (relay, admin) = (relay(&table).await, Author::new(9));
    let index = folder.path().join("blobs/index.sqlite");
    store(&relay, &Author::new(1), 1).await;
    store(&relay, &Author::new(1), 2).await;
    let names = [1, 2].map(|number| hash(&pdf(number)).to_string());
    breaking::take_book_away(&index).await;
    fs::write(folder.path().join("list.txt"), names.join("\n")).unwrap();
    until("the list is in force and looks break off", async || {
        // Signed requests are so many a minute; the token of the last upload is good for an hour.
        relay.clock().advance(Duration::from_millis(100));
        rescan(&relay, &admin).await.status == 500
    })
    .await;
    for name in &names {
        // Whatever the book has, the list is in force.
        let shown = relay.get(&format!("/{name}")).await;
        assert_refused(&shown, 451, "");
    }
    breaking::give_book_back(&index).await;
    until("both are quarantined and in the book", async || {
        relay.clock().advance(Duration::from_millis(100));
        let book = relay.get("/admin/decisions").nip98(&admin).await.text();
        names.iter().all(|name| book.matches(name).count() == 1)
    })
    .await;
}
