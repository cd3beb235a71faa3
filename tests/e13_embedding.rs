//! E13: the relay as a library, in an application of somebody else: `examples/embed.rs`, run as its own process.

use trellis_test_support::{Author, Client, Front, Setup, http, json, trellis};

fn embedded() -> Setup {
    trellis!().front(Front::Embedded)
}

#[tokio::test]
async fn e13_the_application_and_the_relay_answer_side_by_side() {
    let relay = embedded().start().await;
    let hello = http::get(&relay, "/hello", &[]).await;
    assert_eq!(hello.status, 200);
    assert_eq!(hello.body, "hello from the application\n");
    let page = http::get(&relay, "/", &[("Accept", "text/html")]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.starts_with("<!doctype html>"), "{}", page.body);
    let information = http::relay_information(&relay).await;
    assert!(information["supported_nips"].is_array(), "{information}");

    let mut client = Client::connect(&relay).await;
    let note = Author::new().note("stored by the relay within");
    client.store(&note).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [note]);
}

#[tokio::test]
async fn e13_an_extension_of_the_application_decides() {
    let (member, stranger) = (Author::new(), Author::new());
    let config = format!(
        "[extensions.members_only]\nmembers = [{:?}]\nmessage = \"members alone\"",
        member.pubkey()
    );
    let relay = embedded().config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    client.login(&stranger).await;
    client
        .publish(&stranger.note("from outside"))
        .await
        .assert_refused("restricted:", "members alone");
    client.login(&member).await;
    client.store(&member.note("from inside")).await;
}

#[tokio::test]
async fn e13_an_application_that_stops_keeps_what_was_answered_ok() {
    let relay = embedded().start().await;
    let mut client = Client::connect(&relay).await;
    let notes = Author::new().notes(200);
    client.store_all(&notes).await;
    relay.ask_to_stop();
    assert_eq!(client.closed_by_relay().await, Some(1001));
    let (status, setup) = relay.stop().await;
    assert!(status.success(), "{status}");

    let relay = setup.front(Front::Server).start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await.len(), notes.len());
}

#[tokio::test]
async fn e13_what_is_no_handshake_is_refused_in_words() {
    let relay = embedded().start().await;
    let response = http::get(&relay, "/", &[("Upgrade", "websocket")]).await;
    assert_eq!(response.status, 400);
    assert_eq!(response.json()["code"], 400);
}

#[tokio::test]
async fn e13_an_application_does_not_start_either_where_everything_would_be_lost() {
    let setup = embedded().env("K_SERVICE", "relay");
    let refused = setup.serve_to_end().await;
    refused.assert_failure(&["data.allow_ephemeral", "[backup] url"]);
    assert!(!setup.home().join("data").exists(), "nothing was begun");
}
