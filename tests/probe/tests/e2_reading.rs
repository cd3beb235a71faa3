//! E2: what an extension hides is hidden by every way out, before limits and counts, and asked again after AUTH.

use trellis_test_support::probe::{self, calls, wait_for_calls};
use trellis_test_support::{Author, Client, Event, Relay, Reply, json, now, trellis_probe, wait};

async fn start(hooks: &[&str], more: &str) -> (Relay, Client) {
    let relay = trellis_probe!()
        .config(&probe::table(hooks, more))
        .start()
        .await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

/// Everything but EVENTs of this subscription may have come.
fn assert_no_event(client: &Client, sub: &str) {
    let of_sub = |reply: &&Reply| matches!(reply, Reply::Event(of, _) if of == sub);
    assert_eq!(client.unread().find(of_sub), None);
}

/// What others were told OK for has met this client's subscriptions once a REQ of its own is answered.
async fn caught_up(client: &mut Client) {
    client.assert_alive().await;
}

async fn count(client: &mut Client, filter: trellis_test_support::Value) -> u64 {
    let body = client.count(&[filter]).await.expect("a count");
    body["count"].as_u64().expect("a number")
}

#[tokio::test]
async fn e2_deliver_hides_before_limits_and_counts() {
    let (_relay, mut client) = start(&["deliver"], "").await;
    let author = Author::new();
    let draft = |second: u64| {
        author
            .draft(7000)
            .at(1_700_000_000 + second)
            .tag(&["t", "x"])
    };
    let shown: Vec<Event> = (0..10).map(|i| draft(2 * i).sign()).collect();
    let hidden: Vec<Event> = (0..10)
        .map(|i| draft(2 * i + 1).probe("deliver", "no").sign())
        .collect();
    client.store_all(&shown).await;
    client.store_all(&hidden).await;
    let newest: Vec<Event> = shown.iter().rev().take(5).cloned().collect();
    for filter in [
        json!({"kinds": [7000], "limit": 5}),
        json!({"authors": [author.pubkey()], "limit": 5}),
        json!({"#t": ["x"], "limit": 5}),
        json!({"limit": 5}),
    ] {
        assert_eq!(client.query(filter.clone()).await, newest, "{filter}");
    }
    let ids: Vec<String> = hidden.iter().map(|event| event.id.to_hex()).collect();
    assert_eq!(client.query(json!({"ids": ids})).await, []);
    assert_eq!(count(&mut client, json!({"kinds": [7000]})).await, 10);
    assert_eq!(count(&mut client, json!({"ids": ids})).await, 0);
    assert_eq!(
        count(&mut client, json!({"#t": ["x"], "since": 1_700_000_010})).await,
        5
    );
    let mut own = client;
    own.login(&author).await;
    assert_eq!(count(&mut own, json!({"kinds": [7000]})).await, 20);
    assert_eq!(own.query(json!({"ids": ids})).await.len(), 10);
}

#[tokio::test]
async fn e2_counts_of_kinds_that_nobody_guards_ask_no_hook() {
    let (relay, mut client) = start(&["deliver"], "").await;
    let author = Author::new();
    client.store_all(&author.notes(30)).await;
    client.store(&author.draft(7000).sign()).await;
    assert_eq!(count(&mut client, json!({"kinds": [1]})).await, 30);
    assert_eq!(calls(&relay, "deliver").await, 0);
    assert_eq!(count(&mut client, json!({"kinds": [1, 7000]})).await, 31);
    assert_eq!(calls(&relay, "deliver").await, 1);
    assert_eq!(
        count(&mut client, json!({"authors": [author.pubkey()]})).await,
        31
    );
    assert_eq!(calls(&relay, "deliver").await, 2);
}

#[tokio::test]
async fn e2_reconciling_and_counting_all_kinds_ask_about_guarded_events_alone() {
    let (relay, mut client) = start(&["deliver"], "").await;
    let author = Author::new();
    let second = |n: u64| 1_700_000_000 + n;
    let notes: Vec<Event> = (0..20)
        .map(|n| author.draft(1).at(second(2 * n)).sign())
        .collect();
    let shown = author.draft(7000).at(second(7)).sign();
    let hidden = author
        .draft(7000)
        .at(second(9))
        .probe("deliver", "no")
        .sign();
    let soon = (now() + 6).to_string();
    let passing = author.draft(1).tag(&["expiration", &soon]).sign();
    let deletion = author.draft(5).tag(&["e", &notes[3].id.to_hex()]).sign();
    client.store_all(&notes).await;
    let rest = [shown.clone(), hidden.clone(), passing.clone(), deletion];
    client.store_all(&rest).await;
    wait::until("the expiration", async || {
        (count(&mut client, json!({})).await == 21).then_some(())
    })
    .await;
    let called = calls(&relay, "deliver").await;
    let all_ids = "6100000200";
    let open = json!(["NEG-OPEN", "n", {}, all_ids]);
    let (verb, said) = client.reconcile(open).await;
    assert_eq!(verb, "NEG-MSG", "{said:?}");
    let said = said[0].as_str().expect("hex");
    for event in notes.iter().chain(&rest) {
        let is_gone = [notes[3].id, hidden.id, passing.id].contains(&event.id);
        assert_eq!(said.contains(&event.id.to_hex()), !is_gone, "{event:?}");
    }
    // Three events to seal the set, a deletion among them, and the two that are told of once more before they are.
    assert_eq!(calls(&relay, "deliver").await - called, 5);
    assert_eq!(count(&mut client, json!({"limit": 1})).await, 21);
    assert_eq!(calls(&relay, "deliver").await - called, 8);
}

#[tokio::test]
async fn e2_request_narrows_stored_live_and_counted_alike() {
    let (_relay, mut client) = start(&["request"], "always = { request = \"narrow\" }").await;
    let author = Author::new();
    let open = author
        .draft(7000)
        .at(1_700_000_000)
        .tag(&["t", "open"])
        .sign();
    let shut = author
        .draft(7000)
        .at(1_700_000_001)
        .tag(&["t", "shut"])
        .sign();
    client.store(&open).await;
    client.store(&shut).await;
    assert_eq!(
        client.query(json!({"kinds": [7000]})).await,
        std::slice::from_ref(&open)
    );
    assert_eq!(
        client.query(json!({"kinds": [7000], "#t": ["shut"]})).await,
        []
    );
    assert_eq!(
        client.query(json!({"kinds": [7000], "limit": 1})).await,
        [open]
    );
    assert_eq!(count(&mut client, json!({"kinds": [7000]})).await, 1);
    assert_eq!(
        count(&mut client, json!({"kinds": [7000], "#t": ["shut"]})).await,
        0
    );
    // Each filter of a message is narrowed by itself: the second is none of the probe's.
    let note = author.draft(1).at(1_700_000_002).sign();
    client.store(&note).await;
    let two = [
        json!({"kinds": [7000], "#t": ["shut"]}),
        json!({"kinds": [1]}),
    ];
    assert_eq!(client.ask(&two).await, Ok(vec![note]));

    client
        .subscribe("live", &[json!({"kinds": [7000], "limit": 0})])
        .await;
    assert_eq!(
        client.stored("live").await,
        Ok(vec![]),
        "limit 0 is narrowed as well"
    );
    let shut = author.draft(7000).tag(&["t", "shut"]).sign();
    let open = author.draft(7000).tag(&["t", "open"]).sign();
    client.store(&shut).await;
    client.store(&open).await;
    assert_eq!(
        client.next_event("live").await,
        open,
        "live follows the narrowed filter"
    );
}

#[tokio::test]
async fn e2_after_auth_a_subscription_opened_before_gets_what_it_was_denied() {
    let (relay, mut client) = start(&["request"], "always = { request = \"narrow\" }").await;
    let filter = [json!({"kinds": [7000], "limit": 0})];
    client.subscribe("s", &filter).await;
    assert_eq!(client.stored("s").await, Ok(vec![]));
    let author = Author::new();
    let mut publisher = Client::connect(&relay).await;
    let denied = author
        .draft(7000)
        .tag(&["t", "shut"])
        .content("before")
        .sign();
    publisher.store(&denied).await;
    caught_up(&mut client).await;
    client.login(&author).await;
    let given = author
        .draft(7000)
        .tag(&["t", "shut"])
        .content("after")
        .sign();
    publisher.store(&given).await;
    assert_eq!(client.next_event("s").await, given);
    assert_no_event(&client, "s");
}

#[tokio::test]
async fn e2_after_auth_deliver_is_asked_with_the_new_key() {
    let (relay, mut client) = start(&["deliver"], "").await;
    let author = Author::new();
    client.subscribe("s", &[json!({"kinds": [7000]})]).await;
    assert_eq!(client.stored("s").await, Ok(vec![]));
    let mut publisher = Client::connect(&relay).await;
    let draft = || author.draft(7000).probe("deliver", "no");
    publisher.store(&draft().content("before").sign()).await;
    caught_up(&mut client).await;
    client.login(&author).await;
    let after = draft().content("after").sign();
    publisher.store(&after).await;
    assert_eq!(client.next_event("s").await, after);
    assert_no_event(&client, "s");
}

#[tokio::test]
async fn e2_after_auth_async_hooks_load_again_before_ok_is_said() {
    let (relay, mut client) = start(
        &["request_async", "deliver"],
        "always = { deliver = \"loaded\" }",
    )
    .await;
    let author = Author::new();
    client.subscribe("a", &[json!({"kinds": [7000]})]).await;
    client.subscribe("b", &[json!({"kinds": [1]})]).await;
    for sub in ["a", "b"] {
        assert_eq!(client.stored(sub).await, Ok(vec![]));
    }
    let mut publisher = Client::connect(&relay).await;
    publisher
        .store(&author.draft(7000).content("not loaded").sign())
        .await;
    caught_up(&mut client).await;
    assert_eq!(calls(&relay, "request_async").await, 1);
    client.login(&author).await;
    assert_eq!(
        calls(&relay, "request_async").await,
        2,
        "for the subscription that it guards"
    );
    let event = author.draft(7000).content("loaded").sign();
    publisher.store(&event).await;
    assert_eq!(client.next_event("a").await, event);
    assert_no_event(&client, "a");
}

#[tokio::test]
async fn e2_after_auth_a_subscription_may_be_closed() {
    let (relay, mut client) = start(&["request_async"], "").await;
    let author = Author::new();
    let wait = json!({"kinds": [7000], "#x": ["request_async wait"]});
    probe::release(&relay).await;
    client.subscribe("s", std::slice::from_ref(&wait)).await;
    assert_eq!(client.stored("s").await, Ok(vec![]));
    // Switched to a table by which the same filter is refused.
    let config = probe::table(&["request"], "always = { request = \"no\" }");
    relay.write_config(&config);
    relay.hang_up();
    assert_eq!(client.closed("s").await, "restricted: closed by the probe");
    client.login(&author).await;
    client.assert_alive().await;
}

#[tokio::test]
async fn e2_a_long_stored_query_shows_what_its_viewer_may_see_when_it_is_sent() {
    let (_relay, mut client) = start(&["deliver"], "").await;
    let author = Author::new();
    let events: Vec<Event> = (0..1_500_u64)
        .map(|i| {
            let draft = author.draft(7000).at(1_700_000_000 + i);
            let draft = match i % 3 {
                0 => draft.probe("deliver", "no"),
                _ => draft,
            };
            draft.sign()
        })
        .collect();
    client.store_all(&events).await;
    assert_eq!(
        client
            .query(json!({"kinds": [7000], "limit": 5000}))
            .await
            .len(),
        1_000
    );
    assert_eq!(count(&mut client, json!({"kinds": [7000]})).await, 1_000);
    client.login(&author).await;
    assert_eq!(count(&mut client, json!({"kinds": [7000]})).await, 1_500);
}

#[tokio::test]
async fn e2_extensions_that_change_are_asked_about_open_subscriptions() {
    let (relay, mut client) = start(&[], "").await;
    let author = Author::new();
    client.subscribe("s", &[json!({"kinds": [7000]})]).await;
    assert_eq!(client.stored("s").await, Ok(vec![]));
    relay.write_config(&probe::table(
        &["request_async", "deliver"],
        "always = { deliver = \"loaded\" }",
    ));
    relay.hang_up();
    wait_for_calls(&relay, "request_async", 1).await;
    client
        .store(&author.draft(7000).content("hidden").sign())
        .await;
    client.login(&author).await;
    let shown = author.draft(7000).content("shown").sign();
    client.store(&shown).await;
    assert_eq!(client.next_event("s").await, shown);
}
