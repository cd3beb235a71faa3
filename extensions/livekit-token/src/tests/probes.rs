//! Whether LiveKit is there, and what the relay says of it.

use super::ground::Ground;
use trellis_relay::testing::{Value, json, until};

#[tokio::test]
async fn l14_health_and_ready_tell_whether_livekit_answers() {
    let ground = Ground::with("route_host = 'calls.example'\ncommunities = false", "").await;
    let probe = async |path: &str| {
        let call = ground.relay.get(path).header("Host", "calls.example");
        call.await.status
    };
    for path in ["/health", "/ready"] {
        until("LiveKit is seen", async || probe(path).await == 200).await;
        ground.livekit.set_down(true);
        until("it is missed", async || probe(path).await == 503).await;
        ground.livekit.set_down(false);
    }
    // The relay's own page knows of it too.
    ground.livekit.set_down(true);
    until("the relay says so", async || {
        probe("/health").await == 503 && ground.relay.get("/health").await.status == 503
    })
    .await;
}

#[tokio::test]
async fn l14_ready_wants_a_community_unless_they_are_off() {
    let ground = Ground::with("route_host = 'calls.example'", "").await;
    let ready = async || {
        let call = ground.relay.get("/ready").header("Host", "calls.example");
        call.await
    };
    let missing: Value = ready().await.json();
    assert_eq!(missing["missing"], "communities");
}

#[tokio::test]
async fn l18_the_relays_document_tells_where_everything_is() {
    let table =
        "operator_url = 'https://calls.example.com'\nblossom_url = 'https://media.example.com'";
    let ground = Ground::with(table, "").await;
    let document = ground.relay.information().await;
    assert_eq!(
        document["synchrono_city"],
        json!({
            "version": "1.0.0",
            "sidecar_url": "https://calls.example.com",
            "blossom_url": "https://media.example.com",
            "livekit_url": "wss://livekit.example.com",
        })
    );
    let nips = document["supported_nips"].as_array().unwrap();
    assert!(nips.contains(&json!(98)), "{nips:?}");
}

#[tokio::test]
async fn l19_requests_are_counted_by_route_and_result() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let count = async |result: &str| {
        let labels = [("route", "group"), ("result", result)];
        ground
            .relay
            .metric("livekit_token_issued_total", &labels)
            .await
    };
    let before = (count("issued").await, count("not_group_member").await);
    assert_eq!(ground.join(1, &call).await.status, 200);
    assert_eq!(ground.join(9, &call).await.status, 403);
    // Other tests of this process count as well.
    assert!(count("issued").await > before.0);
    assert!(count("not_group_member").await > before.1);
    let labels = [("operation", "create_room"), ("result", "ok")];
    let calls = ground
        .relay
        .metric("livekit_token_livekit_seconds_count", &labels)
        .await;
    assert!(calls >= 1.0);
}
