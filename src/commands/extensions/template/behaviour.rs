//! What clients see of the extension, with a whole relay inside each test.

use trellis_relay::testing::{Author, TestRelay, Value, conformance, json};

use new_extension::NewExtension;

const TABLE: &str = "[extensions.new_extension]";
const NOTES: &str = "/api/new_extension/notes";

/// A relay with this inside the extension's table.
async fn start(keys: &str) -> TestRelay {
    let setup = TestRelay::of::<NewExtension>();
    let setup = setup.config(&format!("{TABLE}\n{keys}"));
    setup.start().await
}

#[tokio::test]
async fn long_notes_are_refused() {
    let relay = start("max_characters = 5").await;
    let alice = Author::new(1);
    let mut client = relay.connect().await;
    client.store(&alice.note("hello")).await;
    let verdict = client.publish(&alice.note("too long")).await;
    verdict.assert_refused("blocked: notes have at most 5 characters here");
    relay.stop().await;
}

#[tokio::test]
async fn notes_are_counted_and_the_count_outlives_a_crash() {
    let relay = start("").await;
    let alice = Author::new(1);
    let mut client = relay.connect().await;
    client.store(&alice.note("one")).await;
    client.store(&alice.note("two")).await;
    let relay = relay.kill_and_restart().await;
    let path = format!("{NOTES}/{}", alice.pubkey());
    let counted: Value = relay.get(&path).await.json();
    assert_eq!(counted, json!({ "count": 2 }));
    let wrong = relay.get(&format!("{NOTES}/alice")).await;
    assert_eq!(wrong.status, 400);
    relay.stop().await;
}

#[tokio::test]
async fn private_kinds_are_for_those_who_have_logged_in() {
    let relay = start("private = [445]").await;
    let alice = Author::new(1);
    let secret = alice.draft(445).content("secret").sign();
    let mut client = relay.connect().await;
    client.store(&secret).await;
    let wanted = json!({ "kinds": [445] });
    assert_eq!(client.query(wanted.clone()).await, Ok(vec![]));
    assert_eq!(client.count(wanted.clone()).await, Ok(0));
    client.login(&alice).await;
    assert_eq!(client.query(wanted).await, Ok(vec![secret]));
    relay.stop().await;
}

#[tokio::test]
async fn it_passes_what_every_extension_should() {
    conformance::<NewExtension>("").await;
}
