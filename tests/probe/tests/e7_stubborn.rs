//! E7: an extension that will not be built, changed, asked or dropped: the log names it, and the relay goes on.

use std::fs;
use trellis_test_support::probe::{self, health};
use trellis_test_support::{Author, Client, Relay, http, json, trellis_probe, wait};

const IN_FORCE: &str = "the new configuration is in force";

async fn start(config: &str) -> (Relay, Client) {
    let relay = trellis_probe!().config(config).start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

/// Puts a configuration in place without waiting for it.
fn change(relay: &Relay, config: &str) {
    relay.write_config(config);
    relay.hang_up();
}

async fn reload(relay: &Relay, config: &str) {
    let from = relay.log().len();
    change(relay, config);
    relay.wait_for_log(from, IN_FORCE).await;
}

fn always(what: &str) -> String {
    probe::table(&["admit"], &format!("always = {{ {what} }}"))
}

#[tokio::test]
async fn e7_a_build_that_never_returns_is_named_and_does_not_keep_the_relay() {
    for step in ["build", "register"] {
        let (relay, mut client) = start("").await;
        change(&relay, &always(&format!("{step} = \"wait\"")));
        let waiting = format!("waiting for the extension's `{step}` to return");
        relay.wait_for_log(0, &waiting).await;
        client.store(&Author::new().note("others go on")).await;
        let (status, log) = relay.stop_with_log().await;
        assert!(status.success(), "{step}: {status}");
        assert!(log.contains("probe"), "{log}");
    }
}

#[tokio::test]
async fn e7_a_registration_that_makes_no_sense_stops_the_start() {
    for (action, words) in [
        ("flood", "it registers more than 1000 hooks"),
        ("nonsense", "cannot be the name of a management method"),
        ("panic", "it panicked"),
        ("bomb", "it panicked"),
    ] {
        let config = always(&format!("register = \"{action}\""));
        let output = trellis_probe!().config(&config).serve_to_end().await;
        output.assert_failure(&["probe", words]);
    }
}

#[tokio::test]
async fn e7_a_reload_at_fault_is_a_rebuild() {
    for action in ["panic", "bomb", "wait"] {
        let old = always(&format!("reload = \"{action}\""));
        let (relay, mut client) = start(&old).await;
        let from = relay.log().len();
        reload(&relay, &always("admit = \"no\"")).await;
        let log = relay.log();
        assert!(log[from..].contains("it is built anew"), "{action}: {log}");
        let event = Author::new().draft(7000).sign();
        let verdict = client.publish(&event).await;
        verdict.assert_refused("blocked:", "refused by the probe");
        let page = http::get(&relay, "/metrics", &[]).await.body;
        let faults = "trellis_extension_faults_total{extension=\"probe\",hook=\"reload\"} 1";
        assert!(page.contains(faults), "{action}: {page}");
    }
}

#[tokio::test]
async fn e6_a_health_check_at_fault_is_degraded_and_harms_nobody() {
    for (action, words) in [
        ("panic", "its health check panicked"),
        ("bomb", "its health check panicked"),
        ("error", "as asked"),
        ("wait", "its health check does not answer"),
    ] {
        let (relay, mut client) = start(&always(&format!("health = \"{action}\""))).await;
        for _ in 0..3 {
            let state = health(&relay, "probe").await;
            assert_eq!(state["status"], "degraded", "{action}: {state}");
            assert_eq!(state["reason"], words, "{action}");
        }
        let page = http::get(&relay, "/health", &[]).await;
        assert_eq!(page.status, 200, "{action}: the relay itself is well");
        client.store(&Author::new().note("others go on")).await;
        if action == "wait" {
            assert_eq!(probe::calls(&relay, "health").await, 1, "asked once");
            probe::release(&relay).await;
            wait::until("its answer", async || {
                (health(&relay, "probe").await["status"] == "ok").then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn e6_what_a_health_check_says_is_one_short_line() {
    let (relay, _client) = start(&always("health = \"nonsense\"")).await;
    let page = http::get(&relay, "/health", &[]).await;
    assert_eq!(page.status, 503);
    let state = &page.json()["extensions"]["probe"];
    assert_eq!(state["status"], "down");
    let reason = state["reason"].as_str().expect("a reason");
    assert_eq!(reason.chars().count(), 1_000);
    assert!(!reason.contains(char::is_control), "{reason}");
}

#[tokio::test]
async fn e7_an_instance_whose_drop_panics_or_hangs_goes_all_the_same() {
    for action in ["panic", "bomb", "wait"] {
        let (relay, mut client) = start(&always(&format!("drop = \"{action}\""))).await;
        let event = Author::new().draft(7000).sign();
        client.store(&event).await;
        reload(&relay, "").await;
        client.assert_alive().await;
        if action != "wait" {
            let faults = "trellis_extension_faults_total{extension=\"probe\",hook=\"drop\"} 1";
            wait::until("the end of the instance", async || {
                let page = http::get(&relay, "/metrics", &[]).await.body;
                page.contains(faults).then_some(())
            })
            .await;
        }
        reload(&relay, &always("admit = \"no\"")).await;
        let verdict = client.publish(&Author::new().draft(7000).sign()).await;
        verdict.assert_refused("blocked:", "");
        assert_eq!(client.query(json!({"kinds": [7000]})).await, [event]);
        let (status, _) = relay.stop().await;
        assert!(status.success(), "{action}: {status}");
    }
}

fn threads(relay: &Relay) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", relay.pid())).expect("the relay's threads");
    tasks.count()
}

/// `TRELLIS_ROUNDS` sets how often; each round switches the extension on and off.
#[tokio::test]
async fn e7_threads_and_tasks_go_with_their_instance() {
    let rounds =
        std::env::var("TRELLIS_ROUNDS").map_or(20, |rounds| rounds.parse().expect("a number"));
    let (relay, mut client) = start("").await;
    let hooks = ["admit", "stored", "start", "session"];
    let on = probe::table(&hooks, "always = { spawn = \"pass\" }");
    reload(&relay, &on).await;
    reload(&relay, "").await;
    client.assert_alive().await;
    let before = threads(&relay);
    for _ in 0..rounds {
        reload(&relay, &on).await;
        health(&relay, "probe").await;
        reload(&relay, "").await;
        client.assert_alive().await;
    }
    // Threads that wait for blocking work of the relay itself come and go.
    const OTHERS: usize = 4;
    wait::until("the threads of old instances to end", async || {
        http::get(&relay, "/livez", &[]).await;
        (threads(&relay) <= before + OTHERS).then_some(())
    })
    .await;
}
