//! E7: tables change under way: events and connections that are there meet the extensions that are in force.

use trellis_test_support::http;
use trellis_test_support::probe::{self, calls, notes, wait_for_calls};
use trellis_test_support::{Author, Client, Relay, json, trellis_probe, wait};

const IN_FORCE: &str = "the new configuration is in force";
const MEMBERS: &str = "[extensions.members_only]\nmembers = []\nmessage = \"members only\"\n";

async fn start(table: &str) -> (Relay, Client) {
    let relay = trellis_probe!().config(table).start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

async fn reload(relay: &Relay, config: &str) {
    let from = relay.log().len();
    relay.write_config(config);
    relay.hang_up();
    relay.wait_for_log(from, IN_FORCE).await;
}

#[tokio::test]
async fn e7_an_event_that_is_thought_about_meets_an_extension_that_is_switched_on() {
    for kind in [7000, 20_000] {
        let own = probe::table(&["admit_async"], "");
        let (relay, mut client) = start(&own).await;
        client.subscribe("live", &[json!({"kinds": [kind]})]).await;
        assert_eq!(client.stored("live").await, Ok(vec![]));
        let event = Author::new()
            .draft(kind)
            .probe("admit_async", "wait")
            .sign();
        client.send_event(&event).await;
        wait_for_calls(&relay, "admit_async", 1).await;
        reload(&relay, &format!("{own}{MEMBERS}")).await;
        probe::release(&relay).await;
        let verdict = client.verdict(&event.id.to_hex()).await;
        verdict.assert_refused("auth-required:", "members only");
        assert_eq!(client.query(json!({"kinds": [kind]})).await, []);
    }
}

#[tokio::test]
async fn e7_what_an_old_instance_never_answers_is_asked_anew() {
    let hooks = ["admit_async", "request_async"];
    let hangs = "always = { admit_async = \"hang\", request_async = \"hang\" }";
    let (relay, mut client) = start(&probe::table(&hooks, hangs)).await;
    let mut reader = Client::connect(&relay).await;
    let event = Author::new().draft(7000).sign();
    client.send_event(&event).await;
    reader.subscribe("s", &[json!({"kinds": [7000]})]).await;
    wait_for_calls(&relay, "admit_async", 1).await;
    wait_for_calls(&relay, "request_async", 1).await;
    reload(&relay, &probe::table(&hooks, "")).await;
    client.verdict(&event.id.to_hex()).await.assert_accepted();
    assert_eq!(reader.next_event("s").await, event);
}

/// Lets an event wait for the writer while the tables change; its verdict by the new ones.
async fn changed_before_the_commit(new: &str) -> (Relay, Client, trellis_test_support::Verdict) {
    let (relay, mut client) = start(&probe::table(&["commit"], "")).await;
    let mut other = Client::connect(&relay).await;
    let author = Author::new();
    let first = author.draft(7000).probe("commit", "wait").sign();
    other.send_event(&first).await;
    wait_for_calls(&relay, "commit", 1).await;
    let second = author.draft(7001).sign();
    client.send_event(&second).await;
    // A REQ comes after the EVENT before it, so that has left for the writer, who waits.
    client.assert_alive().await;
    reload(&relay, new).await;
    http::send(&relay, "POST", "/probe/release", &[]).await;
    let verdict = client.verdict(&second.id.to_hex()).await;
    let _ = other.verdict(&first.id.to_hex()).await;
    (relay, client, verdict)
}

#[tokio::test]
async fn e7_an_event_that_waits_for_the_writer_meets_new_hooks() {
    for hook in ["admit", "admit_async"] {
        let new = probe::table(
            &["commit", hook],
            &format!("always = {{ {hook} = \"no\" }}"),
        );
        let (relay, mut client, verdict) = changed_before_the_commit(&new).await;
        verdict.assert_refused("blocked:", "refused by the probe");
        assert_eq!(client.query(json!({"kinds": [7001]})).await, [], "{hook}");
        assert_eq!(calls(&relay, hook).await, 1);
        assert!(
            !probe::rows(&relay).await.is_empty(),
            "the first was admitted before"
        );
    }
}

#[tokio::test]
async fn e7_an_event_that_waits_for_the_writer_may_be_taken_silently() {
    let new = probe::table(&["admit"], "always = { admit = \"shadow\" }");
    let (_relay, mut client, verdict) = changed_before_the_commit(&new).await;
    verdict.assert_accepted();
    assert_eq!(client.query(json!({"kinds": [7001]})).await, []);
}

#[tokio::test]
async fn e7_an_event_that_waits_for_the_writer_passes_hooks_that_have_nothing_against_it() {
    for hook in ["admit", "admit_async"] {
        let new = probe::table(&[hook, "commit"], "");
        let (_relay, mut client, verdict) = changed_before_the_commit(&new).await;
        verdict.assert_accepted();
        assert_eq!(
            client.query(json!({"kinds": [7001]})).await.len(),
            1,
            "{hook}"
        );
    }
}

#[tokio::test]
async fn e7_routes_and_names_go_and_come_with_their_extension() {
    let on = probe::table(&["nip11"], "");
    let (relay, mut client) = start(&on).await;
    for _ in 0..2 {
        assert_eq!(http::get(&relay, "/probe/calls", &[]).await.status, 200);
        assert_eq!(http::relay_information(&relay).await["probe"], true);
        reload(&relay, "").await;
        assert_eq!(http::get(&relay, "/probe/calls", &[]).await.status, 404);
        assert_eq!(http::relay_information(&relay).await["probe"], json!(null));
        assert_eq!(probe::health(&relay, "probe").await, json!(null));
        reload(&relay, &on).await;
    }
    client.assert_alive().await;
}

#[tokio::test]
async fn e7_a_new_instance_is_told_of_the_connections_that_are_there() {
    let (relay, mut first) = start("").await;
    let second = Client::connect(&relay).await;
    first.login(&Author::new()).await;
    reload(&relay, &probe::table(&["session"], "")).await;
    wait::until("both connections", async || {
        let told = notes(&relay).await;
        let connected = told
            .iter()
            .filter(|note| note.starts_with("connected"))
            .count();
        let authenticated = told.iter().filter(|note| note.starts_with("auth")).count();
        (connected == 2 && authenticated == 1).then_some(())
    })
    .await;
    drop(second);
    first.login(&Author::new()).await;
    let told = wait::until("the end of one", async || {
        let told = notes(&relay).await;
        told.iter()
            .any(|note| note.starts_with("closed"))
            .then_some(told)
    })
    .await;
    assert_eq!(told.len(), 5, "{told:?}");
}

#[tokio::test]
async fn e7_a_table_that_is_wrong_leaves_the_old_one_in_force() {
    let good = probe::table(&["admit"], "always = { admit = \"no\" }");
    let (relay, mut client) = start(&good).await;
    let author = Author::new();
    for (bad, words) in [
        ("[extensions.probe]\nhoks = []", "hooks"),
        (
            "[extensions.probe]\nalways = { build = \"error\" }",
            "as asked",
        ),
        (
            "[extensions.probe]\nalways = { build = \"panic\" }",
            "panicked",
        ),
        ("[extensions.porbe]\n", "probe"),
    ] {
        let from = relay.log().len();
        relay.write_config(bad);
        relay.hang_up();
        relay
            .wait_for_log(from, "the old configuration stays in force")
            .await;
        relay.wait_for_log(from, words).await;
        client
            .publish(&author.draft(7000).sign())
            .await
            .assert_refused("blocked:", "");
    }
    assert_eq!(
        calls(&relay, "build").await,
        1,
        "it is the instance of the beginning"
    );
}
