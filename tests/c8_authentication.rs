//! C8: authentication (NIP-42).

use trellis_test_support::{Author, Client, Draft, Event, Relay, json, now, trellis};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn c8_each_connection_gets_a_challenge_of_its_own() {
    let (relay, mut one) = relay().await;
    let mut two = Client::connect(&relay).await;
    let (first, second) = (one.challenge().await, two.challenge().await);
    assert_ne!(first, second);
    assert!(first.len() >= 16, "{first:?} could be guessed");
}

#[tokio::test]
async fn c8_the_right_answer_is_accepted() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    client.login(&author).await;
    // Once more is no error, and neither is another key beside the first.
    client.login(&author).await;
    client.login(&Author::new()).await;
}

#[tokio::test]
async fn c8_each_wrong_answer_is_refused() {
    let (relay, mut client) = relay().await;
    let author = Author::new();
    let challenge = client.challenge().await;
    let url = relay.ws_url();
    let foreign = Client::connect(&relay).await.challenge().await;
    let answer = |kind: u16, at: u64, url: &str, challenge: &str| -> Event {
        let draft: Draft<'_> = author.draft(kind).at(at);
        draft
            .tag(&["relay", url])
            .tag(&["challenge", challenge])
            .sign()
    };
    let elsewhere = format!("ws://127.0.0.1:{}", relay.address().port() ^ 1);
    for (what, event) in [
        (
            "challenge of another connection",
            answer(22_242, now(), &url, &foreign),
        ),
        ("no challenge", answer(22_242, now(), &url, "")),
        ("kind", answer(1, now(), &url, &challenge)),
        ("too old", answer(22_242, now() - 660, &url, &challenge)),
        ("too new", answer(22_242, now() + 660, &url, &challenge)),
        (
            "another relay",
            answer(22_242, now(), "wss://relay.example", &challenge),
        ),
        (
            "another port",
            answer(22_242, now(), &elsewhere, &challenge),
        ),
        ("no URL", answer(22_242, now(), "", &challenge)),
        ("no tags", author.draft(22_242).sign()),
        (
            "no relay tag",
            author.draft(22_242).tag(&["challenge", &challenge]).sign(),
        ),
        (
            "no challenge tag",
            author.draft(22_242).tag(&["relay", &url]).sign(),
        ),
    ] {
        let verdict = client.send_auth(&event).await;
        assert!(!verdict.accepted, "accepted: {what}");
        let prefixes = ["invalid:", "restricted:"];
        let known = prefixes
            .iter()
            .any(|prefix| verdict.message.starts_with(prefix));
        assert!(known, "{what}: {}", verdict.message);
    }
    // None of these spoiled the challenge.
    client.login(&author).await;
}

#[tokio::test]
async fn c8_a_forged_answer_is_refused() {
    let (relay, mut client) = relay().await;
    let (ann, bob) = (Author::new(), Author::new());
    let challenge = client.challenge().await;
    let event = ann.auth_event(&relay.ws_url(), &challenge);
    let raw = event.as_json().replace(&ann.pubkey(), &bob.pubkey());
    client.send_text(&format!(r#"["AUTH",{raw}]"#)).await;
    client
        .verdict(&event.id.to_hex())
        .await
        .assert_refused("invalid:", "");
}

#[tokio::test]
async fn c8_an_answer_ten_minutes_off_is_still_good() {
    let (relay, mut client) = relay().await;
    let challenge = client.challenge().await;
    for at in [now() - 540, now() + 540] {
        let event = Author::new()
            .draft(22_242)
            .at(at)
            .tag(&["relay", &relay.ws_url()])
            .tag(&["challenge", &challenge])
            .sign();
        client.send_auth(&event).await.assert_accepted();
    }
}

#[tokio::test]
async fn c8_relay_urls_are_compared_as_urls() {
    let relay = trellis!()
        .env("TRELLIS_NETWORK__RELAY_URL", "wss://Relay.Example.com/")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    for same in [
        "wss://relay.example.com",
        "wss://relay.example.com/",
        "wss://RELAY.example.COM:443",
        "WSS://relay.example.com:443/",
    ] {
        let verdict = client.authenticate_for(&author, same).await;
        assert!(verdict.accepted, "{same}: {}", verdict.message);
    }
    for other in [
        "wss://relay.example.com.evil.example",
        "wss://evil.example/relay.example.com",
        "wss://relay.example.com@evil.example",
        "wss://relay.example.com:444",
        "wss://example.com",
        "relay.example.com.",
        "not a url",
    ] {
        let verdict = client.authenticate_for(&author, other).await;
        assert!(!verdict.accepted, "{other}");
    }
}

#[tokio::test]
async fn c8_authentication_events_are_never_stored_or_sent_on() {
    let (relay, mut client) = relay().await;
    let author = Author::new();
    let mut reader = Client::connect(&relay).await;
    reader
        .subscribe("s", &[json!({"authors": [author.pubkey()]})])
        .await;
    assert_eq!(reader.stored("s").await, Ok(vec![]));
    let challenge = client.challenge().await;
    let event = author.auth_event(&relay.ws_url(), &challenge);
    client.publish(&event).await.assert_refused("invalid:", "");
    client.send_auth(&event).await.assert_accepted();
    let fence = author.note("fence");
    client.store(&fence).await;
    assert_eq!(reader.next_event("s").await, fence);
    assert_eq!(client.query(json!({"kinds": [22_242]})).await, []);
}

#[tokio::test]
async fn c8_what_needs_authentication_says_so_before_and_lets_in_after() {
    let relay = trellis!().config("[auth]\nrequired = true").start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let event = author.note("members only");
    let filter = json!({"kinds": [1]});
    client
        .publish(&event)
        .await
        .assert_refused("auth-required:", "");
    let reason = client
        .ask(std::slice::from_ref(&filter))
        .await
        .expect_err("closed");
    assert!(reason.starts_with("auth-required: "), "{reason}");
    let reason = client
        .count(std::slice::from_ref(&filter))
        .await
        .expect_err("closed");
    assert!(reason.starts_with("auth-required: "), "{reason}");
    client.login(&author).await;
    client.store(&event).await;
    assert_eq!(client.query(filter.clone()).await, [event]);
    // Authentication is a connection's, not an address's.
    let mut other = Client::connect(&relay).await;
    assert!(other.ask(&[filter]).await.is_err());
}

#[tokio::test]
async fn c8_someone_authenticated_but_not_allowed_is_restricted() {
    let (member, guest) = (Author::new(), Author::new());
    let config = format!(
        "[auth.event]\npubkey_whitelist = [{:?}]\n[auth.req]\npubkey_whitelist = [{0:?}]",
        member.pubkey()
    );
    let relay = trellis!().config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let event = guest.note("may I?");
    client
        .publish(&event)
        .await
        .assert_refused("auth-required:", "");
    client.login(&guest).await;
    client
        .publish(&event)
        .await
        .assert_refused("restricted:", "");
    let reason = client
        .ask(&[json!({"kinds": [1]})])
        .await
        .expect_err("closed");
    assert!(reason.starts_with("restricted: "), "{reason}");
    // A second key on the same connection opens the door.
    client.login(&member).await;
    client.store(&event).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [event]);
}

#[tokio::test]
async fn c8_the_host_that_a_client_names_proves_nothing() {
    // Another relay could pass our challenge on to its users and write its own name here.
    let relay = trellis!().start().await;
    let mut forwarder = Client::connect_with(&relay, &[("Host", "evil.example")])
        .await
        .expect("a connection");
    let verdict = forwarder
        .authenticate_for(&Author::new(), "wss://evil.example")
        .await;
    verdict.assert_refused("restricted:", "network.relay_url");
    let mut direct = Client::connect(&relay).await;
    direct.login(&Author::new()).await;
}
