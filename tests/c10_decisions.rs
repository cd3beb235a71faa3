//! C10: what a decision of the operator (NIP-86) that was answered `true` means from then on, for what is under way too.

use trellis_test_support::author::now;
use trellis_test_support::http;
use trellis_test_support::management::{RPC, call};
use trellis_test_support::{Author, Client, Front, Relay, Setup, json, trellis, wait};

fn setup(operator: &Author) -> Setup {
    let pubkey = operator.pubkey();
    trellis!().config(&format!("[information]\npubkey = \"{pubkey}\""))
}

async fn until_all_is_purged(relay: &Relay, operator: &Author) {
    wait::until("the end of all removals", async || {
        let stats = call(relay, operator, "stats", json!([])).await;
        (stats["banned_pubkeys_to_purge"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn c10_a_ban_that_is_taken_back_removes_nothing_more() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let mut client = Client::connect(&relay).await;
    let other = Author::new();
    let mut was_stopped = false;
    // A purge may be at its end before the second call; not each time.
    for _ in 0..5 {
        let author = Author::new();
        client.store_all(&author.notes(2_000)).await;
        let of_author = [json!({"authors": [author.pubkey()]})];
        call(&relay, &operator, "banpubkey", json!([author.pubkey()])).await;
        call(&relay, &operator, "unbanpubkey", json!([author.pubkey()])).await;
        let left = client.count(&of_author).await;
        // Bans are carried out one after the other, so that the end of another one is the end of this one.
        call(&relay, &operator, "banpubkey", json!([other.pubkey()])).await;
        until_all_is_purged(&relay, &operator).await;
        assert_eq!(client.count(&of_author).await, left);
        call(&relay, &operator, "unbanpubkey", json!([other.pubkey()])).await;
        was_stopped |= left.is_ok_and(|left| left["count"] != 0);
        // Who is banned again is purged again, of what came meanwhile, too.
        client.store(&author.note("once more")).await;
        call(&relay, &operator, "banpubkey", json!([author.pubkey()])).await;
        until_all_is_purged(&relay, &operator).await;
        let left = client.count(&of_author).await;
        assert_eq!(left.map(|left| left["count"].clone()), Ok(json!(0)));
        if was_stopped {
            return;
        }
    }
    panic!("no purge was caught on its way");
}

#[tokio::test]
async fn c10_a_blocked_address_is_not_let_in_by_the_content_type_of_a_call() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    call(&relay, &operator, "blockip", json!(["127.0.0.0/8"])).await;
    let header = [("Content-Type", RPC)];
    for path in ["/", "/health", "/status", "/metrics"] {
        let status = http::get(&relay, path, &header).await.status;
        assert_eq!(status, 403, "GET {path}");
        if path != "/" {
            let status = http::post(&relay, path, &header, "{}").await.status;
            assert_eq!(status, 403, "POST {path}");
        }
    }
    assert!(Client::connect_with(&relay, &header).await.is_err());
    assert_eq!(http::post(&relay, "/", &header, "{}").await.status, 401);
    call(&relay, &operator, "unblockip", json!(["127.0.0.0/8"])).await;
}

#[tokio::test]
async fn c10_an_import_brings_in_nothing_that_is_banned() {
    let operator = Author::new();
    let relay = setup(&operator).front(Front::Server).start().await;
    let (banned, author) = (Author::new(), Author::new());
    let (unwanted, good) = (author.note("unwanted"), author.note("good"));
    for (method, params) in [
        ("banpubkey", json!([banned.pubkey()])),
        ("banevent", json!([unwanted.id.to_hex()])),
        ("disallowkind", json!([7])),
        ("changerelaymode", json!(["read_only"])),
    ] {
        call(&relay, &operator, method, params).await;
    }
    let kind = author.draft(7).sign();
    let events = [banned.note("banned"), unwanted, kind, good.clone()];
    let input: String = events
        .iter()
        .map(|event| format!("{}\n", event.as_json()))
        .collect();
    let file = relay.setup().config_file().display().to_string();
    let import = ["import", "-c", &file, "-"];
    let check = |done: trellis_test_support::Output, words: &str| {
        let stdout = &done.assert_success().stdout;
        assert!(stdout.contains(words), "{}", done.text());
        for line in ["line 1: blocked", "line 2: blocked", "line 3: blocked"] {
            assert!(done.stderr.contains(line), "{}", done.text());
        }
    };
    let running = relay.setup().run_with_input(&import, &input).await;
    check(running, "1 stored");
    let (_, setup) = relay.stop().await;
    let stopped = setup.run_with_input(&import, &input).await;
    check(stopped, "0 stored, 1 had before");
}

#[tokio::test]
async fn c10_an_authorization_is_good_for_no_second_call_after_a_restart() {
    const URL: &str = "wss://relay.example.com";
    let operator = Author::new();
    let network = format!("[network]\nrelay_url = \"{URL}\"\n");
    let pubkey = operator.pubkey();
    let information = format!("[information]\npubkey = \"{pubkey}\"\n");
    let setup = trellis!().config(&(network + &information));
    let relay = setup.start().await;
    let body = r#"{"method":"banpubkey","params":["PUBKEY"]}"#;
    let body = body.replace("PUBKEY", &Author::new().pubkey());
    let signed_at = now();
    let old = operator.authorization("POST", URL, &body);
    let post = async |relay: &Relay, authorization: &str| {
        let headers = [("Content-Type", RPC), ("Authorization", authorization)];
        http::post(relay, "/", &headers, &body).await
    };
    assert_eq!(post(&relay, &old).await.status, 200);
    let (_, setup) = relay.stop().await;
    wait::until("a later second", async || {
        (now() > signed_at + 1).then_some(())
    })
    .await;
    let relay = setup.start().await;
    let refused = post(&relay, &old).await;
    assert_eq!(refused.status, 401);
    assert!(
        refused.body.contains("older than the start"),
        "{}",
        refused.body
    );
    let new = operator.authorization("POST", URL, &body);
    assert_eq!(post(&relay, &new).await.status, 200);
}
