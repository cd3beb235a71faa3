//! `GET /list` and `GET /list/<pubkey>`.

use super::ground::*;
use serde_json::Value;
use std::time::Duration;
use trellis_relay::testing::{Author, START_S, TestRelay};

fn list(relay: &TestRelay, asker: &Author, query: &str) -> trellis_relay::testing::HttpCall {
    let owner = Author::new(1).pubkey().to_hex();
    let call = relay.get(&format!("/list/{owner}{query}"));
    call.header("Authorization", &token(asker, "list", &[]))
}

fn names(listed: &Value) -> Vec<String> {
    let listed = listed.as_array().unwrap();
    let names = listed
        .iter()
        .map(|it| it["sha256"].as_str().unwrap().to_owned());
    names.collect()
}

#[tokio::test]
async fn b11_a_list_is_its_owners_newest_first_and_in_pages() {
    let admin = Author::new(9);
    let relay = relay(&format!("admins = ['{}']", admin.pubkey().to_hex())).await;
    let alice = Author::new(1);
    let mut stored = Vec::new();
    for number in 1..=5 {
        stored.push(store(&relay, &alice, number).await.to_string());
        relay.clock().advance(Duration::from_secs(1));
    }
    store(&relay, &Author::new(2), 6).await;
    stored.reverse();

    let all: Value = list(&relay, &alice, "").await.json();
    assert_eq!(names(&all), stored);
    assert_eq!(all[0]["uploaded"], START_S + 4);
    let page: Value = list(&relay, &alice, "?limit=2").await.json();
    assert_eq!(names(&page), stored[..2]);
    let next = format!("?limit=2&cursor={}", stored[1]);
    let page: Value = list(&relay, &alice, &next).await.json();
    assert_eq!(names(&page), stored[2..4]);
    let strange = format!("?cursor={}", hash(&pdf(6)));
    let strange = list(&relay, &alice, &strange).await;
    assert_refused(&strange, 400, "of this list");
    let since = format!("?since={}&until={}", START_S + 1, START_S + 2);
    let between: Value = list(&relay, &alice, &since).await.json();
    assert_eq!(names(&between), stored[2..4]);

    let as_admin: Value = list(&relay, &admin, "").await.json();
    assert_eq!(names(&as_admin), stored);
    assert_refused(&list(&relay, &Author::new(2), "").await, 403, "owner alone");
    let owner = alice.pubkey().to_hex();
    assert_refused(&relay.get(&format!("/list/{owner}")).await, 401, "24242");
    assert_refused(&relay.get("/list/alice").await, 400, "64 hex");
    for wrong in ["?limit=0", "?limit=x", "?cursor=x", "?since=-1"] {
        assert_refused(&list(&relay, &alice, wrong).await, 400, "must be");
    }
}

#[tokio::test]
async fn b11_the_operator_may_open_lists_to_all() {
    let relay = relay("list_by = 'anyone'").await;
    let alice = Author::new(1);
    let name = store(&relay, &alice, 1).await.to_string();
    let listed = relay
        .get(&format!("/list/{}", alice.pubkey().to_hex()))
        .await;
    assert_eq!(names(&listed.json()), [name]);
}

#[tokio::test]
async fn b11_without_a_key_there_are_totals() {
    let relay = relay("").await;
    let name = store(&relay, &Author::new(1), 1).await;
    assert_eq!(relay.get(&format!("/{name}")).await.status, 200);
    // How long a count took says when the next one may be, which may be late; a start counts in any case.
    let relay = relay.restart().await;
    let totals: Value = relay.get("/list").await.json();
    assert_eq!(totals["blobs"], 1);
    assert_eq!(totals["bytes"], pdf(1).len());
}
