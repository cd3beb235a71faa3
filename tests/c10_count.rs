//! C10: counting (NIP-45), lists kept as replaceables, and protected events (NIP-70).

use trellis_test_support::{Author, Client, Event, Relay, json, trellis};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn c10_counts_are_those_of_the_matching_events() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let events: Vec<Event> = (0..30_u8)
        .map(|i| {
            author
                .draft([1, 2, 4][usize::from(i % 3)])
                .tag(&["t", "x"])
                .content(&i.to_string())
                .sign()
        })
        .collect();
    client.store_all(&events).await;
    for (filters, expected) in [
        (vec![json!({})], 30),
        (vec![json!({"kinds": [1]})], 10),
        (vec![json!({"kinds": [1, 2]}), json!({"kinds": [2, 4]})], 30),
        (vec![json!({"authors": [author.pubkey()], "#t": ["x"]})], 30),
        (vec![json!({"#t": ["y"]})], 0),
        (vec![json!({"kinds": []})], 0),
    ] {
        let body = client.count(&filters).await.expect("a count");
        assert_eq!(body["count"], expected, "{filters:?}");
    }
}

#[tokio::test]
async fn c10_a_count_is_not_bounded_by_what_a_query_returns() {
    let relay = trellis!()
        .config("[limitation]\nmax_limit = 5")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    client.store_all(&Author::new().notes(40)).await;
    let body = client
        .count(&[json!({"kinds": [1]})])
        .await
        .expect("a count");
    assert_eq!(body["count"], 40);
}

#[tokio::test]
async fn c10_a_count_opens_no_subscription() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    client
        .count(&[json!({"kinds": [1]})])
        .await
        .expect("a count");
    client.store(&author.note("not for a COUNT")).await;
    client.assert_alive().await;
    assert_eq!(client.unread().count(), 0);
}

#[tokio::test]
async fn c10_lists_are_kept_as_replaceables() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    for kind in [10_002, 10_000, 10_003, 30_000, 30_003] {
        let version = |at: u64| author.draft(kind).at(at).tag(&["d", "list"]).sign();
        let (old, new) = (version(1_700_000_000), version(1_700_000_001));
        client.store_all(&[old, new.clone()]).await;
        assert_eq!(
            client.query(json!({"kinds": [kind]})).await,
            [new],
            "kind {kind}"
        );
    }
}

#[tokio::test]
async fn c10_protected_events_are_taken_from_their_author_alone() {
    let (_relay, mut client) = relay().await;
    let (author, other) = (Author::new(), Author::new());
    let protected = author.draft(1).tag(&["-"]).content("from me only").sign();
    client
        .publish(&protected)
        .await
        .assert_refused("auth-required:", "");
    client.login(&other).await;
    let verdict = client.publish(&protected).await;
    assert!(!verdict.accepted, "taken from another");
    client.login(&author).await;
    client.store(&protected).await;
}

#[tokio::test]
async fn c10_a_repost_that_embeds_a_protected_event_is_refused() {
    let (_relay, mut client) = relay().await;
    let (author, other) = (Author::new(), Author::new());
    let protected = author.draft(1).tag(&["-"]).content("from me only").sign();
    for kind in [6, 16] {
        let repost = other
            .draft(kind)
            .tag(&["e", &protected.id.to_hex()])
            .content(&protected.as_json())
            .sign();
        let verdict = client.publish(&repost).await;
        assert!(!verdict.accepted, "kind {kind}");
    }
    let open = author.note("for all");
    let repost = other
        .draft(6)
        .tag(&["e", &open.id.to_hex()])
        .content(&open.as_json())
        .sign();
    client.store(&repost).await;
}
