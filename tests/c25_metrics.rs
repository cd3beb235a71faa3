//! C25: what the relay counts, and that no series names anybody.

use std::collections::BTreeMap;
use trellis_relay::metrics::TABLE;
use trellis_test_support::wait;
use trellis_test_support::{Author, Client, Relay, http, json, trellis};

/// Every series of a page, as it stands, with its value.
async fn scrape(relay: &Relay) -> BTreeMap<String, f64> {
    let page = http::get(relay, "/metrics", &[]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let samples = page
        .body
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let parse = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        (series.to_owned(), value.parse().expect("a number"))
    };
    samples.map(parse).collect()
}

/// Waits until a series has a value: what a client was told may be counted a moment later.
async fn expect(relay: &Relay, series: &str, value: f64) {
    wait::until(&format!("{series} {value}"), async || {
        (scrape(relay).await.get(series) == Some(&value)).then_some(())
    })
    .await;
}

/// The name of a series, without what a histogram adds.
fn base(series: &str) -> &str {
    let name = series.split('{').next().unwrap_or_default();
    let is_histogram = |name: &str| TABLE.iter().any(|metric| metric.name == name);
    ["_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|suffix| name.strip_suffix(suffix))
        .find(|stripped| is_histogram(stripped))
        .unwrap_or(name)
}

fn labels(series: &str) -> Vec<String> {
    let Some((_, labels)) = series.split_once('{') else {
        return Vec::new();
    };
    let names = labels.trim_end_matches('}').split("\",");
    names
        .filter_map(|label| Some(label.split_once('=')?.0.to_owned()))
        .filter(|label| label != "le")
        .collect()
}

#[tokio::test]
async fn c25_what_happens_is_counted() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    client.subscribe("live", &[json!({"limit": 0})]).await;
    client.stored("live").await.expect("EOSE");
    let note = author.note("one");
    client.store(&note).await;
    client.publish(&note).await.assert_accepted();
    let other = author.note("other");
    let forged = other.as_json().replace("other", "forged");
    client.send_text(&format!(r#"["EVENT",{forged}]"#)).await;
    client.verdict(&other.id.to_hex()).await;
    let passing = author.draft(20_001).content("gone").sign();
    client.publish(&passing).await.assert_accepted();
    client.query(json!({"kinds": [1]})).await;
    client
        .count(&[json!({"kinds": [1]})])
        .await
        .expect("a count");
    client.send_text("nonsense").await;
    client.notice().await;
    client
        .send_auth(&author.auth_event("wss://elsewhere.example", "wrong"))
        .await;

    for (series, value) in [
        ("trellis_connections", 1.0),
        ("trellis_connections_max", 20_000.0),
        (r#"trellis_messages_total{verb="EVENT"}"#, 4.0),
        (r#"trellis_messages_total{verb="REQ"}"#, 2.0),
        (r#"trellis_messages_total{verb="COUNT"}"#, 1.0),
        (r#"trellis_messages_total{verb="AUTH"}"#, 1.0),
        (r#"trellis_messages_total{verb="invalid"}"#, 1.0),
        (r#"trellis_events_accepted_total{how="stored"}"#, 1.0),
        (r#"trellis_events_accepted_total{how="ephemeral"}"#, 1.0),
        ("trellis_events_duplicate_total", 1.0),
        (r#"trellis_events_rejected_total{reason="invalid"}"#, 1.0),
        ("trellis_live_deliveries_total", 2.0),
        ("trellis_stored_deliveries_total", 1.0),
        ("trellis_commit_events_sum", 1.0),
        ("trellis_commit_seconds_count", 1.0),
        (r#"trellis_query_seconds_count{verb="COUNT"}"#, 1.0),
        (r#"trellis_auth_failures_total{reason="invalid"}"#, 1.0),
        ("trellis_store_events", 1.0),
        ("trellis_store_full", 0.0),
        ("trellis_outbox_bytes", 0.0),
    ] {
        expect(&relay, series, value).await;
    }
    drop(client);
    expect(
        &relay,
        r#"trellis_disconnections_total{reason="gone"}"#,
        1.0,
    )
    .await;
    expect(&relay, "trellis_connections", 0.0).await;
}

#[tokio::test]
async fn c25_http_is_timed_by_route_and_code() {
    let relay = trellis!().start().await;
    http::get(&relay, "/livez", &[]).await;
    http::get(&relay, "/where/strangers/look", &[]).await;
    http::post(&relay, "/health", &[], "").await;
    let count = |route: &str, code: u16| {
        format!(r#"trellis_http_request_seconds_count{{route="{route}",code="{code}"}}"#)
    };
    expect(&relay, &count("/livez", 200), 1.0).await;
    expect(&relay, &count("none", 404), 1.0).await;
    expect(&relay, &count("/health", 405), 1.0).await;
    let series = scrape(&relay).await;
    assert!(!series.keys().any(|series| series.contains("strangers")));
}

#[tokio::test]
async fn c25_refusals_are_counted_by_rule_and_limit() {
    let relay = trellis!()
        .config(
            "[network]\nmax_connections = 1\n[[rate_limiter.event]]\nname = \"notes\"\nperiod = \"1h\"\nlimit = 1",
        )
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let notes = Author::new().notes(2);
    client.store(&notes[0]).await;
    client
        .publish(&notes[1])
        .await
        .assert_refused("rate-limited", "notes");
    expect(&relay, r#"trellis_rate_limited_total{rule="notes"}"#, 1.0).await;
    assert!(Client::connect_with(&relay, &[]).await.is_err());
    let series = r#"trellis_connections_refused_total{reason="relay_full"}"#;
    expect(&relay, series, 1.0).await;
}

#[tokio::test]
async fn c25_every_series_stands_in_the_table_and_names_nobody() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    client.login(&author).await;
    client.store(&author.note("counted")).await;
    client.query(json!({"authors": [author.pubkey()]})).await;
    drop(client);
    http::get(&relay, &format!("/{}", author.pubkey()), &[]).await;
    let series = scrape(&relay).await;
    assert!(series.len() > 30, "{series:?}");
    for name in series.keys() {
        let described = TABLE.iter().find(|metric| metric.name == base(name));
        let described = described.unwrap_or_else(|| panic!("{name} stands in no table"));
        for label in labels(name) {
            assert!(
                described.labels.contains(&label.as_str()),
                "{name}: {label}"
            );
        }
        for told in [&author.pubkey()[..16], "127.0.0.1"] {
            assert!(!name.contains(told), "{name} names somebody");
        }
    }
}

#[tokio::test]
async fn c25_the_page_says_what_each_metric_means() {
    let relay = trellis!().start().await;
    drop(Client::connect(&relay).await);
    let page = http::get(&relay, "/metrics", &[]).await.body;
    for metric in TABLE {
        if page.contains(&format!("# TYPE {} ", metric.name)) {
            let help = format!("# HELP {} ", metric.name);
            assert!(page.contains(&help), "{} has no HELP", metric.name);
            let kind = format!("# TYPE {} {}\n", metric.name, metric.kind);
            assert!(
                page.contains(&kind),
                "{} is no {}",
                metric.name,
                metric.kind
            );
        }
    }
}
