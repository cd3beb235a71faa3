//! C7: events that expire (NIP-40) are refused when late and gone when their time has come.

use trellis_test_support::{Author, Client, Relay, json, now, trellis, wait};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn c7_an_expired_event_is_refused() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    for seconds in [0, 1, 1_700_000_000, now() - 1] {
        let event = author
            .draft(1)
            .tag(&["expiration", &seconds.to_string()])
            .sign();
        client
            .publish(&event)
            .await
            .assert_refused("invalid:", "expired");
    }
    assert_eq!(client.query(json!({})).await, []);
}

#[tokio::test]
async fn c7_an_event_is_neither_sent_nor_counted_once_it_has_expired() {
    let (relay, mut client) = relay().await;
    let author = Author::new();
    let lasting = author.note("lasting");
    let expires = now() + 6;
    let passing = author
        .draft(1)
        .tag(&["expiration", &expires.to_string()])
        .sign();
    client.store_all(&[lasting.clone(), passing.clone()]).await;
    let filter = json!({"authors": [author.pubkey()]});
    assert_eq!(client.query(filter.clone()).await.len(), 2, "still there");

    wait::until_true("the event's end", || now() > expires).await;
    assert_eq!(
        client.query(filter.clone()).await,
        std::slice::from_ref(&lasting)
    );
    let by_id = json!({"ids": [passing.id.to_hex()]});
    assert_eq!(client.query(by_id).await, []);
    let newest = json!({"authors": [author.pubkey()], "limit": 1});
    assert_eq!(
        client.query(newest).await,
        [lasting],
        "expired events use up no limit"
    );
    let count = client.count(&[filter]).await.expect("a count");
    assert_eq!(count["count"], 1);
    let refused = client.publish(&passing).await;
    assert!(!refused.accepted || refused.message.starts_with("duplicate:"));
    drop(relay);
}

#[tokio::test]
async fn c7_an_event_stays_while_its_expiration_is_ahead_or_no_number() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let events = [
        author
            .draft(1)
            .tag(&["expiration", &(now() + 3_600).to_string()])
            .sign(),
        author.draft(1).tag(&["expiration", "tomorrow"]).sign(),
        author.draft(1).tag(&["expiration"]).sign(),
        author.draft(1).tag(&["expiration", ""]).sign(),
    ];
    client.store_all(&events).await;
    assert_eq!(
        client.query(json!({"kinds": [1]})).await.len(),
        events.len()
    );
}

#[tokio::test]
async fn c7_the_sweeper_frees_what_has_expired() {
    let (relay, mut client) = relay().await;
    let author = Author::new();
    let lasting = author.note("lasting");
    let expires = now() + 6;
    let passing = author
        .draft(1)
        .tag(&["expiration", &expires.to_string()])
        .sign();
    client.store_all(&[lasting.clone(), passing.clone()]).await;
    // While the event is stored the relay may know it as a duplicate; once it is gone it is but late.
    wait::until("a refusal", async || {
        let verdict = client.publish(&passing).await;
        (!verdict.accepted).then_some(())
    })
    .await;
    let mut stopped = relay.stop().await.1;
    let file = stopped.config_file().display().to_string();
    wait::until("an export without the event", async || {
        let export = stopped.run(&["export", "-c", &file]).await;
        let stored = export.assert_success().stdout.clone();
        assert!(stored.contains(&lasting.id.to_hex()), "{stored}");
        if !stored.contains(&passing.id.to_hex()) {
            return Some(());
        }
        let relay = stopped.clone().start().await;
        Client::connect(&relay).await.assert_alive().await;
        stopped = relay.stop().await.1;
        None
    })
    .await;
}
