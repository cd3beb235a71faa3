//! M23: who may ask at all.

use super::ground::{As, Ground, TOKEN, expect, hex};
use crate::MlsGateway;
use std::time::Duration;
use trellis_relay::nostr::nips::nip19::ToBech32;
use trellis_relay::testing::{Author, TestRelay, Value, json};

const ROUTES: [(&str, &str); 11] = [
    ("POST", "/keypackages"),
    ("GET", "/keypackages"),
    ("POST", "/keypackages/{id}/ack"),
    ("POST", "/welcome"),
    ("GET", "/welcome"),
    ("POST", "/welcome/{id}/ack"),
    ("GET", "/groups"),
    ("GET", "/groups/{id}"),
    ("POST", "/groups"),
    ("POST", "/messages/missed"),
    ("POST", "/messages/group"),
];

#[tokio::test]
async fn m23_nobody_is_told_anything_without_a_signature_or_a_token() {
    let ground = Ground::start("").await;
    for (method, path) in ROUTES {
        let path = path.replace("{id}", "a");
        let body = (method == "POST").then(|| json!({}));
        let answer = ground.ask(method, &path, As::Nobody, body).await;
        assert_eq!(answer.header("WWW-Authenticate"), Some("Nostr"), "{path}");
        expect(answer, 401);
    }
    let wrong = format!("Bearer {}", TOKEN.to_lowercase());
    let answer = ground
        .relay
        .get("/api/v1/mls/groups")
        .header("Authorization", &wrong);
    expect(answer.await, 401);
}

#[tokio::test]
async fn m23_a_signature_is_for_one_request_at_its_time() {
    let ground = Ground::start("").await;
    let alice = ground.relay.author(1);
    let path = "/api/v1/mls/groups";
    let url = format!("{}{path}", ground.relay.http_url());
    let get = |header: String| ground.relay.get(path).header("Authorization", &header);

    let header = alice.authorization("GET", &url, b"");
    expect(get(header.clone()).await, 200);
    expect(get(header).await, 401);
    expect(get(alice.authorization("POST", &url, b"")).await, 401);
    expect(
        get(alice.authorization("GET", &format!("{url}?limit=1"), b"")).await,
        401,
    );
    let of_alias = url.replace("/mls", "");
    expect(get(alice.authorization("GET", &of_alias, b"")).await, 401);

    let early = alice.authorization("GET", &url, b"");
    ground.relay.clock().advance(Duration::from_secs(61));
    expect(get(early).await, 401);

    let body = json!({"since": 5}).to_string();
    let path = "/api/v1/mls/messages/missed";
    let url = format!("{}{path}", ground.relay.http_url());
    let post = |signed: &[u8]| {
        let header = alice.authorization("POST", &url, signed);
        ground
            .relay
            .post(path)
            .body(body.as_bytes())
            .header("Authorization", &header)
    };
    expect(post(body.as_bytes()).await, 200);
    expect(post(b"{}").await, 401);
    expect(post(b"").await, 401);
}

#[tokio::test]
async fn m23_the_routes_are_the_same_under_every_prefix() {
    let ground = Ground::start("api_prefix_aliases = ['/api/v1', '/mls']").await;
    let alice = ground.relay.author(1);
    for prefix in ["/api/v1/mls", "/api/v1", "/mls"] {
        let answer = ground
            .relay
            .get(&format!("{prefix}/groups"))
            .nip98(&alice)
            .await;
        assert_eq!(expect(answer, 200), json!({"ok": true, "items": []}));
    }
    let answer = ground.relay.get("/api/v2/groups").nip98(&alice).await;
    expect(answer, 404);
}

#[tokio::test]
async fn m23_there_are_no_routes_without_enable_api() {
    let ground = Ground::start("enable_api = false").await;
    let alice = ground.relay.author(1);
    expect(ground.get("/groups", As::Key(&alice)).await, 404);
}

#[tokio::test]
async fn m23_services_come_from_allowed_addresses_alone() {
    let elsewhere = Ground::start("service_token_ips = ['10.0.0.0/8']").await;
    expect(elsewhere.get("/groups", As::Service).await, 403);
    expect(
        elsewhere
            .post("/messages/missed", As::Service, json!({}))
            .await,
        403,
    );
    let alice = elsewhere.relay.author(1);
    expect(elsewhere.get("/groups", As::Key(&alice)).await, 200);
    let here = Ground::start("service_token_ips = ['10.0.0.0/8', '127.0.0.1']").await;
    expect(here.get("/groups", As::Service).await, 200);
}

#[tokio::test]
async fn m23_keys_are_npub_or_hex() {
    let ground = Ground::start("").await;
    let alice = ground.relay.author(1);
    let npub = alice.pubkey().to_bech32().unwrap();
    for key in [npub, hex(&alice), hex(&alice).to_uppercase()] {
        let path = format!("/welcome?recipient={key}");
        expect(ground.get(&path, As::Key(&alice)).await, 200);
        let path = format!("/keypackages?owner={key}");
        expect(ground.get(&path, As::Key(&alice)).await, 200);
        let body = json!({"pubkey": key});
        expect(
            ground.post("/messages/missed", As::Key(&alice), body).await,
            200,
        );
    }
    for key in ["alice", "npub1qqqq", &hex(&alice)[1..], ""] {
        let path = format!("/welcome?recipient={key}");
        expect(ground.get(&path, As::Key(&alice)).await, 400);
    }
}

#[tokio::test]
async fn m23_who_asks_is_never_told_by_the_body() {
    let ground = Ground::start("").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    for path in ["/messages/missed", "/messages/group"] {
        let body = json!({"pubkey": hex(&bob), "group_id": "a"});
        expect(ground.post(path, As::Key(&alice), body.clone()).await, 403);
        let nobody = json!({"group_id": "a"});
        expect(ground.post(path, As::Service, nobody).await, 400);
    }
    let bobs = format!("?recipient={}", hex(&bob));
    for path in ["/keypackages", "/welcome"] {
        expect(
            ground.get(&format!("{path}{bobs}"), As::Key(&alice)).await,
            403,
        );
        expect(ground.get(&format!("{path}{bobs}"), As::Service).await, 200);
    }
}

#[tokio::test]
async fn m23_banned_keys_have_signed_nothing() {
    let (admin, alice) = (Author::new(9), Author::new(1));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mls.db");
    let config = format!(
        "information.pubkey = '{}'\n[extensions.mls_gateway]\ndatabase_url = 'sqlite://{}'",
        hex(&admin),
        file.display()
    );
    let relay = TestRelay::of::<MlsGateway>().config(&config).start().await;
    let get = || relay.get("/api/v1/mls/groups").nip98(&alice);
    expect(get().await, 200);
    let banned = relay
        .manage(&admin, "banpubkey", json!([hex(&alice)]))
        .await;
    assert_eq!(banned, Ok(json!(true)));
    expect(get().await, 403);
}

#[tokio::test]
async fn m23_the_operators_lists_count_over_http_too() {
    let [alice, bob, carol] = [1, 2, 3].map(Author::new);
    let lists = format!(
        "[auth]\nenabled = true\nreq.pubkey_whitelist = ['{}', '{}']\nevent.pubkey_whitelist = ['{}']",
        hex(&alice),
        hex(&bob),
        hex(&alice)
    );
    let ground = Ground::start_beside("", &lists).await;
    let letter = json!({"recipient": hex(&bob), "content_b64": "q83v"});
    for (author, may_read, may_publish) in
        [(&alice, 200, 200), (&bob, 200, 403), (&carol, 403, 403)]
    {
        expect(ground.get("/groups", As::Key(author)).await, may_read);
        let missed = ground.post("/messages/missed", As::Key(author), json!({}));
        expect(missed.await, may_read);
        let deposit = ground.post("/keypackages", As::Key(author), letter.clone());
        expect(deposit.await, may_publish);
    }
    expect(ground.get("/groups", As::Service).await, 200);
    let elsewhere = Ground::start_beside(
        "",
        "auth.enabled = true\nauth.req.ip_whitelist = ['192.0.2.7']",
    );
    expect(elsewhere.await.get("/groups", As::Key(&alice)).await, 403);
}

#[tokio::test]
async fn m23_every_route_is_described() {
    let ground = Ground::start("").await;
    let document: Value = ground.relay.get("/openapi.json").await.json();
    for prefix in ["/api/v1/mls", "/api/v1"] {
        for (method, path) in ROUTES {
            let route = &document["paths"][format!("{prefix}{path}")][method.to_lowercase()];
            let what = format!("{method} {prefix}{path}: {route}");
            assert!(route["summary"].is_string(), "{what}");
            let ways = route["security"].as_array().unwrap();
            assert_eq!(ways.len(), 2, "{what}");
            assert!(route["responses"]["200"]["content"].is_object(), "{what}");
            assert_eq!(route["requestBody"].is_object(), method == "POST", "{what}");
        }
    }
    let schemas = document["components"]["schemas"].to_string();
    for field in [
        "content_b64",
        "ratchet_tree_b64",
        "has_more",
        "key_reference",
        "member_count",
    ] {
        assert!(schemas.contains(field), "{field}");
    }
}
