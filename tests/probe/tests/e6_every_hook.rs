//! E6: every hook that talks nonsense, writes too much, leaks, or panics with what panics again, harms its own extension
//! alone.

use trellis_test_support::http::{self, relay_information};
use trellis_test_support::management::problem;
use trellis_test_support::probe::{self, calls, health, wait_for_calls};
use trellis_test_support::{Author, Client, RawSocket, Relay, json, process, trellis_probe, wait};

const INTERNAL: &str = "error: the relay could not do this now; try again later";
/// Of a reason, its prefix not included.
const REASON_CHARS_MAX: usize = 1_000;

async fn start(hooks: &[&str], more: &str) -> (Relay, Client) {
    let relay = trellis_probe!()
        .config(&probe::table(hooks, more))
        .start()
        .await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

/// Faults of one hook, or of what else of the extension was called.
async fn faults(relay: &Relay, hook: &str) -> u64 {
    let page = http::get(relay, "/metrics", &[]).await.body;
    let line = format!("trellis_extension_faults_total{{extension=\"probe\",hook=\"{hook}\"}} ");
    let found = page.lines().find_map(|it| it.strip_prefix(&line));
    found.map_or(0, |count| count.parse().expect("a number"))
}

async fn wait_for_faults(relay: &Relay, hook: &str, at_least: u64) {
    wait::until(&format!("{at_least} faults of {hook}"), async || {
        (faults(relay, hook).await >= at_least).then_some(())
    })
    .await;
}

#[track_caller]
fn assert_is_one_short_line(message: &str, hook: &str) {
    let (prefix, text) = message.split_once(": ").expect("a prefix");
    assert_eq!(prefix, "blocked", "{hook}");
    assert!(text.starts_with("no  [\"NOTICE\"]  "), "{hook}: {text}");
    assert_eq!(text.chars().count(), REASON_CHARS_MAX, "{hook}");
    assert!(!text.contains(char::is_control), "{hook}");
    assert!(!text.contains('\u{202e}'), "{hook}");
}

#[tokio::test]
async fn e6_a_reason_of_two_million_characters_is_told_as_one_short_line() {
    let hooks = ["admit", "admit_async", "commit", "request_async"];
    let (relay, mut client) = start(&hooks, "").await;
    for hook in ["admit", "admit_async", "commit"] {
        let event = Author::new().draft(7000).probe(hook, "nonsense").sign();
        let verdict = client.publish(&event).await;
        assert!(!verdict.accepted, "{hook}");
        assert_is_one_short_line(&verdict.message, hook);
    }
    let filter = json!({"kinds": [7000], "#x": ["request_async nonsense"]});
    let closed = client.ask(&[filter]).await.expect_err("a refusal");
    assert_is_one_short_line(&closed, "request_async");
    let state = health(&relay, "probe").await;
    assert_eq!(state["faults"], 0, "a long answer is an answer: {state}");
}

#[tokio::test]
async fn e6_what_panics_when_it_is_dropped_harms_nobody() {
    let hooks = [
        "admit",
        "admit_async",
        "commit",
        "guard_removal",
        "stored",
        "request",
        "request_async",
        "deliver",
        "deliver_many",
        "session",
        "nip11",
        "start",
    ];
    let always = ["session", "nip11", "start", "health", "shutdown"];
    let always = always.map(|hook| format!("{hook} = \"bomb\"")).join(", ");
    let more = format!("on_fault = \"open\"\nalways = {{ {always} }}");
    let (relay, mut client) = start(&hooks, &more).await;
    let author = Author::new();
    for hook in ["admit", "admit_async", "commit", "deliver", "deliver_many"] {
        let event = author.draft(7000).content(hook).probe(hook, "bomb").sign();
        client.store(&event).await;
        client.query(json!({"ids": [event.id]})).await;
    }
    for hook in ["request", "request_async"] {
        let filter = json!({"kinds": [7050], "#x": [format!("{hook} bomb")]});
        assert_eq!(client.ask(&[filter]).await, Ok(vec![]), "{hook}");
    }
    let kept = author.draft(7001).probe("guard_removal", "bomb").sign();
    client.store(&kept).await;
    let deletion = author.deletion([["e", &kept.id.to_hex()]]);
    client.store(&deletion).await;
    assert_eq!(relay_information(&relay).await["probe"], json!(null));
    let state = health(&relay, "probe").await;
    assert_eq!(state["status"], "degraded", "{state}");
    client
        .store(&author.draft(7002).probe("stored", "bomb").sign())
        .await;
    wait_for_calls(&relay, "start", 2).await;
    for hook in [
        "admit",
        "admit_async",
        "commit",
        "guard_removal",
        "stored",
        "request",
        "request_async",
        "deliver",
        "session",
        "nip11",
    ] {
        wait_for_faults(&relay, hook, 1).await;
    }
    client.store(&author.note("others go on")).await;
    let (status, log) = relay.stop_with_log().await;
    assert!(status.success(), "{status}");
    assert!(log.contains("shutdown failed"), "{log}");
}

#[tokio::test]
async fn e6_what_leaks_goes_with_its_instance() {
    const EVENTS: usize = 64;
    const MIB: u64 = 1 << 20;
    let hooks = ["admit", "admit_async", "session"];
    let (relay, mut client) = start(&hooks, "always = { session = \"leak\" }").await;
    let author = Author::new();
    let before_bytes = process::own_memory_bytes(relay.pid());
    for number in 0..EVENTS {
        let draft = author.draft(7000).content(&number.to_string());
        let leaks = draft.probe(hooks[number % 2], "leak");
        client.store(&leaks.sign()).await;
    }
    let grown_bytes = process::own_memory_bytes(relay.pid()).saturating_sub(before_bytes);
    assert!(grown_bytes > 48 * MIB, "{grown_bytes} bytes leaked");
    relay.write_config("");
    relay.hang_up();
    wait::until("the memory to come back", async || {
        let grown_bytes = process::own_memory_bytes(relay.pid()).saturating_sub(before_bytes);
        (grown_bytes < 24 * MIB).then_some(())
    })
    .await;
}

#[tokio::test]
async fn e6_a_deliver_hook_that_changes_its_mind_confuses_nobody_else() {
    for hook in ["deliver", "deliver_many"] {
        let (relay, mut client) = start(&[hook], "").await;
        client.subscribe("live", &[json!({"kinds": [7000]})]).await;
        assert_eq!(client.stored("live").await, Ok(vec![]));
        let author = Author::new();
        for number in 0..20 {
            let draft = author.draft(7000).content(&number.to_string());
            client.store(&draft.probe(hook, "nonsense").sign()).await;
        }
        let filter = json!({"kinds": [7000]});
        let found = client.query(filter.clone()).await.len();
        assert!((1..20).contains(&found), "{hook}: {found}");
        let count = client.count(&[filter]).await.expect("a count");
        let count = count["count"].as_u64().expect("a number");
        assert!((1..20).contains(&count), "{hook}: {count}");
        let note = author.note("others go on");
        client.store(&note).await;
        assert_eq!(client.query(json!({"ids": [note.id]})).await, [note]);
        assert_eq!(faults(&relay, "deliver").await, 0);
        assert!(!relay.log().contains("panicked"), "{}", relay.log());
    }
}

#[tokio::test]
async fn e6_a_guard_that_changes_its_mind_loses_nothing_it_kept() {
    let (relay, mut client) = start(&["guard_removal"], "").await;
    let author = Author::new();
    for number in 0..10 {
        let draft = author.draft(7000).content(&number.to_string());
        let event = draft.probe("guard_removal", "nonsense").sign();
        client.store(&event).await;
        let deletion = author.deletion([["e", &event.id.to_hex()]]);
        client.store(&deletion).await;
        // Kept or gone, and the same thing whoever asks.
        let found = client.query_ids(json!({"ids": [event.id]})).await.len();
        let counted = client.count(&[json!({"ids": [event.id]})]).await;
        assert_eq!(counted.expect("a count")["count"], found);
    }
    assert_eq!(faults(&relay, "guard_removal").await, 0);
}

#[tokio::test]
async fn e6_a_filter_that_is_narrowed_to_nonsense_finds_nothing() {
    let (relay, mut client) = start(&["request"], "").await;
    let author = Author::new();
    let draft = author.draft(7000).tag(&["x", "request nonsense"]);
    client.store(&draft.sign()).await;
    let nonsense = [json!({"kinds": [7000], "#x": ["request nonsense"]})];
    assert_eq!(client.ask(&nonsense).await, Ok(vec![]));
    let counted = client.count(&nonsense).await.expect("a count");
    assert_eq!(counted["count"], 0);
    assert_eq!(faults(&relay, "request").await, 0);
    let flood = [json!({"kinds": [7000], "#x": ["request flood"]})];
    assert_eq!(client.ask(&flood).await, Err(INTERNAL.to_owned()));
    assert_eq!(faults(&relay, "request").await, 1);
    let (_relay, mut client) = start(&["request"], "on_fault = \"open\"").await;
    assert_eq!(
        client.ask(&flood).await,
        Ok(vec![]),
        "what it took away stays away"
    );
}

#[tokio::test]
async fn e6_a_commit_hook_that_writes_without_end_refuses_its_own_event() {
    let (relay, mut client) = start(&["commit"], "").await;
    let author = Author::new();
    let flood = author.draft(7000).probe("commit", "flood").sign();
    assert_eq!(client.publish(&flood).await.message, INTERNAL);
    assert_eq!(client.query(json!({"kinds": [7000]})).await, []);
    assert_eq!(faults(&relay, "commit").await, 1);
    relay.wait_for_log(0, "after a row that was refused").await;
    assert_eq!(probe::rows(&relay).await, Vec::<String>::new());
    client.store(&author.draft(7001).sign()).await;
}

#[tokio::test]
async fn e6_the_information_document_says_what_the_core_says() {
    let (plain, _) = start(&[], "").await;
    let expected = relay_information(&plain).await;
    for (action, words) in [
        ("nonsense", "the document is nested deeper"),
        ("flood", "the document is larger"),
    ] {
        let more = format!("always = {{ nip11 = \"{action}\" }}");
        let (relay, _client) = start(&["nip11"], &more).await;
        let mut document = relay_information(&relay).await;
        document["self"] = expected["self"].clone();
        assert_eq!(document, expected, "{action}");
        relay.wait_for_log(0, words).await;
        // So much nonsense takes its time where everything is slow, which is a fault of its own.
        let overrun = relay.log().matches("it held its thread").count() as u64;
        assert_eq!(faults(&relay, "nip11").await, 1 + overrun, "{action}");
    }
}

#[tokio::test]
async fn e6_a_method_whose_answer_is_too_much_is_answered_for() {
    let operator = Author::new();
    let config = format!(
        "[information]\npubkey = \"{}\"\n{}",
        operator.pubkey(),
        probe::table(&["rpc"], "")
    );
    let relay = trellis_probe!().config(&config).start().await;
    for (fault, action) in [(1, "nonsense"), (2, "flood"), (3, "bomb")] {
        let said = problem(&relay, &operator, "probe", json!([action])).await;
        assert_eq!(said, INTERNAL, "{action}");
        assert_eq!(faults(&relay, "rpc").await, fault, "{action}");
    }
    let said = problem(&relay, &operator, "probe", json!(["no"])).await;
    assert_eq!(said, "refused as asked");
}

#[tokio::test]
async fn e6_a_command_at_fault_ends_with_an_error() {
    let setup = trellis_probe!().config(&probe::table(&["command"], ""));
    let config = setup.config_file().display().to_string();
    for (action, words) in [
        ("panic", "the command panicked"),
        ("bomb", "the command panicked"),
        ("error", "as asked"),
        ("no", "refused as asked"),
    ] {
        let output = setup.run(&["run", "-c", &config, "probe-do", action]).await;
        output.assert_failure(&[words]);
        assert_eq!(output.code, Some(1), "{action}");
    }
}

/// Sends a GET, and leaves the answer in the socket.
async fn ask_raw(relay: &Relay, path: &str, headers: &str) -> RawSocket {
    let mut reader = RawSocket::open(relay).await;
    let host = relay.address();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
    assert!(reader.send(request.as_bytes()).await);
    reader
}

#[tokio::test]
async fn e6_a_body_that_panics_ends_its_own_response() {
    let (relay, mut client) = start(&[], "").await;
    let page = http::get(&relay, "/probe/stream-panic", &[]).await;
    assert_eq!((page.status, &*page.body), (200, "so far"));
    assert_eq!(faults(&relay, "http").await, 1);
    assert!(!relay.log().contains("as asked"), "{}", relay.log());
    client.store(&Author::new().note("others go on")).await;
}

#[tokio::test]
async fn e6_a_body_that_never_ends_is_its_readers_affair() {
    let (relay, mut client) = start(&[], "").await;
    let mut reader = ask_raw(&relay, "/probe/endless", "").await;
    let head = reader.read_head().await.expect("a head");
    assert!(head.contains("200 OK"), "{head}");
    client.store(&Author::new().note("others go on")).await;
    // It still reads nothing when the relay stops.
    let (status, _) = relay.stop().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn e6_a_handler_that_holds_its_thread_is_named() {
    let (relay, mut client) = start(&[], "").await;
    wait::until("the watchdog", async || {
        http::get(&relay, "/probe/block", &[]).await;
        relay.log().contains("held its thread").then_some(())
    })
    .await;
    assert!(faults(&relay, "http").await >= 1);
    client.store(&Author::new().note("others go on")).await;
}

#[tokio::test]
async fn e6_a_response_that_contradicts_itself_harms_its_reader_alone() {
    let (relay, mut client) = start(&[], "").await;
    let mut reader = ask_raw(&relay, "/probe/nonsense", "Connection: close\r\n").await;
    reader.read_to_end().await;
    client.store(&Author::new().note("others go on")).await;
    assert!(!relay.log().contains("panicked"), "{}", relay.log());
}

#[tokio::test]
async fn e6_what_hooks_are_given_to_keep_is_gone_with_the_instance_and_calls_go_on() {
    let (relay, mut client) = start(&["request_async", "stored"], "").await;
    let author = Author::new();
    let filter = json!({"kinds": [7000], "#x": ["request_async leak"]});
    for number in 0..20 {
        assert_eq!(client.ask(std::slice::from_ref(&filter)).await, Ok(vec![]));
        let draft = author.draft(7000).content(&number.to_string());
        client.store(&draft.probe("stored", "leak").sign()).await;
    }
    wait_for_calls(&relay, "stored", 20).await;
    assert!(calls(&relay, "request_async").await >= 20);
    let state = health(&relay, "probe").await;
    assert_eq!(
        (&state["status"], &state["faults"]),
        (&json!("ok"), &json!(0))
    );
}
