//! E1: the hooks that an event meets on its way in, seen from outside.

use trellis_test_support::probe::{self, calls, changes, rows, wait_for_calls, wait_for_change};
use trellis_test_support::{Author, Client, Event, Relay, Reply, json, trellis_probe};

async fn start(hooks: &[&str], more: &str) -> (Relay, Client) {
    let relay = trellis_probe!()
        .config(&probe::table(hooks, more))
        .start()
        .await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn e1_admit_accepts_refuses_or_takes_silently() {
    let (relay, mut client) = start(&["admit"], "").await;
    let author = Author::new();
    let good = author.draft(7000).sign();
    client.store(&good).await;
    let bad = author.draft(7000).probe("admit", "no").sign();
    let verdict = client.publish(&bad).await;
    verdict.assert_refused("blocked:", "refused by the probe");
    let ghost = author.draft(7000).probe("admit", "shadow").sign();
    let verdict = client.publish(&ghost).await;
    assert!(
        verdict.accepted && verdict.message.is_empty(),
        "{verdict:?}"
    );
    assert_eq!(client.query(json!({"kinds": [7000]})).await, [good]);
    assert_eq!(calls(&relay, "admit").await, 3);
}

#[tokio::test]
async fn e1_a_hook_is_called_for_its_kinds_alone() {
    let (relay, mut client) = start(&["admit", "admit_async", "commit", "deliver"], "").await;
    let note = Author::new().draft(1).probe("admit", "no").sign();
    client.store(&note).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [note]);
    for hook in ["admit", "admit_async", "commit", "deliver"] {
        assert_eq!(calls(&relay, hook).await, 0, "{hook}");
    }
}

#[tokio::test]
async fn e1_a_hook_is_not_asked_about_what_the_core_refuses() {
    let (relay, mut client) = start(&["admit"], "").await;
    let expired = Author::new().draft(7000).tag(&["expiration", "5"]).sign();
    client
        .publish(&expired)
        .await
        .assert_refused("invalid:", "");
    let known = Author::new().draft(7000).sign();
    client.store(&known).await;
    client.publish(&known).await.assert_accepted();
    assert_eq!(
        calls(&relay, "admit").await,
        1,
        "a duplicate is known before"
    );
}

#[tokio::test]
async fn e1_admit_async_decides_like_admit() {
    let (relay, mut client) = start(&["admit_async"], "").await;
    let author = Author::new();
    client.store(&author.draft(7000).sign()).await;
    let bad = author.draft(7000).probe("admit_async", "no").sign();
    client.publish(&bad).await.assert_refused("blocked:", "");
    let ghost = author.draft(7000).probe("admit_async", "shadow").sign();
    client.publish(&ghost).await.assert_accepted();
    assert_eq!(client.query(json!({"kinds": [7000]})).await.len(), 1);
    assert_eq!(calls(&relay, "admit_async").await, 3);
}

#[tokio::test]
async fn e1_events_of_a_connection_keep_their_order_while_admit_async_thinks() {
    let (relay, mut client) = start(&["admit_async", "stored"], "").await;
    let author = Author::new();
    let slow = author.draft(7000).probe("admit_async", "wait").sign();
    let quick = author.draft(7001).sign();
    let plain = author.draft(1).sign();
    for event in [&slow, &quick, &plain] {
        client.send_event(event).await;
    }
    client
        .subscribe("after", &[json!({"kinds": [7000, 7001, 1]})])
        .await;
    // The second is thought about while the first waits.
    wait_for_calls(&relay, "admit_async", 2).await;
    let mut other = Client::connect(&relay).await;
    assert_eq!(
        other.query(json!({"kinds": [1, 7001]})).await,
        [],
        "released in order"
    );
    other.store(&author.draft(7002).sign()).await;
    probe::release(&relay).await;
    for event in [&slow, &quick, &plain] {
        let next_ok = |reply: &Reply| match reply {
            Reply::Ok(id, verdict) => Some((id.clone(), verdict.clone())),
            _ => None,
        };
        let (id, verdict) = client.wait_for("OK", next_ok).await;
        verdict.assert_accepted();
        assert_eq!(id, event.id.to_hex(), "answered in order");
    }
    for _ in 0..3 {
        // From the store or live: the REQ came after them.
        client.next_event("after").await;
    }
    wait_for_change(&relay, &format!("stored {}", quick.id)).await;
    let stored = changes(&relay).await;
    let place = |event: &Event| {
        stored
            .iter()
            .position(|it| it.ends_with(&event.id.to_hex()))
    };
    assert!(place(&slow) < place(&quick), "{stored:?}");
}

#[tokio::test]
async fn e1_commit_writes_rows_vetoes_and_sees_what_is_removed() {
    let (relay, mut client) = start(&["commit"], "").await;
    let author = Author::new();
    let kept = author.draft(7000).content("kept").sign();
    let vetoed = author.draft(7000).probe("commit", "no").sign();
    client.store(&kept).await;
    client
        .publish(&vetoed)
        .await
        .assert_refused("blocked:", "vetoed by the probe");
    assert_eq!(rows(&relay).await, [kept.id.to_hex()]);
    // Neither is a vetoed event found, nor does it count as known.
    assert_eq!(
        client.query(json!({"kinds": [7000]})).await,
        std::slice::from_ref(&kept)
    );
    client.publish(&vetoed).await.assert_refused("blocked:", "");

    let old = author.draft(10_000).at(1_700_000_000).sign();
    let new = author.draft(10_000).at(1_700_000_001).sign();
    client.store(&old).await;
    client.store(&new).await;
    let deletion = author.deletion([["e", &kept.id.to_hex()]]);
    client.store(&deletion).await;
    let mut expected = vec![new.id.to_hex(), deletion.id.to_hex()];
    expected.sort();
    assert_eq!(
        rows(&relay).await,
        expected,
        "rows go with what is replaced and deleted"
    );
}

#[tokio::test]
async fn e1_stored_tells_what_was_committed_in_order() {
    let (relay, mut client) = start(&["stored"], "").await;
    let author = Author::new();
    let first = author.draft(7000).sign();
    let second = author.draft(7001).sign();
    client.store(&first).await;
    client.store(&author.note("of another kind")).await;
    client.store(&second).await;
    let deletion = author.deletion([["e", &first.id.to_hex()]]);
    client.store(&deletion).await;
    wait_for_change(&relay, &format!("stored {}", deletion.id)).await;
    let told = changes(&relay).await;
    let place = |change: String| told.iter().position(|it| *it == change);
    let removed = place(format!("removed {}", first.id));
    let stored_second = place(format!("stored {}", second.id));
    assert!(removed.is_some() && stored_second.is_some(), "{told:?}");
    assert!(stored_second < removed, "{told:?}");
    assert!(told.len() <= 4, "{told:?}");
}

#[tokio::test]
async fn e1_stored_goes_on_after_a_restart_where_it_was() {
    let (relay, mut client) = start(&["stored"], "").await;
    let author = Author::new();
    let before = author.draft(7000).sign();
    client.store(&before).await;
    wait_for_change(&relay, &format!("stored {}", before.id)).await;
    let (status, setup) = relay.stop().await;
    assert!(status.success());
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let after = author.draft(7000).sign();
    client.store(&after).await;
    wait_for_change(&relay, &format!("stored {}", after.id)).await;
    assert_eq!(changes(&relay).await, [format!("stored {}", after.id)]);
}

#[tokio::test]
async fn e1_ephemeral_events_meet_admit_and_deliver() {
    let (_relay, mut client) = start(&["admit", "admit_async", "deliver"], "").await;
    let author = Author::new();
    client
        .subscribe("live", &[json!({"kinds": [20_000, 20_001]})])
        .await;
    assert_eq!(client.stored("live").await, Ok(vec![]));
    let refused = author.draft(20_000).probe("admit", "no").sign();
    client
        .publish(&refused)
        .await
        .assert_refused("blocked:", "");
    let refused = author.draft(20_000).probe("admit_async", "no").sign();
    client
        .publish(&refused)
        .await
        .assert_refused("blocked:", "");
    let hidden = author.draft(20_000).probe("deliver", "no").sign();
    client.store(&hidden).await;
    let ghost = author.draft(20_000).probe("admit", "shadow").sign();
    client.store(&ghost).await;
    let shown = author.draft(20_001).sign();
    client.store(&shown).await;
    assert_eq!(client.next_event("live").await, shown);
}

#[tokio::test]
async fn e1_events_that_extensions_publish_take_the_same_way() {
    let (relay, mut client) = start(&["admit", "admit_async", "commit", "stored"], "").await;
    let author = Author::new();
    client
        .subscribe("answers", &[json!({"kinds": [7099]})])
        .await;
    assert_eq!(client.stored("answers").await, Ok(vec![]));
    for hook in ["stored", "admit_async"] {
        let (admitted, committed) = (calls(&relay, "admit").await, calls(&relay, "commit").await);
        client
            .store(&author.draft(7000).probe(hook, "publish").sign())
            .await;
        let answer = client.next_event("answers").await;
        assert!(answer.content.starts_with(hook), "{answer:?}");
        assert_ne!(answer.pubkey.to_hex(), author.pubkey());
        // Its event and the answer.
        wait_for_calls(&relay, "admit", admitted + 2).await;
        wait_for_calls(&relay, "commit", committed + 2).await;
    }
}

#[tokio::test]
async fn e1_an_extension_that_publishes_from_admit_async_needs_no_second_permit() {
    let (relay, mut client) = start(&["admit_async"], "max_concurrent = 1").await;
    let event = Author::new()
        .draft(7000)
        .probe("admit_async", "publish")
        .sign();
    client.store(&event).await;
    assert_eq!(client.query(json!({"kinds": [7099]})).await.len(), 1);
    assert_eq!(probe::health(&relay, "probe").await["faults"], 0);
}

#[tokio::test]
async fn e1_extensions_that_answer_their_own_events_come_to_an_end() {
    let (relay, mut client) = start(&["stored"], "").await;
    let event = Author::new().draft(7000).probe("stored", "echo").sign();
    client.store(&event).await;
    relay.wait_for_log(0, "publishing is cut off").await;
    assert_eq!(client.query(json!({"kinds": [7099]})).await.len(), 4);
}

#[tokio::test]
async fn e1_many_events_may_be_thought_about_at_once_but_not_all() {
    let (relay, mut client) = start(&["admit_async"], "").await;
    let author = Author::new();
    let events: Vec<Event> = (0..50)
        .map(|i| {
            let draft = author.draft(7000).at(1_700_000_000 + i);
            draft.probe("admit_async", "wait").sign()
        })
        .collect();
    for event in &events {
        client.send_event(event).await;
    }
    wait_for_calls(&relay, "admit_async", 32).await;
    // Another connection has its own allowance, and by its answer the first has had its turn.
    let mut other = Client::connect(&relay).await;
    other.store(&author.draft(7001).sign()).await;
    assert_eq!(calls(&relay, "admit_async").await, 33);
    probe::release(&relay).await;
    for event in &events {
        client.verdict(&event.id.to_hex()).await.assert_accepted();
    }
}

#[tokio::test]
async fn e1_what_was_taken_from_a_client_is_stored_though_it_left() {
    let (relay, mut client) = start(&["admit_async"], "").await;
    let author = Author::new();
    let event = author.draft(7000).probe("admit_async", "wait").sign();
    client.send_event(&event).await;
    wait_for_calls(&relay, "admit_async", 1).await;
    drop(client);
    probe::release(&relay).await;
    let mut other = Client::connect(&relay).await;
    other.subscribe("s", &[json!({"kinds": [7000]})]).await;
    assert_eq!(other.next_event("s").await, event);
}

#[tokio::test]
async fn e1_an_extension_may_publish_while_it_is_built() {
    let (_relay, mut client) = start(&[], "always = { build = \"publish\" }").await;
    assert_eq!(client.query(json!({"kinds": [7099]})).await.len(), 1);
}

#[tokio::test]
async fn e1_the_relay_itself_is_known_to_the_hooks_of_others() {
    let members = "[extensions.members_only]\nmembers = []\nmessage = \"members only\"\n";
    let config = format!(
        "{members}{}",
        probe::table(&[], "always = { build = \"publish\" }")
    );
    let relay = trellis_probe!().config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let refused = client.publish(&Author::new().note("not a member")).await;
    refused.assert_refused("auth-required:", "members only");
    assert_eq!(client.query(json!({"kinds": [7099]})).await.len(), 1);
}
