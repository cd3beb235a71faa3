//! `PUT /report`, and what becomes of reports.

use super::ground::*;
use crate::blob::BlobHash;
use crate::index::{Added, Index, NewReport};
use serde_json::{Value, json};
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Response, START_S, TestRelay};

fn event(author: &Author, blobs: &[BlobHash]) -> Event {
    let mut draft = author.draft(1984).content("look at this");
    for blob in blobs {
        draft = draft.tag(["x", &blob.to_string(), "malware"]);
    }
    draft.sign()
}

async fn report(relay: &TestRelay, event: &Event) -> Response {
    relay.put("/report").body(event.json().to_vec()).await
}

#[tokio::test]
async fn b12_a_report_is_verified_and_waits_for_review() {
    let admin = Author::new(9);
    let relay = relay(&format!("admins = ['{}']", admin.pubkey().to_hex())).await;
    let name = store(&relay, &Author::new(1), 1).await;
    let bob = Author::new(2);
    let told = report(&relay, &event(&bob, &[name, hash(b"unknown")])).await;
    assert_eq!(told.json::<Value>(), json!({ "known": 1, "taken": 1 }));
    let again = report(&relay, &event(&bob, &[name])).await;
    assert_eq!(again.status, 200);
    assert_eq!(relay.get(&format!("/{name}")).await.status, 200);

    let unknown = report(&relay, &event(&bob, &[hash(b"unknown")])).await;
    assert_refused(&unknown, 404, "no such blob");
    let nothing = report(&relay, &event(&bob, &[])).await;
    assert_refused(&nothing, 400, "x tag");
    let note = bob.note("hello");
    assert_refused(&report(&relay, &note).await, 400, "1984");
    let forged = bob.draft(1984).tag(["x", &name.to_string()]).forge();
    assert_refused(&report(&relay, &forged).await, 400, "signed event");

    let waiting: Value = relay.get("/admin/reports").nip98(&admin).await.json();
    let first = &waiting["items"][0];
    assert_eq!(first["reporter"], bob.pubkey().to_hex());
    assert_eq!(
        (&first["kind"], &first["content"]),
        (&json!("malware"), &json!("look at this"))
    );
    let path = format!("/admin/reports/{}", first["number"]);
    let wrong = json!({ "outcome": "dismiss", "reason": format!("it is {name}") });
    let refused = relay.post(&path).json(&wrong).nip98(&admin).await;
    assert_refused(&refused, 400, "no key and no hash");
    let remove = json!({ "outcome": "remove", "reason": "it is malware" });
    let done = relay.post(&path).json(&remove).nip98(&admin).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_refused(&relay.get(&format!("/{name}")).await, 404, "");
    let again = upload(&relay, &Author::new(1), "application/pdf", &pdf(1)).await;
    assert_refused(&again, 403, "not stored here");
    let waiting: Value = relay.get("/admin/reports").nip98(&admin).await.json();
    assert_eq!(waiting["items"], json!([]));
    let over = relay.post("/admin/reports/99").json(&remove).nip98(&admin);
    assert_refused(&over.await, 404, "no report");
}

#[tokio::test]
async fn b12_a_trusted_moderator_is_believed_at_once_and_once() {
    let (admin, moderator) = (Author::new(9), Author::new(8));
    let table = format!(
        "admins = ['{}']\nmoderators = ['{}']",
        admin.pubkey().to_hex(),
        moderator.pubkey().to_hex()
    );
    let relay = relay(&table).await;
    let name = store(&relay, &Author::new(1), 1).await;
    let word = event(&moderator, &[name]);
    assert_eq!(report(&relay, &word).await.status, 200);
    assert_refused(&relay.get(&format!("/{name}")).await, 404, "");
    let again = upload(&relay, &Author::new(1), "application/pdf", &pdf(1)).await;
    assert_refused(&again, 403, "not stored here");

    // The operator is of another mind, and whoever has seen the report sends it once more.
    let unban = json!({ "sha256": name, "reason": "a mistake" });
    let unbanned = relay.post("/admin/unban").json(&unban).nip98(&admin).await;
    assert_eq!(unbanned.status, 200);
    store(&relay, &Author::new(1), 1).await;
    let replayed = report(&relay, &word).await;
    assert_eq!(replayed.json::<Value>()["taken"], 0);
    assert_eq!(relay.get(&format!("/{name}")).await.status, 200);
}

#[tokio::test]
async fn b12_a_moderators_report_that_was_cut_off_does_its_work_when_it_is_sent_again() {
    let moderator = Author::new(8);
    let folder = tempfile::tempdir().unwrap();
    let table = format!(
        "path = '{}'\nmoderators = ['{}']",
        folder.path().display(),
        moderator.pubkey().to_hex()
    );
    let relay = relay(&table).await;
    let names = [1, 2].map(|number| hash(&pdf(number)));
    for number in [1, 2] {
        store(&relay, &Author::new(1), number).await;
    }
    let word = event(&moderator, &names);
    // It was stored, and nothing more.
    let index = Index::open(&folder.path().join("index.sqlite")).await;
    let stored = NewReport {
        event_id: *word.id(),
        sha256: names[0],
        reporter: moderator.pubkey(),
        kind: "malware".to_owned(),
        content: String::new(),
        received_ms: START_S * 1_000,
    };
    let added = index.unwrap().add_report(&stored, 10).await;
    assert_eq!(added.unwrap(), Added::New);
    let again = report(&relay, &word).await;
    assert_eq!(again.json::<Value>(), json!({ "known": 2, "taken": 1 }));
    for name in names {
        assert_refused(&relay.get(&format!("/{name}")).await, 404, "");
    }
}

#[tokio::test]
async fn b12_an_old_word_of_a_moderator_waits_for_review() {
    let moderator = Author::new(8);
    let relay = relay(&format!("moderators = ['{}']", moderator.pubkey().to_hex())).await;
    let name = store(&relay, &Author::new(1), 1).await;
    let word = event(&moderator, &[name]);
    relay.clock().advance(Duration::from_secs(8 * 86_400));
    let told = report(&relay, &word).await;
    assert_eq!(told.json::<Value>(), json!({ "known": 1, "taken": 1 }));
    assert_eq!(relay.get(&format!("/{name}")).await.status, 200);
}

#[tokio::test]
async fn b12_reports_that_are_too_many_are_refused_and_not_passed_over() {
    let table = "reports = { max_open = 1, max_per_day_and_ip = 2 }";
    let relay = relay(table).await;
    let mut names = Vec::new();
    for number in 1..=4 {
        names.push(store(&relay, &Author::new(1), number).await);
    }
    let bob = Author::new(2);
    let first = event(&bob, &names[..1]);
    assert_eq!(report(&relay, &first).await.status, 200);
    let full = report(&relay, &event(&bob, &names[1..2])).await;
    assert_refused(&full, 503, "wait for review");
    assert!(full.header("retry-after").is_some());
    // Another key is the same address.
    let late = report(&relay, &event(&Author::new(3), &names[2..3])).await;
    assert_refused(&late, 429, "too many");
    let known = report(&relay, &first).await;
    assert_eq!(known.json::<Value>(), json!({ "known": 1, "taken": 0 }));
}

#[tokio::test]
async fn b12_reports_can_be_switched_off() {
    let relay = relay("reports = { enabled = false }").await;
    let name = store(&relay, &Author::new(1), 1).await;
    let off = report(&relay, &event(&Author::new(2), &[name])).await;
    assert_refused(&off, 404, "not offer");
}
