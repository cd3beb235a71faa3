//! C15: lists of who may read and write that change while the relay runs, and survive what a relay has to survive.

use trellis_test_support::management::{call, problem};
use trellis_test_support::{Author, Client, Relay, Setup, json, trellis, wait};

fn setup(operator: &Author, more: &str) -> Setup {
    let pubkey = operator.pubkey();
    trellis!().config(&format!("[information]\npubkey = \"{pubkey}\"\n{more}"))
}

async fn takes(relay: &Relay, author: &Author) -> bool {
    let mut client = Client::connect(relay).await;
    let note = author
        .draft(1)
        .content(&trellis_test_support::author::unique("note"));
    client.publish(&note.sign()).await.accepted
}

#[tokio::test]
async fn c15_lists_survive_kill_9_from_the_answer_on() {
    let operator = Author::new();
    let mut relay = setup(&operator, "").start().await;
    let (bad, good) = (Author::new(), Author::new());
    // Killed right after each answer, with nothing done in between.
    for round in 0..3 {
        let ban = if round % 2 == 0 {
            "banpubkey"
        } else {
            "unbanpubkey"
        };
        call(&relay, &operator, ban, json!([bad.pubkey()])).await;
        relay = relay.kill().start().await;
        assert_eq!(takes(&relay, &bad).await, round % 2 == 1, "{ban}");
        assert!(takes(&relay, &good).await);
    }
    let event = good.note("to be banned");
    call(
        &relay,
        &operator,
        "banevent",
        json!([event.id.to_hex(), "why"]),
    )
    .await;
    call(&relay, &operator, "disallowkind", json!([7])).await;
    call(&relay, &operator, "changerelayname", json!(["still here"])).await;
    let relay = relay.kill().start().await;
    let mut client = Client::connect(&relay).await;
    assert!(!client.publish(&event).await.accepted);
    assert!(!client.publish(&good.draft(7).sign()).await.accepted);
    let shown = trellis_test_support::http::relay_information(&relay).await;
    assert_eq!(shown["name"], "still here");
}

#[tokio::test]
async fn c15_events_of_the_banned_are_removed_after_a_crash_too() {
    let operator = Author::new();
    let relay = setup(&operator, "").start().await;
    let bad = Author::new();
    let mut client = Client::connect(&relay).await;
    client.store_all(&bad.notes(2_000)).await;
    call(&relay, &operator, "banpubkey", json!([bad.pubkey()])).await;
    let relay = relay.kill().start().await;
    let mut client = Client::connect(&relay).await;
    wait::until("the removal", async || {
        let left = client.count(&[json!({"authors": [bad.pubkey()]})]).await;
        (left == Ok(json!({"count": 0}))).then_some(())
    })
    .await;
    let stats = wait::until("the end of the purge", async || {
        let stats = call(&relay, &operator, "stats", json!([])).await;
        (stats["banned_pubkeys_to_purge"] == 0).then_some(stats)
    })
    .await;
    assert_eq!(stats["banned_pubkeys"], 1);
}

#[tokio::test]
async fn c15_lists_at_run_time_add_to_those_of_the_file_and_bans_beat_both() {
    let operator = Author::new();
    let (listed, added, stranger) = (Author::new(), Author::new(), Author::new());
    let file = format!(
        "[auth]\nevent.event_pubkey_whitelist = [\"{0}\"]\nreq.pubkey_whitelist = [\"{0}\"]",
        listed.pubkey()
    );
    let relay = setup(&operator, &file).start().await;
    let mut reader = Client::connect(&relay).await;
    reader.login(&added).await;
    assert!(takes(&relay, &listed).await && !takes(&relay, &added).await);
    assert!(reader.ask(&[json!({"kinds": [1]})]).await.is_err());
    call(&relay, &operator, "allowpubkey", json!([added.pubkey()])).await;
    assert!(takes(&relay, &listed).await && takes(&relay, &added).await);
    assert!(!takes(&relay, &stranger).await);
    reader.assert_alive().await;
    call(&relay, &operator, "banpubkey", json!([listed.pubkey()])).await;
    assert!(
        !takes(&relay, &listed).await,
        "though the file lists the key"
    );
}

#[tokio::test]
async fn c15_lists_are_bounded_and_full_ones_still_forget() {
    let operator = Author::new();
    let relay = setup(&operator, "[auth]\nmax_managed_entries = 2")
        .start()
        .await;
    let people = [Author::new(), Author::new(), Author::new()];
    call(&relay, &operator, "banpubkey", json!([people[0].pubkey()])).await;
    call(&relay, &operator, "blockip", json!(["192.0.2.1"])).await;
    let said = problem(&relay, &operator, "banpubkey", json!([people[1].pubkey()])).await;
    assert!(said.contains("auth.max_managed_entries"), "{said}");
    assert!(
        takes(&relay, &people[1]).await,
        "a refused ban has no effect"
    );
    call(&relay, &operator, "unblockip", json!(["192.0.2.1"])).await;
    call(&relay, &operator, "banpubkey", json!([people[1].pubkey()])).await;
    assert!(!takes(&relay, &people[1]).await);
}

/// Reading it takes a time that grows with the list, and not with its square, or the relay would not be up in time.
#[tokio::test]
async fn c15_a_hundred_thousand_keys_stand_in_a_file() {
    let (banned, other) = (Author::new(), Author::new());
    let keys: Vec<String> = (1..100_000_u32).map(|n| format!("\"{n:064x}\"")).collect();
    let relay = trellis!()
        .config(&format!(
            "[auth.event]\nevent_pubkey_blacklist = [\n{},\n\"{}\"]",
            keys.join(",\n"),
            banned.pubkey()
        ))
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let verdict = client.publish(&banned.note("no")).await;
    verdict.assert_refused("blocked:", "not allowed");
    client.store(&other.note("yes")).await;
}
