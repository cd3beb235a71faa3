//! C10: the relay management API (NIP-86), with NIP-98, as the operator's client uses it.

use trellis_test_support::http::{self, relay_information};
use trellis_test_support::management::{RPC, call, problem};
use trellis_test_support::{Author, Client, Setup, json, trellis, wait};

fn setup(operator: &Author) -> Setup {
    let pubkey = operator.pubkey();
    trellis!().config(&format!(
        "[information]\nname = \"from the file\"\npubkey = \"{pubkey}\""
    ))
}

#[tokio::test]
async fn c10_management_is_for_the_operator_and_each_authorization_for_one_call() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let body = r#"{"method":"stats","params":[]}"#;
    let post = async |headers: &[(&str, &str)]| {
        let mut all = vec![("Content-Type", RPC)];
        all.extend_from_slice(headers);
        http::post(&relay, "/", &all, body).await.status
    };
    let url = relay.ws_url();
    assert_eq!(post(&[]).await, 401, "no authorization");
    assert_eq!(post(&[("Authorization", "Bearer x")]).await, 401);
    assert_eq!(post(&[("Authorization", "Nostr bm90aGluZw==")]).await, 401);
    for (method, url, covered) in [
        ("GET", url.as_str(), body),
        ("POST", "https://other.example.com", body),
        ("POST", url.as_str(), "another body"),
    ] {
        let wrong = operator.authorization(method, url, covered);
        assert_eq!(
            post(&[("Authorization", &wrong)]).await,
            401,
            "{method} {url}"
        );
    }
    let stranger = Author::new().authorization("POST", &url, body);
    assert_eq!(post(&[("Authorization", &stranger)]).await, 403);
    let good = operator.authorization("POST", &url, body);
    assert_eq!(post(&[("Authorization", &good)]).await, 200);
    assert_eq!(post(&[("Authorization", &good)]).await, 401, "replayed");
}

#[tokio::test]
async fn c10_management_names_its_methods_and_what_is_wrong_with_a_call() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let methods = call(&relay, &operator, "supportedmethods", json!([])).await;
    for method in [
        "supportedmethods",
        "banpubkey",
        "unbanpubkey",
        "listbannedpubkeys",
        "allowpubkey",
        "unallowpubkey",
        "listallowedpubkeys",
        "listeventsneedingmoderation",
        "allowevent",
        "banevent",
        "listbannedevents",
        "changerelayname",
        "changerelaydescription",
        "changerelayicon",
        "allowkind",
        "disallowkind",
        "listallowedkinds",
        "blockip",
        "unblockip",
        "listblockedips",
        "stats",
        "changerelaymode",
    ] {
        let named = methods.as_array().expect("a list").contains(&json!(method));
        assert!(named, "{method} is not in {methods}");
    }
    for (method, params, words) in [
        ("banpubkey", json!([]), "[pubkey, reason]; 0 were given"),
        ("banpubkey", json!(["alice"]), "npub1"),
        ("banevent", json!(["abc"]), "64 hex digits"),
        ("allowkind", json!(["text"]), "0 to 65535"),
        ("blockip", json!(["example.com"]), "CIDR"),
        (
            "changerelayicon",
            json!(["javascript:alert(1)"]),
            "http or https",
        ),
        ("changerelaymode", json!(["asleep"]), "read_only"),
        ("changemaintenance", json!([200, 100]), "after the first"),
        ("createrole", json!([]), "supportedmethods"),
    ] {
        let said = problem(&relay, &operator, method, params).await;
        assert!(said.contains(words), "{method}: {said}");
    }
    let own_key = relay_information(&relay).await["self"].clone();
    let said = problem(&relay, &operator, "banpubkey", json!([own_key])).await;
    assert!(said.contains("the relay's own"), "{said}");
}

#[tokio::test]
async fn c10_management_bans_people_removes_their_events_and_ends_their_reading() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let (bad, good) = (Author::new(), Author::new());
    let mut client = Client::connect(&relay).await;
    client.store_all(&bad.notes(300)).await;
    let kept = good.note("kept");
    client.store(&kept).await;
    let mut reader = Client::connect(&relay).await;
    reader.login(&bad).await;
    reader
        .subscribe("s", &[json!({"kinds": [1], "limit": 0})])
        .await;
    assert_eq!(reader.stored("s").await, Ok(vec![]));

    let banned = call(
        &relay,
        &operator,
        "banpubkey",
        json!([bad.pubkey(), "spam"]),
    )
    .await;
    assert_eq!(banned, json!(true));
    let verdict = client.publish(&bad.note("once more")).await;
    verdict.assert_refused("blocked:", "not allowed");
    let reason = reader.closed("s").await;
    assert!(reason.starts_with("restricted:"), "{reason}");
    let refused = reader.ask(&[json!({"kinds": [1]})]).await;
    assert!(refused.is_err_and(|reason| reason.starts_with("restricted:")));
    wait::until("the removal", async || {
        let left = client.query_ids(json!({"kinds": [1]})).await;
        (left == [kept.id.to_hex()]).then_some(())
    })
    .await;
    let list = call(&relay, &operator, "listbannedpubkeys", json!([])).await;
    assert_eq!(list, json!([{"pubkey": bad.pubkey(), "reason": "spam"}]));

    call(&relay, &operator, "unbanpubkey", json!([bad.pubkey()])).await;
    client.store(&bad.note("better")).await;
    assert!(reader.ask(&[json!({"kinds": [1]})]).await.is_ok());
    let list = call(&relay, &operator, "listbannedpubkeys", json!([])).await;
    assert_eq!(list, json!([]));
}

#[tokio::test]
async fn c10_management_allows_people_and_others_are_kept_out() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let (member, stranger) = (Author::new(), Author::new());
    let mut client = Client::connect(&relay).await;
    let allow = json!([member.npub(), "a member"]);
    call(&relay, &operator, "allowpubkey", allow).await;
    client.store(&member.note("in")).await;
    let verdict = client.publish(&stranger.note("out")).await;
    verdict.assert_refused("blocked:", "not allowed");
    assert_eq!(
        client.query(json!({"kinds": [1]})).await.len(),
        1,
        "all may read"
    );
    let limits = relay_information(&relay).await["limitation"].clone();
    assert_eq!(limits["restricted_writes"], true);
    let list = call(&relay, &operator, "listallowedpubkeys", json!([])).await;
    assert_eq!(
        list,
        json!([{"pubkey": member.pubkey(), "reason": "a member"}])
    );
    // Whom the list allows, a ban still keeps out.
    call(&relay, &operator, "banpubkey", json!([member.pubkey()])).await;
    assert!(!client.publish(&member.note("banned")).await.accepted);
    call(&relay, &operator, "unbanpubkey", json!([member.pubkey()])).await;
    client
        .store(&stranger.note("an empty list keeps nobody out"))
        .await;
}

#[tokio::test]
async fn c10_management_removes_an_event_for_good_and_can_allow_it_again() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let mut client = Client::connect(&relay).await;
    let event = Author::new().note("bad");
    client.store(&event).await;
    let id = event.id.to_hex();
    call(&relay, &operator, "banevent", json!([id, "illegal"])).await;
    assert!(client.query(json!({"ids": [id]})).await.is_empty());
    client
        .publish(&event)
        .await
        .assert_refused("blocked:", "operator");
    let list = call(&relay, &operator, "listbannedevents", json!([])).await;
    assert_eq!(list, json!([{"id": id, "reason": "illegal"}]));
    call(&relay, &operator, "allowevent", json!([id])).await;
    client.store(&event).await;
}

#[tokio::test]
async fn c10_management_lists_what_was_reported_until_it_is_decided() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let (good, bad) = (author.note("good"), author.note("bad"));
    client.store_all(&[good.clone(), bad.clone()]).await;
    let report = |id: &str, kind: &str| {
        let reporter = Author::new();
        reporter
            .draft(1984)
            .tag(&["p", &author.pubkey()])
            .tag(&["e", id, kind])
            .sign()
    };
    let (good, bad) = (good.id.to_hex(), bad.id.to_hex());
    let unknown = "ab".repeat(32);
    for (id, kind) in [
        (&good, "spam"),
        (&bad, "spam"),
        (&bad, "nudity"),
        (&unknown, "spam"),
    ] {
        client.store(&report(id, kind)).await;
    }
    let mut expected = vec![
        json!({"id": good, "reason": "reported once: spam"}),
        json!({"id": bad, "reason": "reported 2 times: nudity, spam"}),
    ];
    expected.sort_by_key(|entry| entry["id"].to_string());
    let list = call(&relay, &operator, "listeventsneedingmoderation", json!([])).await;
    assert_eq!(list, json!(expected));
    call(&relay, &operator, "allowevent", json!([good])).await;
    call(&relay, &operator, "banevent", json!([bad])).await;
    let list = call(&relay, &operator, "listeventsneedingmoderation", json!([])).await;
    assert_eq!(list, json!([]));
}

#[tokio::test]
async fn c10_management_says_which_kinds_are_taken() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let mut takes = async |kind| client.publish(&author.draft(kind).sign()).await.accepted;
    let allowed = async || {
        let list = call(&relay, &operator, "listallowedkinds", json!([])).await;
        list.as_array().expect("a list").clone()
    };
    assert_eq!(allowed().await.len(), 65_536);
    call(&relay, &operator, "disallowkind", json!([7])).await;
    assert!(!takes(7).await && takes(1).await);
    assert_eq!(allowed().await.len(), 65_535);
    let list = call(&relay, &operator, "listdisallowedkinds", json!([])).await;
    assert_eq!(list, json!([7]));
    // To allow what is allowed keeps nothing out.
    call(&relay, &operator, "allowkind", json!([7])).await;
    call(&relay, &operator, "allowkind", json!([7])).await;
    assert!(takes(7).await && takes(1).await);
    call(&relay, &operator, "allowonlykinds", json!([1, 7])).await;
    assert!(takes(7).await && takes(1).await && !takes(6).await);
    assert_eq!(allowed().await, [json!(1), json!(7)]);
    call(&relay, &operator, "allowkind", json!([6])).await;
    call(&relay, &operator, "disallowkind", json!([1])).await;
    assert!(takes(7).await && takes(6).await && !takes(1).await);
    call(&relay, &operator, "disallowkind", json!([7])).await;
    let said = problem(&relay, &operator, "disallowkind", json!([6])).await;
    assert!(said.contains("allowonlykinds"), "{said}");
    let said = problem(&relay, &operator, "allowonlykinds", json!([])).await;
    assert!(said.contains(r#"["all"]"#), "{said}");
    call(&relay, &operator, "allowonlykinds", json!(["all"])).await;
    assert!(takes(9).await && !takes(7).await);
}

#[tokio::test]
async fn c10_management_blocks_addresses_and_never_the_operator() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let mut client = Client::connect(&relay).await;
    client.assert_alive().await;
    call(
        &relay,
        &operator,
        "blockip",
        json!(["127.0.0.0/8", "a test"]),
    )
    .await;
    assert_eq!(client.closed_by_relay().await, Some(1008));
    assert!(Client::connect_with(&relay, &[]).await.is_err(), "403");
    assert_eq!(http::get(&relay, "/", &[]).await.status, 403);
    assert_eq!(http::get(&relay, "/health", &[]).await.status, 403);
    assert_eq!(http::get(&relay, "/livez", &[]).await.status, 200);
    let list = call(&relay, &operator, "listblockedips", json!([])).await;
    assert_eq!(list, json!([{"ip": "127.0.0.0/8", "reason": "a test"}]));
    call(&relay, &operator, "unblockip", json!(["127.0.0.0/8"])).await;
    Client::connect(&relay).await.assert_alive().await;
}

#[tokio::test]
async fn c10_management_renames_the_relay_and_an_empty_name_returns_to_the_file() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    call(&relay, &operator, "changerelayname", json!(["by hand"])).await;
    call(
        &relay,
        &operator,
        "changerelaydescription",
        json!(["<b>new</b>"]),
    )
    .await;
    let icon = "https://relay.example.com/icon.png";
    call(&relay, &operator, "changerelayicon", json!([icon])).await;
    let shown = relay_information(&relay).await;
    assert_eq!(shown["name"], "by hand");
    assert_eq!(shown["description"], "<b>new</b>");
    assert_eq!(shown["icon"], icon);
    assert!(http::get(&relay, "/", &[]).await.body.contains("by hand"));
    let (_, setup) = relay.stop().await;
    let relay = setup.start().await;
    assert_eq!(relay_information(&relay).await["name"], "by hand");
    call(&relay, &operator, "changerelayname", json!([""])).await;
    assert_eq!(relay_information(&relay).await["name"], "from the file");
}

#[tokio::test]
async fn c10_management_tells_how_the_relay_does() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let mut client = Client::connect(&relay).await;
    client.store_all(&Author::new().notes(3)).await;
    let stats = call(&relay, &operator, "stats", json!([])).await;
    assert_eq!(stats["events"], 3, "{stats}");
    assert_eq!(stats["connections"], 1, "{stats}");
}
