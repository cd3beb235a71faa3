//! L3 with the groups that come with the relay: who is a member at this moment gets a token, and nobody else.
//!
//! LiveKit is not there, so whoever would get a token hears of that; what a token is good for is shown with a real one elsewhere.

#![cfg(all(feature = "groups", feature = "livekit_token"))]

use trellis_test_support::{Author, Client, Event, Front, Relay, http, json, trellis, wait};

const TABLES: &str = r#"
[extensions.groups]
[extensions.livekit_token]
livekit_url = "ws://127.0.0.1:9"
livekit_api_key = "key"
communities = false
rate_limit_tokens_per_pubkey = 1000000
rate_limit_tokens_per_ip = 1000000
"#;

/// What the relay says to somebody who wants a token for a call.
async fn ask(relay: &Relay, who: &Author, call: &Event) -> String {
    let draft = who.draft(20_002).tag(&["h", "pizza"]);
    let event = draft.tag(&["e", &call.id.to_hex(), "", "root"]).sign();
    let body = json!({"event": event}).to_string();
    let url = format!("{}/token/group", relay.http_url());
    let authorization = who.authorization("POST", &url, &body);
    let headers = [
        ("Authorization", &*authorization),
        ("Content-Type", "application/json"),
    ];
    let answer = http::post(relay, "/token/group", &headers, &body).await;
    let code = answer.json()["error"]["code"].as_str().map(str::to_owned);
    code.unwrap_or_else(|| panic!("no error: {}", answer.body))
}

#[tokio::test]
async fn l3_members_are_those_of_the_relays_own_groups() {
    let setup = trellis!().front(Front::Server).config(TABLES);
    let relay = setup.env("LIVEKIT_API_SECRET", "secret").start().await;
    let (admin, member) = (Author::new(), Author::new());
    let mut client = Client::connect(&relay).await;
    client.login(&admin).await;
    let draft = |kind: u16| admin.draft(kind).tag(&["h", "pizza"]);
    client.store(&draft(9007).sign()).await;
    let edit = draft(9002).tag(&["name", "Pizza"]).tag(&["private"]);
    client.store(&edit.tag(&["livekit"]).sign()).await;
    let call = draft(1020).sign();
    client.store(&call).await;
    // Past the members there is only LiveKit, which is not there.
    wait::until("the founder to be a member", async || {
        (ask(&relay, &admin, &call).await == "LIVEKIT_UNAVAILABLE").then_some(())
    })
    .await;
    assert_eq!(ask(&relay, &member, &call).await, "NOT_GROUP_MEMBER");
    client
        .store(&draft(9000).tag(&["p", &member.pubkey()]).sign())
        .await;
    // Memory learns of what is granted a moment after the commit.
    wait::until("the member to be one", async || {
        (ask(&relay, &member, &call).await == "LIVEKIT_UNAVAILABLE").then_some(())
    })
    .await;
    client
        .store(&draft(9001).tag(&["p", &member.pubkey()]).sign())
        .await;
    assert_eq!(ask(&relay, &member, &call).await, "NOT_GROUP_MEMBER");
    let here = http::get(&relay, "/.well-known/nip29/livekit", &[]).await;
    assert_eq!(here.status, 204);
}
