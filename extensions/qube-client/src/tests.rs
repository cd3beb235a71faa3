//! The client against real relays in this process.

use crate::{ConnectError, Delivery, Received, Relays, Retry, Subscription};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trellis_relay::testing::{Author, TestRelay};
use url::Url;

const PATIENCE: Duration = Duration::from_secs(30);

fn url(text: &str) -> Url {
    text.parse().expect("a URL")
}

/// An address of this machine at which nobody listens, nor will: its port is given to none who asks for any.
fn nobody() -> Url {
    url("ws://127.0.0.1:1")
}

async fn connect(urls: &[Url], author: Option<&Author>) -> Relays {
    let keys = author.map(Author::keys);
    let relays = Relays::connect(urls, keys).await.expect("a client");
    for (url, _) in relays.connected() {
        let alone = Relays::connect(&[url], None).await.expect("a client");
        alone.wait_for_any(Duration::from_secs(5)).await;
    }
    assert!(relays.wait_for_any(PATIENCE).await);
    relays
}

fn signed(author: &Author, content: &str) -> nostr::event::Event {
    let note = author.note(content);
    let json = std::str::from_utf8(note.json()).expect("text");
    trellis_qube_protocol::verified(json).expect("a signed event")
}

async fn next_content(subscription: &mut Subscription) -> String {
    let heard = async {
        loop {
            match subscription.next().await {
                Some(Received::Event { event, .. }) => break event.content.clone(),
                Some(_) => continue,
                None => panic!("the subscription ended"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard)
        .await
        .expect("an event")
}

#[tokio::test]
async fn a1_what_is_stored_and_what_comes_is_heard() {
    let relay = TestRelay::setup().start().await;
    let ann = Author::new(1);
    let relays = connect(&[url(&relay.url())], None).await;
    let mut socket = relay.connect().await;
    socket.store(&ann.note("stored")).await;
    let filter = json!({"kinds": [1], "authors": [ann.pubkey().to_hex()]});
    let mut subscription = relays.subscribe(&filter).expect("a filter");
    assert_eq!(next_content(&mut subscription).await, "stored");
    socket.store(&ann.note("live")).await;
    while next_content(&mut subscription).await != "live" {}
}

#[tokio::test]
async fn a1_a_relay_that_is_away_keeps_no_other_from_answering() {
    let relay = TestRelay::setup().start().await;
    let ann = Author::new(1);
    let urls = [nobody(), url(&relay.url())];
    let relays = connect(&urls, None).await;
    let event = signed(&ann, "hello");
    let retry = Retry {
        within: Duration::from_millis(10),
        ..Retry::default()
    };
    let answers = relays.publish_until_ok(&event, retry).await;
    assert!(!answers[0].1.is_final(), "{answers:?}");
    assert_eq!(answers[1].1, Delivery::Accepted);
    let fetched = relays.fetch(&json!({"kinds": [1]}), PATIENCE).await;
    assert_eq!(fetched.events, vec![event]);
    assert_eq!(fetched.answered, vec![urls[1].clone()]);
    assert_eq!(fetched.failed.len(), 1, "{:?}", fetched.failed);
}

#[tokio::test]
async fn a1_all_pages_are_fetched_and_each_event_once() {
    let page = "[limitation]\nmax_limit = 10";
    let (one, two) = (
        TestRelay::setup().config(page).start().await,
        TestRelay::setup().start().await,
    );
    let ann = Author::new(1);
    let (mut first, mut second) = (one.connect().await, two.connect().await);
    for age_s in 0..25 {
        let note = ann
            .draft(1)
            .content(&format!("note {age_s}"))
            .ago(Duration::from_secs(age_s))
            .sign();
        first.store(&note).await;
        second.store(&note).await;
    }
    let relays = connect(&[url(&one.url()), url(&two.url())], None).await;
    let fetched = relays.fetch(&json!({"kinds": [1]}), PATIENCE).await;
    assert_eq!(fetched.failed, vec![]);
    assert_eq!(fetched.events.len(), 25);
}

#[tokio::test]
async fn a1_a_second_with_more_than_a_page_is_told() {
    let page = "[limitation]\nmax_limit = 10";
    let relay = TestRelay::setup().config(page).start().await;
    let ann = Author::new(1);
    let mut socket = relay.connect().await;
    let note = |number: u64, age_s| {
        let draft = ann.draft(1).content(&format!("note {number}"));
        draft.ago(Duration::from_secs(age_s)).sign()
    };
    for number in 0..9 {
        socket.store(&note(number, 60)).await;
    }
    socket.store(&note(20, 90)).await;
    let relays = connect(&[url(&relay.url())], None).await;
    let fetched = relays.fetch(&json!({"kinds": [1]}), PATIENCE).await;
    assert_eq!((fetched.events.len(), fetched.failed.len()), (10, 0));

    for number in 9..13 {
        socket.store(&note(number, 60)).await;
    }
    let fetched = relays.fetch(&json!({"kinds": [1]}), PATIENCE).await;
    assert_eq!(fetched.answered, vec![]);
    let problem = &fetched.failed[0].1;
    assert!(problem.contains("more events of the second"), "{problem}");
}

#[tokio::test]
async fn a1_authentication_is_answered_as_the_keys_owner() {
    // An answer to a challenge has the time at which the client gives it.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let relay = TestRelay::setup()
        .config("[auth]\nrequired = true")
        .starts_at_s(now.expect("a time").as_secs())
        .start()
        .await;
    let ann = Author::new(1);
    let relays = connect(&[url(&relay.url())], Some(&ann)).await;
    let answers = relays
        .publish_until_ok(&signed(&ann, "members"), Retry::default())
        .await;
    assert_eq!(answers[0].1, Delivery::Accepted);
    let fetched = relays.fetch(&json!({"kinds": [1]}), PATIENCE).await;
    assert_eq!(fetched.events.len(), 1, "{:?}", fetched.failed);
}

#[tokio::test]
async fn a1_what_is_refused_to_a_stranger_is_asked_for_as_soon_as_the_relay_knows_who_asks() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let relay = TestRelay::setup()
        .config("[auth]\nrequired = true")
        .starts_at_s(now.expect("a time").as_secs())
        .start()
        .await;
    let ann = Author::new(1);
    relay
        .connect_as(&ann)
        .await
        .store(&ann.note("stored"))
        .await;
    // Subscribed before there is a connection: the question is there before the answer to the challenge.
    let relays = Relays::connect(&[url(&relay.url())], Some(ann.keys()))
        .await
        .expect("a client");
    let mut subscription = relays.subscribe(&json!({"kinds": [1]})).expect("a filter");
    let heard = next_content(&mut subscription);
    // Less than a relay is left alone that refuses for another reason.
    let heard =
        tokio::time::timeout(crate::follow::AFTER_CLOSED - Duration::from_secs(2), heard).await;
    assert_eq!(heard.as_deref(), Ok("stored"));
}

#[tokio::test]
async fn a1_wrong_addresses_are_refused_with_a_reason() {
    let none = Relays::connect(&[], None).await.err();
    assert!(matches!(none, Some(ConnectError::NoRelays)), "{none:?}");
    let wrong = Relays::connect(&[url("https://relay.example")], None).await;
    let wrong = wrong.err().map(|error| error.to_string());
    assert!(wrong.is_some_and(|text| text.contains("wss://")));
}

#[tokio::test]
async fn a1_who_refuses_the_connection_is_not_waited_for() {
    let long = Duration::from_secs(86_400);
    let relays = Relays::connect(&[nobody()], None).await.expect("a client");
    let filter = json!({"kinds": [1]});
    let asked = relays.fetch(&filter, long);
    let fetched = tokio::time::timeout(Duration::from_secs(300), asked).await;
    let fetched = fetched.expect("an answer long before");
    assert_eq!(fetched.failed[0].1, "it cannot be reached");
    let retry = Retry {
        within: long,
        ..Retry::default()
    };
    let note = signed(&Author::new(1), "hello");
    let offered = relays.publish_until_ok(&note, retry);
    let offered = tokio::time::timeout(Duration::from_secs(300), offered).await;
    assert!(!offered.expect("an answer long before")[0].1.is_final());
    let left = relays.without(&[fetched.failed[0].0.clone()]);
    assert_eq!(left.urls().count(), 0);
}

#[tokio::test]
async fn a1_a_relay_that_wants_to_know_who_asks_is_told_of() {
    let setup = TestRelay::setup().config("[auth]\nrequired = true");
    let relay = setup.start().await;
    let relays = connect(&[url(&relay.url())], None).await;
    let fetched = relays.fetch(&json!({"kinds": [1]}), PATIENCE).await;
    let problem = &fetched.failed[0].1;
    assert!(problem.contains("nobody was logged in"), "{problem}");
    let mut subscription = relays.subscribe(&json!({"kinds": [1]})).expect("a filter");
    let heard = tokio::time::timeout(PATIENCE, subscription.next()).await;
    let heard = heard.expect("in time");
    assert!(matches!(heard, Some(Received::Refused { .. })), "{heard:?}");
}
