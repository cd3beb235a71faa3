//! V1: `trellis bench` drives a relay by its address, checks every answer and says what that cost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use trellis_test_support::{Event, Front, Output, Relay, Setup, Value, trellis};

mod amiss;

const EVENTS: &str = "600";

fn setup() -> Setup {
    trellis!().front(Front::Server)
}

/// A relay, and beside it a file `corpus.jsonl` with [`EVENTS`] events.
async fn relay_and_corpus() -> Relay {
    let relay = setup().start().await;
    let made = [
        "bench",
        "gen",
        "-n",
        EVENTS,
        "--days",
        "2",
        "-o",
        "corpus.jsonl",
    ];
    relay.setup().run(&made).await.assert_success();
    relay
}

/// Runs a measurement of the relay.
async fn bench(relay: &Relay, arguments: &[&str]) -> Output {
    let (url, pid) = (relay.ws_url(), relay.pid().to_string());
    let (what, more) = arguments.split_first().expect("a subcommand");
    let all = [
        &["bench", what, "--url", &url, "--pid", &pid, "--json"],
        more,
    ]
    .concat();
    relay.setup().run(&all).await
}

async fn report(relay: &Relay, arguments: &[&str]) -> Value {
    json(bench(relay, arguments).await.assert_success())
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).expect("a report in JSON")
}

#[track_caller]
fn number(report: &Value, pointer: &str) -> f64 {
    let found = report.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("no number {pointer} in {report:#}"))
}

#[track_caller]
fn assert_positive(report: &Value, pointers: &[&str]) {
    for pointer in pointers {
        assert!(number(report, pointer) > 0.0, "{pointer} in {report:#}");
    }
}

async fn generate(setup: &Setup, file: &str, more: &[&str]) -> Vec<u8> {
    let arguments = [&["bench", "gen", "-o", file, "--until", "1750000000"], more].concat();
    setup.run(&arguments).await.assert_success();
    fs::read(setup.home().join(file)).expect("a corpus")
}

#[tokio::test]
async fn v1_a_corpus_is_named_by_its_seed() {
    let setup = setup();
    let one = generate(&setup, "one", &["-n", "300"]).await;
    assert_eq!(one, generate(&setup, "two", &["-n", "300"]).await);
    assert_ne!(
        one,
        generate(&setup, "three", &["-n", "300", "--seed", "2"]).await
    );
}

#[tokio::test]
async fn v1_a_corpus_is_like_what_people_write() {
    let text = generate(&setup(), "corpus", &["-n", "2000", "--days", "3"]).await;
    let text = String::from_utf8(text).expect("UTF-8");
    let mut kinds = BTreeSet::new();
    let mut authors = BTreeMap::<String, usize>::new();
    let mut ids = BTreeSet::new();
    for line in text.lines() {
        let event: Event = serde_json::from_str(line).expect("an event");
        event.verify().expect("signed");
        let age = 1_750_000_000 - event.created_at.as_secs();
        assert!(age <= 3 * 86_400, "{age} s old");
        kinds.insert(event.kind.as_u16());
        ids.insert(event.id);
        if event.kind.as_u16() != 1059 {
            *authors.entry(event.pubkey.to_hex()).or_default() += 1;
        }
    }
    assert_eq!(ids.len(), 2_000);
    assert_eq!(kinds, BTreeSet::from([0, 1, 3, 7, 445, 1059, 30023]));
    let most = authors.values().max().copied().unwrap_or_default();
    assert!(
        most > 5 * 2_000 / authors.len(),
        "{most} by one of {}",
        authors.len()
    );
    assert!(!text.is_ascii());
    assert!(text.contains(r"\n") && text.contains(r#"\""#) && text.contains(r"\\"));
    assert!(!text.contains('\u{7f}'));
}

#[tokio::test]
async fn v1_every_ok_is_counted() {
    let relay = relay_and_corpus().await;
    let ingest = [
        "ingest",
        "-e",
        "corpus.jsonl",
        "--connections",
        "3",
        "--window",
        "40",
        "--lone",
        "20",
        "--micro",
    ];
    let told = report(&relay, &ingest).await;
    assert_eq!(number(&told, "/events"), 580.0);
    assert_eq!(
        number(&told, "/accepted") + number(&told, "/duplicates") + number(&told, "/refused"),
        580.0
    );
    assert!(number(&told, "/accepted") > 550.0, "{told:#}");
    assert_eq!(number(&told, "/one_at_a_time/events"), 20.0);
    assert_positive(
        &told,
        &[
            "/relay_cpu_us_per_event",
            "/relay_cpu_over_crypto_cost",
            "/generator_cpu_us_per_event",
            "/ok_latency/p99_ms",
            "/one_at_a_time/ok_latency/p50_ms",
            "/relay_memory/rss_after_kib",
        ],
    );

    // A second time the relay has them all.
    let again = report(&relay, &["ingest", "-e", "corpus.jsonl", "--stream"]).await;
    assert_eq!(
        (&told["prebuilt"], &again["prebuilt"]),
        (&true.into(), &false.into())
    );
    assert_eq!(number(&again, "/events"), 600.0);
    assert_eq!(number(&again, "/duplicates"), 600.0);
    assert_eq!(number(&again, "/notices"), 0.0);
    assert!(
        again["refusals"]
            .as_object()
            .is_some_and(|words| words.is_empty()),
        "{again:#}"
    );
}

#[tokio::test]
async fn v1_a_relay_that_refuses_gets_no_figures_for_it() {
    let relay = relay_and_corpus().await;
    let blocked = setup()
        .config("[operation]\nmode = \"read_only\"")
        .start()
        .await;
    fs::copy(
        relay.setup().home().join("corpus.jsonl"),
        blocked.setup().home().join("corpus.jsonl"),
    )
    .expect("a copy");
    let refused = bench(&blocked, &["ingest", "-e", "corpus.jsonl", "-n", "50"]).await;
    refused.assert_failure(&["the relay refused 50 of 50 events", "blocked:"]);
    assert_eq!(refused.code, Some(1));
    let refused = json(&refused);
    assert!(refused.get("relay_cpu_us_per_event").is_none());
    assert_eq!(number(&refused, "/refused"), 50.0);
    let words = refused["refusals"].to_string();
    assert!(words.contains("blocked:"), "{words}");
}

#[tokio::test]
async fn v1_right_answers_are_right() {
    let relay = relay_and_corpus().await;
    report(&relay, &["ingest", "-e", "corpus.jsonl"]).await;
    let query = [
        "query",
        "-e",
        "corpus.jsonl",
        "--per-class",
        "10",
        "--rounds",
        "2",
    ];
    let told = report(&relay, &query).await;
    assert_eq!(number(&told, "/wrong_answers"), 0.0);
    let classes = told["classes"].as_array().expect("a row a class");
    assert_eq!(classes.len(), 12);
    for class in classes {
        assert_eq!(number(class, "/queries"), 20.0);
        assert!(number(class, "/events_per_query") > 0.9, "{class}");
    }
    assert_eq!(number(&told, "/one_at_a_time/queries"), 240.0);
    assert_eq!(number(&told, "/saturated/queries"), 240.0);
    assert_positive(
        &told,
        &[
            "/saturated/relay_cpu_us_per_query",
            "/one_at_a_time/latency/p50_ms",
        ],
    );

    let url = relay.ws_url();
    let plain = [
        "bench",
        "query",
        "-u",
        &url,
        "-e",
        "corpus.jsonl",
        "--rounds",
        "1",
    ];
    let table = relay.setup().run(&plain).await;
    for words in ["5 filters", "saturated", "queries per second"] {
        assert!(
            table.assert_success().stdout.contains(words),
            "{}",
            table.stdout
        );
    }
}

#[tokio::test]
async fn v1_wrong_answers_are_noticed() {
    let relay = relay_and_corpus().await;
    report(&relay, &["ingest", "-e", "corpus.jsonl", "-n", "300"]).await;
    let query = [
        "query",
        "-e",
        "corpus.jsonl",
        "--per-class",
        "10",
        "--rounds",
        "1",
    ];
    // Half of the events are not there.
    let short = bench(&relay, &query).await;
    short.assert_failure(&["answers were wrong", "missing, as", "asked for {\""]);
    assert_positive(&json(&short), &["/wrong_answers"]);

    // Now all are there, and half of them are not expected.
    report(&relay, &["ingest", "-e", "corpus.jsonl"]).await;
    assert_eq!(number(&report(&relay, &query).await, "/wrong_answers"), 0.0);
    let more = bench(&relay, &[&query[..], &["-n", "300"]].concat()).await;
    more.assert_failure(&["answers were wrong", "that should not come, as"]);
}

#[tokio::test]
async fn v1_every_subscriber_gets_every_event_once() {
    let relay = setup().start().await;
    let fanout = [
        "fanout",
        "--subscribers",
        "20",
        "--events",
        "40",
        "--in-flight",
        "4",
        "--singly",
        "10",
        "--narrow",
        "60",
        "--narrow-per-connection",
        "7",
        "--narrow-events",
        "100",
    ];
    let told = report(&relay, &fanout).await;
    assert_eq!(number(&told, "/together/deliveries"), 800.0);
    assert_eq!(number(&told, "/one_at_a_time/deliveries"), 200.0);
    assert_positive(
        &told,
        &[
            "/together/relay_cpu_us_per_delivery",
            "/one_at_a_time/latency/p50_ms",
            "/narrow_subscriptions/relay_cpu_us_per_event_with_subscriptions",
        ],
    );
}

#[tokio::test]
async fn v1_a_relay_that_keeps_no_subscriptions_is_noticed() {
    let closed = setup().config("[auth]\nrequired = true").start().await;
    let fanout = [
        "fanout",
        "--subscribers",
        "2",
        "--events",
        "5",
        "--patience",
        "5",
    ];
    let refused = bench(&closed, &fanout).await;
    refused.assert_failure(&["the relay keeps no such subscription", "auth-required:"]);
}

#[tokio::test]
async fn v1_idle_connections_are_weighed() {
    let relay = setup().start().await;
    let told = report(&relay, &["idle", "--connections", "40", "--seconds", "1"]).await;
    assert_eq!(number(&told, "/connections"), 40.0);
    assert_positive(
        &told,
        &[
            "/rss_without_connections_kib",
            "/relay_cpu_us_per_opening",
            "/idle_cpu_percent",
        ],
    );
}

#[tokio::test]
async fn v1_the_floor_is_measured_without_a_relay() {
    let setup = setup();
    let micro = [
        "bench",
        "micro",
        "--json",
        "--directory",
        ".",
        "--store-events",
        "300",
    ];
    let told = json(setup.run(&micro).await.assert_success());
    assert_positive(
        &told,
        &[
            "/json_parse_us",
            "/id_hash_us",
            "/crypto_cost_us",
            "/single_send_us_per_frame",
            "/corked_receive_us_per_frame",
            "/store_in_batches_of_256/cpu_us_per_event",
            "/fdatasync_of_a_page/max_ms",
        ],
    );
    let crypto = number(&told, "/key_and_signature_decode_us") + number(&told, "/bip340_verify_us");
    assert!((crypto - number(&told, "/crypto_cost_us")).abs() < 0.01);
    assert!(!left_behind(setup.home()), "a directory was left behind");
}

fn left_behind(home: &Path) -> bool {
    let entries = fs::read_dir(home).expect("the home").flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.any(|name| name.starts_with("trellis-bench"))
}
