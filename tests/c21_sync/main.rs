//! C21: `trellis sync`, between two relays (`relays`) and with peers that misbehave (`peers`).

mod peers;
mod relays;

use std::collections::BTreeSet;
use trellis_test_support::{Client, Event, Output, Relay, Setup, Value, trellis};

/// A relay with these events.
async fn serving(events: &[Event]) -> Relay {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    client.store_all(events).await;
    relay
}

/// A stopped relay with these events.
async fn stopped(events: &[Event]) -> Setup {
    serving(events).await.stop().await.1
}

async fn sync(setup: &Setup, url: &str, more: &[&str]) -> Output {
    let config = setup.config_file().display().to_string();
    let mut arguments = vec!["sync", "-c", &config, url];
    arguments.extend(more);
    setup.run(&arguments).await
}

fn ids<'e>(events: impl IntoIterator<Item = &'e Event>) -> BTreeSet<String> {
    events.into_iter().map(|event| event.id.to_hex()).collect()
}

async fn stored(relay: &Relay, filter: Value) -> BTreeSet<String> {
    let mut client = Client::connect(relay).await;
    ids(&client.query(filter).await)
}

/// What a stopped relay has.
async fn exported(setup: &Setup) -> BTreeSet<String> {
    let config = setup.config_file().display().to_string();
    let output = setup.run(&["export", "-c", &config]).await;
    output.assert_success();
    let id = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("an event");
        event["id"].as_str().expect("an id").to_owned()
    };
    output.stdout.lines().map(id).collect()
}

#[track_caller]
fn assert_says(output: &Output, lines: &[&str]) {
    output.assert_success();
    for line in lines {
        assert!(output.stdout.contains(line), "{line:?}: {}", output.text());
    }
    assert_eq!(output.stderr, "", "quiet where nobody looks");
}
