//! C9: kinds that only those they are addressed to may read, by any way out of the relay.

use trellis_test_support::{Author, Client, Event, Relay, json, trellis};

struct Scene {
    relay: Relay,
    recipient: Author,
    wrap: Event,
    note: Event,
}

/// A relay that has stored a gift wrap and a note, both with the same `p` tag.
async fn scene() -> Scene {
    let relay = trellis!().start().await;
    let recipient = Author::new();
    let sender = Author::new();
    let wrap = sender
        .draft(1059)
        .tag(&["p", &recipient.pubkey()])
        .content("sealed")
        .sign();
    let note = sender
        .draft(1)
        .tag(&["p", &recipient.pubkey()])
        .content("open")
        .sign();
    let mut client = Client::connect(&relay).await;
    client.store_all(&[wrap.clone(), note.clone()]).await;
    Scene {
        relay,
        recipient,
        wrap,
        note,
    }
}

#[tokio::test]
async fn c9_a_request_for_protected_kinds_alone_needs_authentication() {
    let scene = scene().await;
    let mut client = Client::connect(&scene.relay).await;
    for filter in [
        json!({"kinds": [1059]}),
        json!({"kinds": [1059, 21059]}),
        json!({"kinds": [1059], "#p": [scene.recipient.pubkey()]}),
        json!({"kinds": [1059], "limit": 0}),
    ] {
        let reason = client
            .ask(std::slice::from_ref(&filter))
            .await
            .expect_err("closed");
        assert!(reason.starts_with("auth-required: "), "{filter}: {reason}");
        let reason = client
            .count(std::slice::from_ref(&filter))
            .await
            .expect_err("closed");
        assert!(reason.starts_with("auth-required: "), "{filter}: {reason}");
    }
}

#[tokio::test]
async fn c9_a_mixed_request_is_narrowed_silently() {
    let scene = scene().await;
    let mut client = Client::connect(&scene.relay).await;
    let (wrap, note) = (scene.wrap.id.to_hex(), scene.note.id.to_hex());
    for filter in [
        json!({"kinds": [1, 1059]}),
        json!({"#p": [scene.recipient.pubkey()]}),
        json!({"ids": [wrap, note]}),
        json!({"authors": [scene.wrap.pubkey.to_hex()]}),
        json!({"#p": [scene.recipient.pubkey()], "limit": 1}),
        json!({}),
    ] {
        let found = client.query(filter.clone()).await;
        assert_eq!(found, std::slice::from_ref(&scene.note), "{filter}");
        let count = client
            .count(std::slice::from_ref(&filter))
            .await
            .expect("a count");
        assert_eq!(count["count"], 1, "{filter}");
    }
    assert_eq!(client.query(json!({"ids": [wrap]})).await, []);
}

#[tokio::test]
async fn c9_the_recipient_reads_once_authenticated_and_no_one_else() {
    let scene = scene().await;
    let by_id = json!({"ids": [scene.wrap.id.to_hex()]});
    let by_kind = json!({"kinds": [1059]});
    let mut recipient = Client::connect(&scene.relay).await;
    recipient.login(&scene.recipient).await;
    assert_eq!(
        recipient.query(by_id.clone()).await,
        std::slice::from_ref(&scene.wrap)
    );
    assert_eq!(
        recipient.query(by_kind.clone()).await,
        std::slice::from_ref(&scene.wrap)
    );
    let count = recipient
        .count(std::slice::from_ref(&by_kind))
        .await
        .expect("a count");
    assert_eq!(count["count"], 1);

    let mut stranger = Client::connect(&scene.relay).await;
    stranger.login(&Author::new()).await;
    assert_eq!(stranger.query(by_id.clone()).await, []);
    // Nothing or a refusal: both keep the secret.
    assert_eq!(
        stranger
            .ask(std::slice::from_ref(&by_kind))
            .await
            .unwrap_or_default(),
        []
    );
    let for_other = json!({"kinds": [1059], "#p": [scene.recipient.pubkey()]});
    assert_eq!(stranger.ask(&[for_other]).await.unwrap_or_default(), []);
    if let Ok(body) = stranger.count(&[by_kind]).await {
        assert_eq!(body["count"], 0);
    }
    // Several keys on one connection read for all of them.
    stranger.login(&scene.recipient).await;
    assert_eq!(stranger.query(by_id).await, [scene.wrap]);
}

#[tokio::test]
async fn c9_live_events_are_guarded_in_the_same_way() {
    let scene = scene().await;
    let mut publisher = Client::connect(&scene.relay).await;
    let mut recipient = Client::connect(&scene.relay).await;
    let mut stranger = Client::connect(&scene.relay).await;
    let mut nobody = Client::connect(&scene.relay).await;
    recipient.login(&scene.recipient).await;
    stranger.login(&Author::new()).await;
    let filter = json!({"#p": [scene.recipient.pubkey()], "limit": 0});
    for client in [&mut recipient, &mut stranger, &mut nobody] {
        client.subscribe("s", std::slice::from_ref(&filter)).await;
        assert_eq!(client.stored("s").await, Ok(vec![]));
    }
    let to_recipient = |kind| {
        Author::new()
            .draft(kind)
            .tag(&["p", &scene.recipient.pubkey()])
            .sign()
    };
    let (wrap, passing, fence) = (to_recipient(1059), to_recipient(21_059), to_recipient(1));
    publisher.store_all(&[wrap.clone(), passing.clone()]).await;
    publisher.store(&fence).await;
    // Ephemeral events take a shorter way than stored ones, so their order is free.
    let mut received = Vec::new();
    while received.len() < 3 {
        received.push(recipient.next_event("s").await);
    }
    for event in [&wrap, &passing, &fence] {
        assert!(received.contains(event), "{}", event.as_json());
    }
    for client in [&mut stranger, &mut nobody] {
        assert_eq!(
            client.next_event("s").await,
            fence,
            "the fence is the first that comes"
        );
    }
}

#[tokio::test]
async fn c9_a_subscription_opened_before_authentication_shows_more_after() {
    let scene = scene().await;
    let mut reader = Client::connect(&scene.relay).await;
    let filter = json!({"kinds": [1, 1059], "#p": [scene.recipient.pubkey()], "limit": 0});
    reader.subscribe("s", &[filter]).await;
    assert_eq!(reader.stored("s").await, Ok(vec![]));
    reader.login(&scene.recipient).await;
    let mut publisher = Client::connect(&scene.relay).await;
    let wrap = Author::new()
        .draft(1059)
        .tag(&["p", &scene.recipient.pubkey()])
        .sign();
    publisher.store(&wrap).await;
    assert_eq!(reader.next_event("s").await, wrap);
}

#[tokio::test]
async fn c9_the_list_of_kinds_is_the_configurations() {
    let relay = trellis!()
        .config("[protection]\nread_protected_kinds = [4]")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let recipient = Author::new();
    let to_recipient = |kind| {
        Author::new()
            .draft(kind)
            .tag(&["p", &recipient.pubkey()])
            .sign()
    };
    let (message, wrap) = (to_recipient(4), to_recipient(1059));
    client.store_all(&[message.clone(), wrap.clone()]).await;
    assert_eq!(client.query(json!({"kinds": [1059]})).await, [wrap]);
    assert!(client.ask(&[json!({"kinds": [4]})]).await.is_err());
    client.login(&recipient).await;
    assert_eq!(client.query(json!({"kinds": [4]})).await, [message]);
}
