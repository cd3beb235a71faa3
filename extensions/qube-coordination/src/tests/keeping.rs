//! What is signed stays (Q6), and what is replaced goes on in the log (Q7).

use super::ground::Ground;
use std::time::Duration;
use trellis_qube_protocol::chain::{self, Entry};
use trellis_relay::testing::{Value, json, until};

#[tokio::test]
async fn q6_no_wish_of_the_author_removes_a_directive_or_a_report() {
    let ground = Ground::start("").await;
    let directive = ground
        .upgrade(1, "hqz", "v1.0.0")
        .expires_in(Duration::from_secs(60))
        .sign();
    let mut developer = ground.client(1).await;
    developer.store(&directive).await;
    let report = ground.ack(100, 1, "hqz", "v1.0.0").sign();
    let mut node = ground.client(100).await;
    node.store(&report).await;
    ground
        .until_items("/networks/hqz/fleet", |it| it.len() == 1)
        .await;
    ground.pass(1);

    developer
        .store(&ground.author(1).deletion([&directive]))
        .await;
    node.store(&ground.author(100).deletion([&report])).await;
    ground.pass(3_600);
    let both = json!({"kinds": [33_321, 3_333]});
    let kept = ground
        .relay
        .connect()
        .await
        .query(both.clone())
        .await
        .unwrap();
    assert_eq!(kept.len(), 2);

    // A request to vanish hides until it is found that the events are kept; what follows from them does not change.
    let vanish = |number: u64| {
        ground
            .author(number)
            .draft(62)
            .tag(["relay", "ALL_RELAYS"])
            .content("")
            .sign()
    };
    ground.pass(1);
    developer.store(&vanish(1)).await;
    node.store(&vanish(100)).await;
    until("both are shown again", async || {
        ground.pass(60);
        let mut client = ground.relay.connect().await;
        client
            .query(both.clone())
            .await
            .is_ok_and(|it| it.len() == 2)
    })
    .await;
    assert_eq!(ground.items("/networks/hqz/history").await.len(), 1);
    assert_eq!(ground.items("/networks/hqz/fleet").await.len(), 1);
    let ground = Ground {
        relay: ground.relay.restart().await,
    };
    assert_eq!(ground.items("/networks/hqz/history").await.len(), 1);
    assert_eq!(ground.items("/networks/hqz/fleet").await.len(), 1);
}

#[tokio::test]
async fn q6_of_all_causes_of_removal_the_operator_alone_is_one() {
    let ground = Ground::operated("").await;
    let directive = ground.direct(1, "hqz", "v1.0.0").await;
    let report = ground.ack(100, 1, "hqz", "v1.0.0").sign();
    ground.relay.connect().await.store(&report).await;
    ground
        .until_items("/networks/hqz/fleet", |it| it.len() == 1)
        .await;
    for cause in ["deletion", "expiry", "vanish", "retention"] {
        for event in [&directive, &report] {
            assert!(!ground.remove(event, cause).await, "{cause}");
        }
    }
    // By its address, too, which is how addressable events are deleted.
    ground.pass(1);
    let address = format!("33321:{}:hyperqube", ground.author(1).pubkey().to_hex());
    let wish = ground.author(1).draft(5).tag(["a", &address]).sign();
    ground.client(1).await.store(&wish).await;
    let all = json!({"kinds": [33_321, 3_333]});
    let kept = async || ground.relay.connect().await.query(all.clone()).await;
    assert_eq!(kept().await.map(|it| it.len()), Ok(2));

    for event in [&report, &directive] {
        assert!(ground.remove(event, "admin").await);
    }
    assert_eq!(kept().await, Ok(vec![]));
    for list in ["fleet", "history"] {
        ground
            .until_items(&format!("/networks/hqz/{list}"), <[Value]>::is_empty)
            .await;
    }
    // What the operator has removed does not come back by itself.
    let outcomes = ground.import(std::slice::from_ref(&directive)).await;
    assert_eq!(
        outcomes,
        ["restricted: the operator of this relay has removed this directive"]
    );
}

#[tokio::test]
async fn q6_who_vanishes_is_not_forgotten_by_a_relay_that_is_restarted() {
    let ground = Ground::start("").await;
    ground.direct(1, "hqz", "v1.0.0").await;
    let mut node = ground.client(100).await;
    node.store(&ground.ack(100, 1, "hqz", "v1.0.0").sign())
        .await;
    let fleet = "/networks/hqz/fleet";
    ground.until_items(fleet, |it| it.len() == 1).await;
    ground.pass(1);
    let vanish = ground.author(100).draft(62).tag(["relay", "ALL_RELAYS"]);
    node.store(&vanish.content("").sign()).await;
    drop(node);

    // Everything is read while the report is hidden, as long as the request has not been gone through.
    let relay = ground.relay.restart().await;
    let ground = Ground { relay };
    until("the node is there again", async || {
        ground.pass(60);
        ground.items(fleet).await.len() == 1
    })
    .await;
    assert_eq!(ground.items("/networks/hqz/history").await.len(), 1);
}

#[tokio::test]
async fn q6_a_request_to_vanish_that_is_dated_ahead_keeps_no_directive_away() {
    let ground = Ground::start("").await;
    ground.direct(1, "hqz", "v1.0.0").await;
    let now = ground.author(1).draft(1).sign().created_at();
    let vanish = ground.author(1).draft(62).tag(["relay", "ALL_RELAYS"]);
    let mut developer = ground.client(1).await;
    developer
        .store(&vanish.at(now + 600).content("").sign())
        .await;
    ground.pass(1);
    ground.direct(1, "hqz", "v1.0.1").await;
    let history = "/networks/hqz/history";
    ground.until_items(history, |it| it.len() == 2).await;
    // Others of the same key are kept away.
    let note = developer.publish(&ground.author(1).draft(1).sign()).await;
    assert_eq!(note.reason().split(':').next(), Some("blocked"));
    until("the latest directive is shown", async || {
        ground.pass(60);
        let mut client = ground.relay.connect().await;
        let shown = client.query(json!({"kinds": [33_321]})).await;
        shown.is_ok_and(|it| it.len() == 1)
    })
    .await;
}

#[tokio::test]
async fn q7_what_is_replaced_is_in_the_log_and_req_returns_the_latest() {
    let ground = Ground::start("").await;
    let mut all = Vec::new();
    for patch in 0..5 {
        all.push(ground.direct(1, "hqz", &format!("v1.0.{patch}")).await);
        ground.pass(1);
    }
    let shown = ground
        .relay
        .connect()
        .await
        .query(json!({"kinds": [33_321]}))
        .await;
    assert_eq!(shown, Ok(vec![all[4].clone()]));

    let exported = ground.get("/audit/export?section=log&limit=3").await;
    let next = exported["next"].as_str().unwrap().to_owned();
    let rest = ground
        .get(&format!("/audit/export?section=log&cursor={next}"))
        .await;
    assert!(rest["next"].is_null());
    let entries: Vec<Entry> = [&exported, &rest]
        .into_iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| serde_json::from_value(item.clone()).unwrap())
        .collect();
    assert_eq!(chain::verify(&entries), Ok(()));
    let texts: Vec<String> = entries.iter().map(|it| it.event.clone()).collect();
    let wanted = all[..4]
        .iter()
        .map(|it| String::from_utf8_lossy(it.json()).into_owned());
    assert_eq!(texts, wanted.collect::<Vec<_>>());
    assert_eq!(exported["heads"]["log"]["seq"], 4);
    assert_eq!(
        exported["heads"]["log"]["hash"],
        entries[3].hash.to_string()
    );

    let audit = ground.items("/audit").await;
    assert_eq!(audit.len(), 4);
    assert_eq!(audit[0]["version"], "v1.0.0");
    ground
        .until_items("/networks/hqz/history", |it| it.len() == 5)
        .await;
}

#[tokio::test]
async fn q7_the_log_and_the_event_are_one_transaction() {
    let ground = Ground::start("").await;
    ground.direct(1, "hqz", "v1.0.0").await;
    ground.pass(1);
    let mut developer = ground.client(1).await;
    ground
        .relay
        .faults()
        .fail_commits(1, trellis_relay::testing::Failure::Full);
    let second = ground.upgrade(1, "hqz", "v1.0.1").sign();
    assert!(!developer.publish(&second).await.is_accepted());
    assert!(ground.items("/audit").await.is_empty());
    developer.store(&second).await;
    assert_eq!(ground.items("/audit").await.len(), 1);

    let relay = ground.relay.kill_and_restart().await;
    let ground = Ground { relay };
    let audit: Vec<Value> = ground.items("/audit").await;
    assert_eq!(audit.len(), 1);
    let history = ground.items("/networks/hqz/history").await;
    assert_eq!(history.len(), 2, "memory is filled from the log as well");
}
