//! C4: deletion requests (NIP-09), what they reach, and that they stay in force.

use trellis_test_support::client::ids;
use trellis_test_support::{Author, Client, Event, Relay, json, now, trellis};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

fn address(event: &Event, d: &str) -> String {
    format!("{}:{}:{d}", event.kind.as_u16(), event.pubkey.to_hex())
}

#[tokio::test]
async fn c4_an_author_deletes_own_events_by_id() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let events = author.notes(3);
    client.store_all(&events).await;
    let deletion = author.deletion([["e", &ids(&events)[0]], ["e", &ids(&events)[1]]]);
    client.store(&deletion).await;
    let found = client.query(json!({"kinds": [1]})).await;
    assert_eq!(found, events[2..]);
    let kept = client.query(json!({"kinds": [5]})).await;
    assert_eq!(kept, [deletion], "the request itself stays");
    for event in &events[..2] {
        client
            .publish(event)
            .await
            .assert_refused("blocked:", "deleted");
    }
    assert_eq!(client.query(json!({"ids": ids(&events[..2])})).await, []);
}

#[tokio::test]
async fn c4_nobody_deletes_what_others_wrote() {
    let (_relay, mut client) = relay().await;
    let (ann, bob) = (Author::new(), Author::new());
    let note = ann.note("stays");
    let list = ann.draft(10_002).sign();
    client.store_all(&[note.clone(), list.clone()]).await;
    let deletion = bob.deletion([["e", &note.id.to_hex()], ["a", &address(&list, "")]]);
    client.publish(&deletion).await;
    let mut found = client.query_ids(json!({"authors": [ann.pubkey()]})).await;
    found.sort();
    let mut expected = ids(&[note.clone(), list]);
    expected.sort();
    assert_eq!(found, expected);
    assert!(
        client
            .publish(&note)
            .await
            .message
            .starts_with("duplicate:")
    );
}

#[tokio::test]
async fn c4_a_request_that_comes_before_its_event_holds() {
    let (_relay, mut client) = relay().await;
    let (ann, bob) = (Author::new(), Author::new());
    let event = ann.note("deleted before it came");
    let id = event.id.to_hex();
    client.store(&bob.deletion([["e", &id]])).await;
    client.store(&ann.deletion([["e", &id]])).await;
    client
        .publish(&event)
        .await
        .assert_refused("blocked:", "deleted");
    // Another's request alone is in nobody's way.
    let free = ann.note("free");
    client
        .store(&bob.deletion([["e", &free.id.to_hex()]]))
        .await;
    client.store(&free).await;
}

#[tokio::test]
async fn c4_an_address_is_deleted_up_to_the_time_of_the_request() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let at = now() - 100;
    for (kind, d) in [(30_023, "post"), (30_023, ""), (10_002, "")] {
        let version = |at: u64| author.draft(kind).at(at).tag(&["d", d]).sign();
        let (before, same, after) = (version(at - 1), version(at), version(at + 1));
        client.store(&before).await;
        let coordinate = address(&before, d);
        client
            .store(&author.draft(5).at(at).tag(&["a", &coordinate]).sign())
            .await;
        let filter = json!({"authors": [author.pubkey()], "kinds": [kind], "#d": [d]});
        assert_eq!(client.query(filter.clone()).await, [], "{coordinate}");
        for gone in [&before, &same] {
            client
                .publish(gone)
                .await
                .assert_refused("blocked:", "deleted");
        }
        client.store(&after).await;
        assert_eq!(client.query(filter).await, [after], "{coordinate}");
    }
}

#[tokio::test]
async fn c4_a_newer_version_survives_an_older_request() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let at = now() - 100;
    let newer = author.draft(30_023).at(at + 1).tag(&["d", "x"]).sign();
    let other = author.draft(30_023).at(at - 1).tag(&["d", "y"]).sign();
    client.store_all(&[newer.clone(), other.clone()]).await;
    let deletion = author
        .draft(5)
        .at(at)
        .tag(&["a", &address(&newer, "x")])
        .sign();
    client.store(&deletion).await;
    let found = client.query(json!({"kinds": [30_023]})).await;
    assert_eq!(found, [newer, other]);
}

#[tokio::test]
async fn c4_a_deletion_cannot_be_deleted() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let note = author.note("gone");
    client.store(&note).await;
    let deletion = author.deletion([["e", &note.id.to_hex()]]);
    client.store(&deletion).await;
    client
        .publish(&author.deletion([["e", &deletion.id.to_hex()]]))
        .await;
    let found = client.query(json!({"ids": [deletion.id.to_hex()]})).await;
    assert_eq!(found, [deletion]);
    client
        .publish(&note)
        .await
        .assert_refused("blocked:", "deleted");
}

#[tokio::test]
async fn c4_deleted_events_do_not_come_back_after_a_restart() {
    let (relay, mut client) = relay().await;
    let author = Author::new();
    let note = author.note("gone");
    let post = author.draft(30_023).at(now() - 100).tag(&["d", "x"]).sign();
    client.store_all(&[note.clone(), post.clone()]).await;
    let deletion = author.deletion([["e", &note.id.to_hex()], ["a", &address(&post, "x")]]);
    client.store(&deletion).await;
    let (_, setup) = relay.stop().await;
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    for event in [&note, &post] {
        client
            .publish(event)
            .await
            .assert_refused("blocked:", "deleted");
    }
    let found = client.query(json!({"authors": [author.pubkey()]})).await;
    assert_eq!(found, [deletion]);
}

#[tokio::test]
async fn c4_deleted_events_do_not_come_back_by_import() {
    let (relay, mut client) = relay().await;
    let author = Author::new();
    let note = author.note("gone");
    client.store(&note).await;
    client
        .store(&author.deletion([["e", &note.id.to_hex()]]))
        .await;
    let (_, setup) = relay.stop().await;
    let file = setup.config_file().display().to_string();
    setup
        .run_with_input(&["import", "-c", &file, "-"], &(note.as_json() + "\n"))
        .await
        .assert_success();
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, []);
}

#[tokio::test]
async fn c4_a_recipient_deletes_gift_wraps() {
    let (_relay, mut client) = relay().await;
    let (recipient, other) = (Author::new(), Author::new());
    let wrap = |kind| {
        Author::new()
            .draft(kind)
            .tag(&["p", &recipient.pubkey()])
            .sign()
    };
    let (gone, kept) = (wrap(1059), wrap(1059));
    client.store_all(&[gone.clone(), kept.clone()]).await;
    client
        .store(&other.deletion([["e", &kept.id.to_hex()]]))
        .await;
    client
        .store(&recipient.deletion([["e", &gone.id.to_hex()]]))
        .await;
    client.login(&recipient).await;
    let found = client.query(json!({"kinds": [1059]})).await;
    assert_eq!(found, [kept]);
    client
        .publish(&gone)
        .await
        .assert_refused("blocked:", "deleted");
}

#[tokio::test]
async fn c4_a_deleted_version_does_not_bring_back_an_older_one() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let at = now() - 100;
    let draft = |at: u64| author.draft(10_002).at(at).sign();
    let (old, new) = (draft(at), draft(at + 1));
    client.store(&old).await;
    client.store(&new).await;
    client
        .store(&author.deletion([["e", &new.id.to_hex()]]))
        .await;
    assert_eq!(client.query(json!({"kinds": [10_002]})).await, []);
}

#[tokio::test]
async fn c4_requests_that_make_no_sense_harm_nothing() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let note = author.note("stays");
    client.store(&note).await;
    let pubkey = author.pubkey();
    for tag in [
        ["e", ""],
        ["e", "abc"],
        ["a", ""],
        ["a", "1"],
        ["a", ":::"],
        ["a", &format!("x:{pubkey}:")],
        ["a", &format!("99999:{pubkey}:")],
        ["a", &format!("1:{pubkey}:")],
        ["k", "1"],
        ["p", &pubkey],
    ] {
        client.publish(&author.draft(5).tag(&tag).sign()).await;
    }
    client.publish(&author.draft(5).tag(&["e"]).sign()).await;
    client.publish(&author.draft(5).sign()).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [note]);
}
