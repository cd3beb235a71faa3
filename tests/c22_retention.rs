//! C22: what is too old or too much goes by itself, as the rules of `[[retention]]` say, and nothing else does.

use trellis_test_support::client::ids;
use trellis_test_support::{Author, Client, Event, Relay, http, json, now, trellis, wait};

const OFTEN: &str = "[data]\nretention_interval = \"100ms\"\n";

async fn relay(rules: &str) -> (Relay, Client) {
    let relay = trellis!().config(&config(rules)).start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

fn config(rules: &str) -> String {
    format!("{OFTEN}{rules}")
}

/// Waits until these events alone are left of those that the filter asks for, in whatever order.
async fn wait_for_left(client: &mut Client, filter: trellis_test_support::Value, left: &[Event]) {
    let mut expected = ids(left);
    expected.sort();
    wait::until(&format!("{} events left", left.len()), async || {
        let mut found = client.query_ids(filter.clone()).await;
        found.sort();
        (found == expected).then_some(())
    })
    .await;
}

fn aged(author: &Author, kind: u16, seconds: u64) -> Event {
    author.draft(kind).at(now() - seconds).sign()
}

#[tokio::test]
async fn c22_old_events_of_a_kind_go_and_others_stay() {
    let (_relay, mut client) =
        relay("[[retention]]\nkinds = [7, [20, 24]]\nmax_age = \"1h\"").await;
    let author = Author::new();
    let kept = [
        aged(&author, 1, 100_000),
        aged(&author, 24, 100_000),
        aged(&author, 7, 10),
    ];
    client.store_all(&kept).await;
    client
        .store_all(&[aged(&author, 7, 3_700), aged(&author, 23, 1_000_000)])
        .await;
    wait_for_left(&mut client, json!({}), &kept).await;
}

#[tokio::test]
async fn c22_old_events_of_some_authors_go_and_others_stay() {
    let (ann, bob) = (Author::new(), Author::new());
    let rule = format!(
        "[[retention]]\nauthors = [{:?}]\nmax_age = \"1h\"",
        ann.pubkey()
    );
    let (_relay, mut client) = relay(&rule).await;
    let kept = [aged(&bob, 1, 4_000), aged(&ann, 1, 100)];
    client.store_all(&kept).await;
    client.store_all(&[aged(&ann, 1, 4_000)]).await;
    wait_for_left(&mut client, json!({"kinds": [1]}), &kept).await;
}

#[tokio::test]
async fn c22_an_event_goes_when_it_has_grown_old() {
    let (_relay, mut client) = relay("[[retention]]\nmax_age = \"15s\"").await;
    let author = Author::new();
    let late = author.draft(1).at(now() + 600).sign();
    client.store(&late).await;
    wait::until("an answer before the event is old", async || {
        let early = aged(&author, 1, 8);
        client.store(&early).await;
        let found = client.query(json!({"ids": [early.id.to_hex()]})).await;
        let is_young = now() < early.created_at.as_secs() + 15;
        is_young.then(|| assert_eq!(found, [early], "not yet"))
    })
    .await;
    wait_for_left(&mut client, json!({}), &[late]).await;
}

#[tokio::test]
async fn c22_the_newest_are_kept_of_all_or_of_each_author() {
    let rules = "[[retention]]\nkinds = [1]\nmax_count = 3\n\
                 [[retention]]\nkinds = [7]\nmax_count = 2\nper = \"author\"";
    let (_relay, mut client) = relay(rules).await;
    let (ann, bob) = (Author::new(), Author::new());
    let notes: Vec<Event> = (0..8)
        .map(|i| aged(if i % 2 == 0 { &ann } else { &bob }, 1, i * 10))
        .collect();
    client.store_all(&notes).await;
    let reactions: Vec<Event> = [&ann, &bob]
        .iter()
        .flat_map(|author| (0..5).map(|i| aged(author, 7, i * 10)))
        .collect();
    client.store_all(&reactions).await;
    wait_for_left(&mut client, json!({"kinds": [1]}), &notes[..3]).await;
    let newest = [&reactions[..2], &reactions[5..7]].concat();
    wait_for_left(&mut client, json!({"kinds": [7]}), &newest).await;
    // And again, for what comes later.
    let next = ann.draft(1).at(now() + 5).sign();
    client.store(&next).await;
    let left = [&[next][..], &notes[..2]].concat();
    wait_for_left(&mut client, json!({"kinds": [1]}), &left).await;
}

#[tokio::test]
async fn c22_a_reload_puts_other_rules_in_force() {
    // Only a change of the rules begins a pass before an hour is over.
    let setup = trellis!().config("[data]\nretention_interval = \"1h\"");
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let (old, new) = (aged(&author, 1, 4_000), aged(&author, 1, 10));
    client.store_all(&[old, new.clone()]).await;
    let rule = "[data]\nretention_interval = \"1h\"\n[[retention]]\nmax_age = \"1h\"";
    relay.write_config(rule);
    relay.hang_up();
    wait_for_left(&mut client, json!({}), std::slice::from_ref(&new)).await;
    let stated = http::relay_information(&relay).await["retention"].clone();
    assert_eq!(stated, json!([{"time": 3_600}]));
    relay.write_config("[[retention]]\nmax_age = \"5s\"");
    relay.hang_up();
    wait_for_left(&mut client, json!({}), &[]).await;
}

#[tokio::test]
async fn c22_what_is_kept_how_long_stands_in_the_information_document() {
    let author = Author::new();
    let rules = format!(
        "[[retention]]\nkinds = [1, [5, 8]]\nmax_age = \"1d\"\n\
         [[retention]]\nkinds = [7]\nmax_count = 100\nper = \"author\"\n\
         [[retention]]\nauthors = [{:?}]\nmax_age = \"1h\"\n\
         [[retention]]\nmax_age = \"30d\"\nmax_count = 1000000",
        author.pubkey()
    );
    let (relay, _client) = relay(&rules).await;
    let stated = http::relay_information(&relay).await["retention"].clone();
    assert_eq!(
        stated,
        json!([
            {"kinds": [1, [5, 7]], "time": 86_400},
            {"kinds": [7], "count": 100, "per": "author"},
            {"time": 2_592_000, "count": 1_000_000},
        ])
    );
    let plain = trellis!().start().await;
    let plain = http::relay_information(&plain).await;
    assert!(plain.get("retention").is_none(), "{plain}");
}

#[tokio::test]
async fn c22_a_rule_that_means_nothing_stops_the_start() {
    for (rule, words) in [
        ("kinds = [1]", "retention[0].max_age"),
        ("max_age = \"0s\"", "retention[0].max_age"),
        ("max_count = 0", "max_count"),
        ("kinds = []\nmax_age = \"1d\"", "retention[0].kinds"),
        ("authors = []\nmax_age = \"1d\"", "retention[0].authors"),
        ("max_age = \"1d\"\nper = \"author\"", "retention[0].per"),
        ("max_age = \"1d\"\nmax_cuont = 5", "max_count"),
    ] {
        let setup = trellis!().config(&config(&format!("[[retention]]\n{rule}")));
        setup.serve_to_end().await.assert_failure(&[words]);
    }
}
