//! E1: the hooks that stand between clients and what they ask for, seen from outside.

use trellis_test_support::probe::{self, calls, wait_for_calls};
use trellis_test_support::{Author, Client, Relay, Reply, json, trellis_probe};

async fn start(hooks: &[&str], more: &str) -> (Relay, Client) {
    let relay = trellis_probe!()
        .config(&probe::table(hooks, more))
        .start()
        .await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn e1_request_closes_with_its_reason() {
    let (_relay, mut client) = start(&["request"], "").await;
    let filter = json!({"kinds": [7000], "#x": ["request no"]});
    let reason = client.ask(&[filter.clone()]).await.expect_err("closed");
    assert_eq!(reason, "restricted: closed by the probe");
    assert_eq!(client.count(&[filter]).await, Err(reason));
    // One filter of several is enough.
    let two = [
        json!({"kinds": [1]}),
        json!({"kinds": [7000], "#x": ["request no"]}),
    ];
    client.ask(&two).await.expect_err("closed");
    client.assert_alive().await;
}

#[tokio::test]
async fn e1_request_is_asked_where_a_filter_may_touch_its_kinds() {
    let (relay, mut client) = start(&["request", "request_async"], "").await;
    for (filter, asked) in [
        (json!({"kinds": [1, 3]}), 0),
        (json!({"kinds": []}), 0),
        (json!({"kinds": [1, 7000]}), 1),
        (json!({"authors": [Author::new().pubkey()]}), 2),
        (json!({"kinds": [7001], "limit": 0}), 3),
    ] {
        client.query(filter.clone()).await;
        assert_eq!(calls(&relay, "request").await, asked, "{filter}");
        assert_eq!(calls(&relay, "request_async").await, asked, "{filter}");
    }
    client
        .count(&[json!({"kinds": [7000]})])
        .await
        .expect("a count");
    assert_eq!(calls(&relay, "request").await, 4);
    assert_eq!(calls(&relay, "request_async").await, 4);
}

#[tokio::test]
async fn e1_request_async_closes_and_is_waited_for() {
    let (relay, mut client) = start(&["request_async"], "").await;
    let reason = client
        .ask(&[json!({"kinds": [7000], "#x": ["request_async no"]})])
        .await
        .expect_err("closed");
    assert_eq!(reason, "restricted: closed by the probe");
    let slow = json!({"kinds": [7000], "#x": ["request_async wait"]});
    client.subscribe("slow", std::slice::from_ref(&slow)).await;
    client.subscribe("next", &[json!({"kinds": [1]})]).await;
    wait_for_calls(&relay, "request_async", 2).await;
    // Others are served meanwhile.
    let mut other = Client::connect(&relay).await;
    other.store(&Author::new().note("meanwhile")).await;
    other.assert_alive().await;
    probe::release(&relay).await;
    let mut ended = Vec::new();
    while ended.len() < 2 {
        if let Some(Reply::Eose(sub)) = client.next().await {
            ended.push(sub);
        }
    }
    assert_eq!(ended, ["slow", "next"], "messages take effect in order");
}

#[tokio::test]
async fn e1_a_subscription_closed_while_request_async_thinks_stays_closed() {
    let (relay, mut client) = start(&["request_async"], "").await;
    let filter = json!({"kinds": [7000], "#x": ["request_async wait"]});
    client.subscribe("s", std::slice::from_ref(&filter)).await;
    client.close("s").await;
    wait_for_calls(&relay, "request_async", 1).await;
    probe::release(&relay).await;
    client.assert_alive().await;
    client
        .store(
            &Author::new()
                .draft(7000)
                .tag(&["x", "request_async wait"])
                .sign(),
        )
        .await;
    client.assert_alive().await;
    assert!(
        !client
            .unread()
            .any(|reply| matches!(reply, Reply::Event(sub, _) if sub == "s")),
        "{:?}",
        client.unread().collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn e1_deliver_and_deliver_many_hide_from_certain_viewers() {
    for hook in ["deliver", "deliver_many"] {
        let (relay, mut stranger) = start(&[hook], "").await;
        let author = Author::new();
        let mut own = Client::connect(&relay).await;
        own.login(&author).await;
        let hidden = author
            .draft(7000)
            .at(1_700_000_000)
            .probe(hook, "no")
            .sign();
        let shown = author.draft(7000).at(1_700_000_001).sign();
        let both = [json!({"kinds": [7000, 7001]})];
        for client in [&mut stranger, &mut own] {
            client.subscribe("live", &both).await;
            assert_eq!(client.stored("live").await, Ok(vec![]));
        }
        own.store(&hidden).await;
        own.store(&shown).await;
        assert_eq!(own.next_event("live").await, hidden, "{hook}");
        assert_eq!(own.next_event("live").await, shown, "{hook}");
        assert_eq!(stranger.next_event("live").await, shown, "{hook}: live");
        assert_eq!(
            stranger.query(both[0].clone()).await,
            [shown.clone()],
            "{hook}: stored"
        );
        assert_eq!(
            own.query(both[0].clone()).await,
            [shown, hidden],
            "{hook}: stored"
        );
    }
}
