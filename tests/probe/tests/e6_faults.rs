//! E6: a hook that panics, fails or hangs harms its own extension alone, whichever hook it is.

use trellis_test_support::http::{self, relay_information};
use trellis_test_support::probe::{self, calls, health, wait_for_calls, wait_for_change};
use trellis_test_support::{Author, Client, Relay, json, trellis_probe, wait};

const INTERNAL: &str = "error: the relay could not do this now; try again later";

async fn start(hooks: &[&str], more: &str) -> (Relay, Client) {
    let relay = trellis_probe!()
        .config(&probe::table(hooks, more))
        .start()
        .await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

/// The ways in which a hook can be at fault: those in which it cannot wait, and those in which it can.
const SYNC: [&str; 2] = ["panic", "error"];
const ASYNC: [&str; 4] = ["panic", "error", "hang", "block"];

#[tokio::test]
async fn e6_a_fault_on_the_way_in_refuses_the_event_by_default() {
    for (hook, actions) in [
        ("admit", &SYNC[..]),
        ("admit_async", &ASYNC),
        ("commit", &SYNC),
    ] {
        for action in actions {
            let (relay, mut client) = start(&[hook], "timeout_ms = 200").await;
            let author = Author::new();
            let bad = author.draft(7000).probe(hook, action).sign();
            let verdict = client.publish(&bad).await;
            assert!(!verdict.accepted, "{hook} {action}");
            assert_eq!(verdict.message, INTERNAL, "{hook} {action}");
            assert_eq!(client.query(json!({"ids": [bad.id.to_hex()]})).await, []);
            assert_eq!(
                health(&relay, "probe").await["faults"],
                1,
                "{hook} {action}"
            );
            client.store(&author.note("others go on")).await;
        }
    }
}

#[tokio::test]
async fn e6_a_fault_on_the_way_in_lets_the_event_pass_where_on_fault_is_open() {
    for (hook, actions) in [
        ("admit", &SYNC[..]),
        ("admit_async", &ASYNC),
        ("commit", &SYNC),
    ] {
        for action in actions {
            let (relay, mut client) = start(&[hook], "timeout_ms = 200\non_fault = \"open\"").await;
            let event = Author::new().draft(7000).probe(hook, action).sign();
            client.store(&event).await;
            assert_eq!(
                client.query(json!({"kinds": [7000]})).await,
                [event],
                "{hook} {action}"
            );
            assert_eq!(
                health(&relay, "probe").await["faults"],
                1,
                "{hook} {action}"
            );
            let rows = probe::rows(&relay).await;
            assert!(
                rows.is_empty(),
                "a commit hook at fault leaves no row: {rows:?}"
            );
        }
    }
}

#[tokio::test]
async fn e6_a_fault_in_request_closes_or_passes_as_on_fault_says() {
    for (hook, actions) in [("request", &SYNC[..]), ("request_async", &ASYNC)] {
        for action in actions {
            let filter = json!({"kinds": [7000], "#x": [format!("{hook} {action}")]});
            let (_relay, mut client) = start(&[hook], "timeout_ms = 200").await;
            let closed = client.ask(std::slice::from_ref(&filter)).await;
            assert_eq!(closed, Err(INTERNAL.to_owned()), "{hook} {action}");
            let closed = client.count(std::slice::from_ref(&filter)).await;
            assert_eq!(closed, Err(INTERNAL.to_owned()), "{hook} {action}");
            client.assert_alive().await;

            let (_relay, mut client) =
                start(&[hook], "timeout_ms = 200\non_fault = \"open\"").await;
            assert_eq!(client.ask(&[filter]).await, Ok(vec![]), "{hook} {action}");
        }
    }
}

#[tokio::test]
async fn e6_deliver_never_fails_open() {
    for hook in ["deliver", "deliver_many"] {
        for action in SYNC {
            let (_relay, mut client) = start(&[hook], "on_fault = \"open\"").await;
            let author = Author::new();
            client.login(&author).await;
            client
                .subscribe("live", &[json!({"kinds": [7000, 1]})])
                .await;
            assert_eq!(client.stored("live").await, Ok(vec![]));
            let bad = author.draft(7000).probe(hook, action).sign();
            client.store(&bad).await;
            let note = author.note("after it");
            client.store(&note).await;
            assert_eq!(
                client.next_event("live").await,
                note,
                "{hook} {action}: live"
            );
            assert_eq!(
                client.query(json!({"kinds": [7000]})).await,
                [],
                "{hook} {action}: stored"
            );
            let count = client
                .count(&[json!({"kinds": [7000]})])
                .await
                .expect("a count");
            assert_eq!(count["count"], 0, "{hook} {action}: counted");
        }
    }
}

#[tokio::test]
async fn e6_guard_removal_never_fails_open() {
    let (relay, mut client) = start(&["guard_removal"], "on_fault = \"open\"").await;
    let author = Author::new();
    // More faults than the breaker takes: a guard that is skipped keeps as well.
    for round in 0..8 {
        let kept = author
            .draft(7000)
            .at(1_700_000_000 + round)
            .probe("guard_removal", "panic")
            .sign();
        client.store(&kept).await;
        client
            .store(&author.deletion([["e", &kept.id.to_hex()]]))
            .await;
        assert_eq!(
            client
                .query_ids(json!({"ids": [kept.id.to_hex()]}))
                .await
                .len(),
            1
        );
    }
    assert_eq!(
        health(&relay, "probe").await["skipped_hooks"],
        json!(["guard_removal"])
    );
}

#[tokio::test]
async fn e6_a_hook_that_fails_again_and_again_is_skipped_and_health_says_so() {
    let (relay, mut client) = start(&["admit"], "").await;
    let author = Author::new();
    assert_eq!(health(&relay, "probe").await["status"], "ok");
    for round in 0..5 {
        let bad = author
            .draft(7000)
            .at(1_700_000_000 + round)
            .probe("admit", "panic")
            .sign();
        assert_eq!(client.publish(&bad).await.message, INTERNAL);
    }
    let state = health(&relay, "probe").await;
    assert_eq!(state["skipped_hooks"], json!(["admit"]), "{state}");
    assert_eq!(
        (&state["status"], &state["faults"]),
        (&json!("degraded"), &json!(5))
    );
    let page = http::get(&relay, "/health", &[]).await;
    assert_eq!(page.status, 200, "the relay itself is well: {}", page.body);
    // Skipped is closed, too.
    let good = author.draft(7000).sign();
    assert_eq!(client.publish(&good).await.message, INTERNAL);
    assert_eq!(calls(&relay, "admit").await, 5, "it is not called");
    relay.wait_for_log(0, "skipped").await;
    client.store(&author.note("others go on")).await;
    let metrics = http::get(&relay, "/metrics", &[]).await.body;
    let faults = "trellis_extension_faults_total{extension=\"probe\",hook=\"admit\"} 5";
    assert!(metrics.contains(faults), "{metrics}");
    // After a while it gets another chance.
    wait::until("the end of the wait", async || {
        client.publish(&good).await.accepted.then_some(())
    })
    .await;
    assert_eq!(health(&relay, "probe").await["status"], "ok");
}

#[tokio::test]
async fn e6_faults_of_one_extension_leave_others_in_force() {
    let member = Author::new();
    let config = format!(
        "[extensions.members_only]\nmembers = [\"{}\"]\nprivate = [7000]\nmessage = \"members only\"\n{}",
        member.pubkey(),
        probe::table(&["admit", "deliver", "request"], "on_fault = \"open\""),
    );
    let relay = trellis_probe!().config(&config).start().await;
    let mut stranger = Client::connect(&relay).await;
    let mut client = Client::connect(&relay).await;
    client.login(&member).await;
    for round in 0..8 {
        let event = member
            .draft(7001)
            .at(1_700_000_000 + round)
            .probe("admit", "panic")
            .sign();
        client.store(&event).await;
        stranger.publish(&event).await.assert_accepted();
        let refused = Author::new()
            .draft(7001)
            .at(1_700_000_000 + round)
            .probe("admit", "panic")
            .sign();
        stranger
            .publish(&refused)
            .await
            .assert_refused("auth-required:", "members only");
    }
    assert_eq!(health(&relay, "probe").await["status"], "degraded");
    assert_eq!(health(&relay, "members_only").await["status"], "ok");
}

#[tokio::test]
async fn e6_stored_tries_again_after_a_fault_and_skips_nothing() {
    let (relay, mut client) = start(&["stored"], "").await;
    let author = Author::new();
    let flaky = author.draft(7000).probe("stored", "flaky").sign();
    let next = author.draft(7001).sign();
    client.store(&flaky).await;
    client.store(&next).await;
    wait_for_change(&relay, &format!("stored {}", next.id)).await;
    let told = probe::changes(&relay).await;
    assert_eq!(
        told,
        [
            format!("stored {}", flaky.id),
            format!("stored {}", next.id)
        ]
    );
    assert_eq!(health(&relay, "probe").await["faults"], 1);
}

#[tokio::test]
async fn e6_session_nip11_and_http_faults_harm_nobody() {
    let more = "always = { session = \"panic\", nip11 = \"panic\" }";
    let (relay, mut client) = start(&["session", "nip11"], more).await;
    client.login(&Author::new()).await;
    client
        .store(&Author::new().note("connected all the same"))
        .await;
    let document = relay_information(&relay).await;
    assert_eq!(
        document["probe"],
        json!(null),
        "what it did before the panic is undone"
    );
    assert!(document["limitation"].is_object());
    let page = http::get(&relay, "/probe/panic", &[]).await;
    assert_eq!((page.status, &page.json()["code"]), (500, &json!(500)));
    assert_eq!(http::get(&relay, "/probe/calls", &[]).await.status, 200);
    let log = relay.log();
    assert!(
        !log.contains("as asked"),
        "what a panic says may be anything: {log}"
    );
}

#[tokio::test]
async fn e6_a_task_that_dies_is_started_again() {
    for action in ["flaky", "panic"] {
        let more = format!("always = {{ start = \"{action}\" }}");
        let (relay, mut client) = start(&["start"], &more).await;
        wait_for_calls(&relay, "start", 2).await;
        let state = wait::until("a restart in /health", async || {
            let state = health(&relay, "probe").await;
            (state["restarts"].as_u64() >= Some(1)).then_some(state)
        })
        .await;
        assert_eq!(state["status"], "ok", "{state}");
        client.store(&Author::new().draft(7000).sign()).await;
    }
}

#[tokio::test]
async fn e6_an_extension_that_cannot_be_built_stops_the_start() {
    for (action, words) in [("error", "as asked"), ("panic", "panicked")] {
        let config = probe::table(&[], &format!("always = {{ build = \"{action}\" }}"));
        let output = trellis_probe!().config(&config).serve_to_end().await;
        output.assert_failure(&["probe", words]);
    }
}
