//! C10, C28: a decision that was answered holds for events that an extension is still thinking about.

use trellis_test_support::management::call;
use trellis_test_support::{Author, Client, Relay, json, probe, trellis_probe};

async fn start(operator: &Author) -> Relay {
    let information = format!("[information]\npubkey = \"{}\"\n", operator.pubkey());
    let table = probe::table(&["admit_async"], "");
    trellis_probe!()
        .config(&format!("{information}{table}"))
        .start()
        .await
}

#[tokio::test]
async fn c10_bans_and_kinds_hold_for_what_is_thought_about() {
    let operator = Author::new();
    let relay = start(&operator).await;
    let mut client = Client::connect(&relay).await;
    let (banned, author) = (Author::new(), Author::new());
    let wait = |author: &Author, kind| author.draft(kind).probe("admit_async", "wait").sign();
    let refused = [
        wait(&banned, 7000),
        wait(&banned, 20_000),
        wait(&author, 7001),
        wait(&author, 20_001),
        wait(&author, 7002),
    ];
    let taken = [wait(&author, 7000), wait(&author, 20_000)];
    for event in refused.iter().chain(&taken) {
        client.send_event(event).await;
    }
    probe::wait_for_calls(&relay, "admit_async", 7).await;
    for (method, params) in [
        ("banpubkey", json!([banned.pubkey()])),
        ("disallowkind", json!([7001])),
        ("disallowkind", json!([20_001])),
        ("banevent", json!([refused[4].id.to_hex()])),
    ] {
        call(&relay, &operator, method, params).await;
    }
    probe::release(&relay).await;
    for event in &refused {
        let verdict = client.verdict(&event.id.to_hex()).await;
        verdict.assert_refused("blocked:", "");
    }
    for event in &taken {
        assert!(client.verdict(&event.id.to_hex()).await.accepted);
    }
}

#[tokio::test]
async fn c28_read_only_holds_for_what_is_thought_about() {
    let operator = Author::new();
    let relay = start(&operator).await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let events = [7000, 20_000].map(|kind| author.draft(kind).probe("admit_async", "wait").sign());
    for event in &events {
        client.send_event(event).await;
    }
    probe::wait_for_calls(&relay, "admit_async", 2).await;
    call(&relay, &operator, "changerelaymode", json!(["read_only"])).await;
    probe::release(&relay).await;
    for event in &events {
        let verdict = client.verdict(&event.id.to_hex()).await;
        verdict.assert_refused("blocked:", "maintenance");
    }
}
