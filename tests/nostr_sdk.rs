//! The nostr-sdk crate, which Rust applications build on, against a running relay.

use nostr_sdk::prelude::{
    Client, Event, EventBuilder, Filter, Keys, Kind, MemoryDatabase, MemoryDatabaseOptions,
    RelayPoolNotification, SyncDirection, SyncOptions, Tag, Timestamp,
};
use std::collections::HashSet;
use std::time::Duration;
use trellis_test_support::{Relay, trellis, wait};

/// How long the library may take before it gives up by itself; the tests do so at their own deadline.
const PATIENCE: Duration = wait::DEADLINE;

async fn client(relay: &Relay, keys: &Keys) -> Client {
    let client = Client::new(keys.clone());
    client.add_relay(relay.ws_url()).await.expect("add a relay");
    let connected = client.try_connect(PATIENCE).await;
    assert!(connected.failed.is_empty(), "{connected:?}");
    client
}

async fn contents(client: &Client, filter: Filter) -> Vec<String> {
    let events = client.fetch_events(filter, PATIENCE).await.expect("events");
    events.into_iter().map(|event| event.content).collect()
}

#[tokio::test]
async fn c1_events_are_published_and_fetched_newest_first() {
    let relay = trellis!().start().await;
    let keys = Keys::generate();
    let client = client(&relay, &keys).await;
    for (at, content) in [
        (1_700_000_000, "a"),
        (1_700_000_002, "c"),
        (1_700_000_001, "b"),
    ] {
        let builder = EventBuilder::text_note(content).custom_created_at(Timestamp::from(at));
        let output = client.send_event_builder(builder).await.expect("sent");
        assert!(output.failed.is_empty(), "{output:?}");
    }
    let filter = Filter::new().author(keys.public_key());
    assert_eq!(contents(&client, filter.clone()).await, ["c", "b", "a"]);
    assert_eq!(contents(&client, filter.limit(1)).await, ["c"]);
    client.shutdown().await;
}

#[tokio::test]
async fn c1_live_events_reach_subscribers() {
    let relay = trellis!().start().await;
    let (ann, bob) = (Keys::generate(), Keys::generate());
    let reader = client(&relay, &bob).await;
    let mut notifications = reader.notifications();
    let filter = Filter::new().author(ann.public_key());
    reader.subscribe(filter, None).await.expect("subscribed");
    let writer = client(&relay, &ann).await;
    let sent = writer
        .send_event_builder(EventBuilder::text_note("live"))
        .await
        .expect("sent");
    let received = async {
        loop {
            match notifications.recv().await.expect("notifications") {
                RelayPoolNotification::Event { event, .. } => break event.id,
                _ => continue,
            }
        }
    };
    assert_eq!(wait::within("the event", received).await, *sent.id());
}

#[tokio::test]
async fn c8_the_library_authenticates_by_itself_where_it_is_asked_to() {
    let relay = trellis!()
        .env("TRELLIS_AUTH__REQUIRED", "true")
        .start()
        .await;
    let keys = Keys::generate();
    let client = client(&relay, &keys).await;
    let output = client
        .send_event_builder(EventBuilder::text_note("members only"))
        .await
        .expect("sent");
    assert!(output.failed.is_empty(), "{output:?}");
    let filter = Filter::new().author(keys.public_key());
    assert_eq!(contents(&client, filter).await, ["members only"]);
}

#[tokio::test]
async fn c9_gift_wraps_reach_their_recipient() {
    let relay = trellis!().start().await;
    let (ann, bob, eve) = (Keys::generate(), Keys::generate(), Keys::generate());
    let writer = client(&relay, &ann).await;
    let wrap = EventBuilder::new(Kind::GiftWrap, "sealed").tag(Tag::public_key(bob.public_key()));
    let sent = writer.send_event_builder(wrap).await.expect("sent");
    assert!(sent.failed.is_empty(), "{sent:?}");
    let filter = Filter::new().kind(Kind::GiftWrap);
    let recipient = client(&relay, &bob).await;
    assert_eq!(contents(&recipient, filter.clone()).await, ["sealed"]);
    // The library reports a refusal as an error or as nothing found; either keeps the secret.
    let stranger = client(&relay, &eve).await;
    let found = stranger.fetch_events(filter, PATIENCE).await;
    assert!(found.map_or(true, |events| events.is_empty()));
}

#[tokio::test]
async fn c10_negentropy_the_library_reconciles_both_ways() {
    let relay = trellis!().start().await;
    let keys = Keys::generate();
    let notes: Vec<Event> = (0..300)
        .map(|i: u64| {
            // Three a second.
            EventBuilder::text_note(i.to_string())
                .custom_created_at(Timestamp::from(1_700_000_000 + i / 3))
                .sign_with_keys(&keys)
                .expect("signed")
        })
        .collect();
    let publisher = client(&relay, &keys).await;
    for note in &notes[..200] {
        let output = publisher.send_event(note).await.expect("sent");
        assert!(output.failed.is_empty(), "{output:?}");
    }
    let database = MemoryDatabase::with_opts(MemoryDatabaseOptions {
        events: true,
        max_events: None,
    });
    let syncing = Client::builder().database(database).build();
    syncing.add_relay(relay.ws_url()).await.expect("added");
    syncing.connect().await;
    for note in &notes[100..] {
        syncing.database().save_event(note).await.expect("saved");
    }
    let filter = Filter::new().author(keys.public_key());
    let options = SyncOptions::new().direction(SyncDirection::Both);
    let output = syncing
        .sync(filter.clone(), &options)
        .await
        .expect("synced");
    assert!(output.failed.is_empty(), "{output:?}");
    let ids = |notes: &[Event]| notes.iter().map(|note| note.id).collect::<HashSet<_>>();
    assert_eq!(output.val.remote, ids(&notes[..100]));
    assert_eq!(output.val.local, ids(&notes[200..]));
    assert_eq!(output.val.received, ids(&notes[..100]));
    assert_eq!(output.val.sent, ids(&notes[200..]));
    assert_eq!(contents(&publisher, filter).await.len(), 300);
}
