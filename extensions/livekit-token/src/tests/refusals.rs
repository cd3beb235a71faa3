//! What is wrong with a header or with an event, in the protocol's words.

use super::ground::{Ground, assert_fails, request, value};
use std::time::Duration;
use trellis_relay::testing::{Author, START_S, TestRelay, json};

#[tokio::test]
async fn l1_a_request_must_be_signed() {
    let ground = Ground::start().await;
    for path in ["/token", "/token/group", "/token/dm"] {
        let bare = ground.relay.post(path).json(&json!({})).await;
        assert_fails(&bare, 401, "AUTH_REQUIRED");
        let basic = ground
            .relay
            .post(path)
            .header("Authorization", "Basic YTpi");
        assert_fails(&basic.json(&json!({})).await, 401, "AUTH_REQUIRED");
        let get = ground.relay.get(path).await;
        assert_eq!(get.status, 405);
    }
    let bare = ground.relay.get("/.well-known/nip29/livekit/pizza").await;
    assert_fails(&bare, 401, "AUTH_REQUIRED");
}

#[tokio::test]
async fn l1_a_signature_is_for_one_url_method_and_body() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let (bob, relay) = (ground.author(2), &ground.relay);
    let body = json!({"event": value(&request(&bob, &call).sign())});
    let text = serde_json::to_vec(&body).unwrap();
    let url = format!("{}/token/group", relay.http_url());
    for header in [
        bob.authorization("POST", &format!("{}/token/dm", relay.http_url()), &text),
        bob.authorization("POST", &format!("{url}?a=b"), &text),
        bob.authorization("PUT", &url, &text),
        bob.authorization("POST", &url, b"{}"),
        bob.authorization("POST", &url, b""),
    ] {
        let wrong = relay.post("/token/group").header("Authorization", &header);
        assert_fails(&wrong.json(&body).await, 401, "INVALID_SIGNATURE");
    }
    let right = bob.authorization("POST", &url, &text);
    let right = || {
        relay
            .post("/token/group")
            .header("Authorization", &right)
            .json(&body)
    };
    assert_eq!(right().await.status, 200);
    assert_fails(&right().await, 401, "AUTH_REPLAYED");
}

#[tokio::test]
async fn l1_signatures_have_a_window_by_route() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let relay = &ground.relay;
    let body = |who: &Author| json!({"event": value(&request(who, &call).at(START_S).sign())});
    let room = format!("30312:{}:hall", ground.author(1).pubkey().to_hex());
    let space = json!({"room": room, "community": ground.author(1).pubkey().to_hex()});
    // Signed when the clock began; that of the relay goes on.
    let signed = |path: &str, body: &serde_json::Value| {
        let url = format!("{}{path}", relay.http_url());
        let header = Author::new(2).authorization("POST", &url, &serde_json::to_vec(body).unwrap());
        relay.post(path).header("Authorization", &header).json(body)
    };
    let bob = Author::new(2);
    relay.clock().advance(Duration::from_secs(60));
    assert_fails(&signed("/token", &space).await, 404, "ROOM_NOT_FOUND");
    relay.clock().advance(Duration::from_secs(1));
    assert_fails(
        &signed("/token", &space).await,
        401,
        "TIMESTAMP_OUT_OF_RANGE",
    );
    relay.clock().advance(Duration::from_secs(239));
    assert_eq!(signed("/token/group", &body(&bob)).await.status, 200);
    relay.clock().advance(Duration::from_secs(1));
    assert_fails(
        &signed("/token/group", &body(&bob)).await,
        401,
        "TIMESTAMP_OUT_OF_RANGE",
    );
}

#[tokio::test]
async fn l1_the_url_is_the_operators_where_there_is_one() {
    let ground = Ground::with("operator_url = 'https://calls.example.com/'", "").await;
    let call = ground.call().await;
    let bob = ground.author(2);
    let ask = |url: &str| {
        let body = json!({"event": value(&request(&bob, &call).sign())});
        ground
            .relay
            .post("/token/group")
            .json(&body)
            .nip98(&bob)
            .signed_url(url)
    };
    let right = ask("https://calls.example.com/token/group").await;
    assert_eq!(right.status, 200, "{}", right.text());
    let wrong = ask(&format!("{}/token/group", ground.relay.http_url())).await;
    assert_fails(&wrong, 401, "INVALID_SIGNATURE");
    // NIP-29 has its routes at the relay's own address.
    let own = ground
        .relay
        .get("/.well-known/nip29/livekit/pizza")
        .nip98(&bob)
        .await;
    assert_eq!(own.status, 200, "{}", own.text());
}

#[tokio::test]
async fn l2_the_event_is_the_signers_and_right_and_of_now() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let (bob, carol) = (ground.author(2), ground.author(3));
    let hour = Duration::from_secs(3600);
    let late = Duration::from_secs(301);
    for (event, code) in [
        (request(&carol, &call).sign(), "INVALID_SIGNATURE"),
        (request(&bob, &call).forge(), "INVALID_SIGNATURE"),
        (
            request(&bob, &call).ago(late).sign(),
            "TIMESTAMP_OUT_OF_RANGE",
        ),
        (
            request(&bob, &call).at(START_S + 301).sign(),
            "TIMESTAMP_OUT_OF_RANGE",
        ),
        (
            request(&bob, &call).expires_in(2 * hour).sign(),
            "TIMESTAMP_OUT_OF_RANGE",
        ),
        (
            request(&bob, &call)
                .ago(Duration::from_secs(20))
                .expires_in(Duration::from_secs(20))
                .sign(),
            "EVENT_EXPIRED",
        ),
        (bob.draft(1).tag(["h", "pizza"]).sign(), "INVALID_REQUEST"),
    ] {
        let answer = ground.ask("/token/group", &bob, &event).await;
        assert_fails(&answer, 400, code);
    }
    let good = request(&bob, &call).expires_in(hour).sign();
    assert_eq!(ground.ask("/token/group", &bob, &good).await.status, 200);
}

#[tokio::test]
async fn l2_a_changed_event_is_refused() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let bob = ground.author(2);
    let mut event = value(&request(&bob, &call).sign());
    event["content"] = json!("changed");
    let body = json!({"event": event});
    let answer = ground
        .relay
        .post("/token/group")
        .json(&body)
        .nip98(&bob)
        .await;
    assert_fails(&answer, 400, "INVALID_SIGNATURE");
}

#[tokio::test]
async fn l2_the_work_that_the_relay_wants_is_wanted_here() {
    let ground = Ground::with("", "[pow]\n20002 = 8\n").await;
    let call = ground.call().await;
    let bob = ground.author(2);
    let idle = ground.join(2, &call).await;
    let details = assert_fails(&idle, 400, "POW_INSUFFICIENT");
    assert_eq!(details["required"], 8);
    assert!(details["provided"].as_u64().unwrap() < 8);
    // Bits that nobody was looking for do not count.
    let lucky = request(&bob, &call).mine(4);
    let details = ground.ask("/token/group", &bob, &lucky).await;
    assert!(
        assert_fails(&details, 400, "POW_INSUFFICIENT")["provided"]
            .as_u64()
            .unwrap()
            <= 4
    );
    let worked = request(&bob, &call).mine(8);
    assert_eq!(ground.ask("/token/group", &bob, &worked).await.status, 200);
}

#[tokio::test]
async fn l2_a_body_that_cannot_be_read_says_so() {
    let ground = Ground::start().await;
    let bob = ground.author(2);
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"event": 1}"#,
        r#"{"event": {"kind": 20002}}"#,
    ] {
        let answer = ground
            .relay
            .post("/token/group")
            .body(body)
            .nip98(&bob)
            .await;
        assert_fails(&answer, 400, "INVALID_REQUEST");
        ground.relay.clock().advance(Duration::from_secs(61));
    }
    let bob = ground.author(2);
    let long = ground
        .relay
        .post("/token/group")
        .body(vec![b' '; 200 << 10]);
    assert_fails(&long.nip98(&bob).await, 413, "TOO_LARGE");
}

#[tokio::test]
async fn l3_groups_that_cannot_be_told_are_no_yes_and_no_no() {
    let ground = Ground::with("", "").await;
    let call = ground.call().await;
    let relay = TestRelay::of::<crate::LivekitToken>();
    let table = "[extensions.livekit_token]\nlivekit_api_key = 'k'\nlivekit_api_secret = 's'";
    let alone = relay.config(table).start().await;
    let bob = ground.author(2);
    let body = json!({"event": value(&request(&bob, &call).sign())});
    let answer = alone.post("/token/group").json(&body).nip98(&bob).await;
    assert_fails(&answer, 503, "LIVEKIT_UNAVAILABLE");
    let id = call.id().to_hex();
    let unloaded = bob
        .draft(20_002)
        .tag(["h", "unloaded"])
        .tag(["e", &id])
        .sign();
    let answer = ground.ask("/token/group", &bob, &unloaded).await;
    assert_fails(&answer, 503, "LIVEKIT_UNAVAILABLE");
}

#[tokio::test]
async fn l1_a_banned_key_gets_nothing() {
    let admin = Author::new(7);
    let before = format!("[information]\npubkey = '{}'\n", admin.pubkey());
    let ground = Ground::with("", &before).await;
    let call = ground.call().await;
    let bob = ground.author(2);
    let banned = json!([bob.pubkey().to_hex(), "spam"]);
    ground
        .relay
        .manage(&admin, "banpubkey", banned)
        .await
        .unwrap();
    assert_fails(&ground.join(2, &call).await, 403, "USER_BANNED");
}
