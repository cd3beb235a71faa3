//! E10: start, change and end of a relay in a test.

use crate::guests::Guests;
use std::net::TcpStream;
use trellis_relay::extension::Compiled;
use trellis_relay::testing::{Author, TestRelay, json, until};

#[tokio::test]
async fn e10_two_relays_run_in_one_process() {
    let (one, other) = (
        TestRelay::setup().start().await,
        TestRelay::setup().start().await,
    );
    assert_ne!(one.address(), other.address());
    let note = Author::new(1).note("here only");
    one.connect().await.store(&note).await;
    let mut client = other.connect().await;
    assert_eq!(client.query(json!({})).await, Ok(vec![]));
    one.stop().await;
    client.store(&note).await;
}

#[tokio::test]
async fn e10_dropping_a_relay_frees_its_port() {
    let relay = TestRelay::setup().start().await;
    let (address, mut client) = (relay.address(), relay.connect().await);
    drop(relay);
    client.closed().await;
    until("nobody listens", async || {
        TcpStream::connect(address).is_err()
    })
    .await;
}

#[actix_rt::test]
async fn e10_a_relay_runs_beside_an_actix_system() {
    let relay = TestRelay::setup().start().await;
    relay
        .connect()
        .await
        .store(&Author::new(1).note("hello"))
        .await;
    relay.stop().await;
}

#[tokio::test]
async fn e10_a_wrong_configuration_is_refused_with_the_reason() {
    let typo = TestRelay::of::<Guests>()
        .config("[extensions.guests]\nadmns = []")
        .try_start()
        .await;
    let typo = typo.unwrap_err().to_string();
    assert!(typo.contains("did you mean `admins`?"), "{typo}");
    let unknown = TestRelay::setup().config("[netwrk]").try_start().await;
    let unknown = unknown.unwrap_err().to_string();
    assert!(unknown.contains("network"), "{unknown}");
}

#[tokio::test]
async fn e10_extensions_change_under_open_connections() {
    const EXTENSIONS: &[Compiled] = &[Compiled::of::<Guests>()];
    let mut relay = TestRelay::setup().extensions(EXTENSIONS).start().await;
    assert_eq!(relay.status("guests").health, None);
    let (alice, mut client) = (Author::new(1), relay.connect().await);
    client.store(&alice.note("before")).await;

    let on = "[extensions.guests]\nadmins = []\nmessage = 'go away'";
    relay.reconfigure(on).await.unwrap();
    assert!(relay.hooks().iter().any(|hook| hook.hook == "admit"));
    let refused = client.publish(&alice.note("while it is on")).await;
    refused.assert_refused("blocked: go away");
    assert_eq!(relay.get("/api/guests").await.status, 200);

    let wrong = relay.reconfigure("[extensions.guests]\nadmins = 1").await;
    assert!(wrong.is_err());
    relay.reconfigure("").await.unwrap();
    client.store(&alice.note("after")).await;
    assert_eq!(relay.get("/api/guests").await.status, 404);
}
