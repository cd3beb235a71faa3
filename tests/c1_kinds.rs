//! C1: what a relay keeps of each class of kinds (NIP-01).

use trellis_test_support::client::ids;
use trellis_test_support::{Author, Client, Event, Relay, json, now, trellis};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn c1_of_replaceable_events_the_newest_is_kept() {
    let (_relay, mut client) = relay().await;
    for kind in [0, 3, 10_000, 10_002, 19_999] {
        let author = Author::new();
        let at = now() - 50;
        let versions: Vec<Event> = [at + 1, at + 2, at]
            .iter()
            .map(|at| author.draft(kind).at(*at).content(&at.to_string()).sign())
            .collect();
        client.store(&versions[0]).await;
        client.store(&versions[1]).await;
        client
            .publish(&versions[2])
            .await
            .assert_refused("duplicate:", "");
        let filter = json!({"authors": [author.pubkey()]});
        assert_eq!(
            client.query(filter).await,
            [versions[1].clone()],
            "kind {kind}"
        );
        let by_id = json!({"ids": ids(&versions)});
        assert_eq!(
            client.query(by_id).await,
            [versions[1].clone()],
            "kind {kind}"
        );
    }
}

#[tokio::test]
async fn c1_of_addressable_events_the_newest_under_each_d_is_kept() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let at = now() - 50;
    for kind in [30_000, 30_023, 39_999] {
        let draft = |d: &str, at: u64| author.draft(kind).at(at).tag(&["d", d]).sign();
        let (a1, a2, b1, old) = (
            draft("a", at),
            draft("a", at + 1),
            draft("b", at),
            draft("a", at - 1),
        );
        for event in [&a1, &b1, &a2] {
            client.store(event).await;
        }
        client.publish(&old).await.assert_refused("duplicate:", "");
        assert_eq!(
            client.query(json!({"kinds": [kind]})).await,
            [a2, b1],
            "kind {kind}"
        );
    }
}

#[tokio::test]
async fn c1_versions_of_the_same_second_leave_the_lowest_id() {
    let (_relay, mut client) = relay().await;
    for kind in [10_002, 30_023] {
        let author = Author::new();
        let at = now();
        let mut versions: Vec<Event> = (0..6)
            .map(|i| {
                author
                    .draft(kind)
                    .at(at)
                    .tag(&["d", "x"])
                    .content(&i.to_string())
                    .sign()
            })
            .collect();
        versions.sort_by_key(|event| event.id);
        // Higher before lower: each is better than what is stored. Then the rest, which are worse.
        for better in [4, 2, 0] {
            client.store(&versions[better]).await;
        }
        for worse in [1, 3, 5] {
            client
                .publish(&versions[worse])
                .await
                .assert_refused("duplicate:", "");
        }
        let found = client.query(json!({"authors": [author.pubkey()]})).await;
        assert_eq!(found, [versions[0].clone()], "kind {kind}");
    }
}

#[tokio::test]
async fn c1_the_first_d_tag_counts_wherever_it_stands_and_none_is_the_empty_one() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let at = now() - 50;
    let draft = |at: u64| author.draft(30_023).at(at);
    let first = draft(at)
        .tag(&["t", "x"])
        .tag(&["d", "one"])
        .tag(&["d", "two"])
        .sign();
    let replaces = draft(at + 1).tag(&["d", "one"]).sign();
    let other = draft(at).tag(&["d", "two"]).sign();
    client.store(&first).await;
    client.store(&other).await;
    client.store(&replaces).await;
    assert_eq!(
        client.query(json!({"authors": [author.pubkey()]})).await,
        [replaces, other]
    );

    // No `d`, an empty one and one without a value are the same address.
    let nameless = Author::new();
    let draft = |at: u64| nameless.draft(30_023).at(at);
    let versions = [
        draft(at).sign(),
        draft(at + 1).tag(&["d", ""]).sign(),
        draft(at + 2).tag(&["d"]).sign(),
        draft(at + 3).tag(&["d", "", "more"]).sign(),
    ];
    for version in &versions {
        client.store(version).await;
        let found = client.query(json!({"authors": [nameless.pubkey()]})).await;
        assert_eq!(found, std::slice::from_ref(version));
    }
}

#[tokio::test]
async fn c1_ephemeral_events_reach_subscribers_and_are_not_stored() {
    let (relay, mut publisher) = relay().await;
    let author = Author::new();
    let mut reader = Client::connect(&relay).await;
    reader
        .subscribe("live", &[json!({"authors": [author.pubkey()]})])
        .await;
    assert_eq!(reader.stored("live").await, Ok(vec![]));
    for kind in [20_000, 20_001, 29_999] {
        let event = author.draft(kind).content("now or never").sign();
        publisher.store(&event).await;
        assert_eq!(reader.next_event("live").await, event);
        assert_eq!(publisher.query(json!({"kinds": [kind]})).await, []);
    }
}

#[tokio::test]
async fn c1_kinds_without_a_class_are_kept_each() {
    let (_relay, mut client) = relay().await;
    for kind in [2, 4, 44, 45, 9_999, 40_000, 65_535] {
        let author = Author::new();
        let events: Vec<Event> = (0..2)
            .map(|i| author.draft(kind).content(&i.to_string()).sign())
            .collect();
        client.store_all(&events).await;
        assert_eq!(
            client.query(json!({"kinds": [kind]})).await.len(),
            2,
            "kind {kind}"
        );
    }
}
