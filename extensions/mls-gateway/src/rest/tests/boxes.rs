//! M24, M25: mailboxes.

use super::ground::{As, Ground, expect, hex};
use crate::storage::{Package, PutPackage};
use futures_util::future::join_all;
use sha2::{Digest, Sha256};
use std::time::Duration;
use trellis_relay::event::EventId;
use trellis_relay::testing::{Author, START_S, Value, json};

const DAY: Duration = Duration::from_secs(86_400);

/// Each mailbox: its path, and a letter for a recipient.
fn boxes(recipient: &Author) -> [(&'static str, Value); 2] {
    let recipient = hex(recipient);
    [
        (
            "/keypackages",
            json!({"recipient": recipient, "content_b64": "q83v"}),
        ),
        (
            "/welcome",
            json!({"recipient": recipient, "group_id": "team", "welcome_b64": "q83v"}),
        ),
    ]
}

fn of(path: &str, recipient: &Author) -> String {
    format!("{path}?recipient={}", hex(recipient))
}

async fn ids(ground: &Ground, path: &str, recipient: &Author) -> Vec<String> {
    let list = ground.get(&of(path, recipient), As::Key(recipient)).await;
    let list = expect(list, 200);
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn m24_a_key_package_waits_for_its_recipient_until_it_is_acknowledged() {
    let ground = Ground::start("").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    let body = json!({
        "recipient": hex(&bob), "sender": hex(&alice), "content_b64": "q83v",
        "tags": [["cs", "0x0001"]], "client": "one that says more",
    });
    let deposited = ground.post("/keypackages", As::Key(&alice), body).await;
    let deposited = expect(deposited, 200);
    assert_eq!(deposited["ok"], true);
    let id = deposited["id"].as_str().unwrap();

    ground.relay.clock().advance(Duration::from_secs(60));
    let path = of("/keypackages", &bob);
    let list = || ground.get(&path, As::Key(&bob));
    let wanted = json!({"ok": true, "items": [{
        "id": id,
        "recipient_pubkey": hex(&bob),
        "sender_pubkey": hex(&alice),
        "content_b64": "q83v",
        "tags": [["cs", "0x0001"]],
        "created_at": "2023-11-14T22:13:20Z",
        "expires_at": "2023-11-21T22:13:20Z",
        "picked_up_at": "2023-11-14T22:14:20Z",
    }]});
    assert_eq!(expect(list().await, 200), wanted);
    // It stays as it is until it is acknowledged.
    ground.relay.clock().advance(DAY);
    assert_eq!(expect(list().await, 200), wanted);

    let path = format!("/keypackages/{id}/ack");
    let ack = || ground.post(&path, As::Key(&bob), json!({"recipient": hex(&bob)}));
    assert_eq!(expect(ack().await, 200), json!({"ok": true}));
    assert_eq!(expect(list().await, 200), json!({"ok": true, "items": []}));
    assert_eq!(expect(ack().await, 200), json!({"ok": true}));
}

#[tokio::test]
async fn m25_a_welcome_comes_with_its_group_and_tree() {
    let ground = Ground::start("").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    let body = json!({
        "recipient": hex(&bob), "sender": hex(&alice), "group_id": "team",
        "welcome_b64": "q83v", "ratchet_tree_b64": "AAAA",
    });
    let deposited = expect(ground.post("/welcome", As::Key(&alice), body).await, 200);
    let list = expect(ground.get(&of("/welcome", &bob), As::Key(&bob)).await, 200);
    let wanted = json!({"ok": true, "items": [{
        "id": deposited["id"],
        "recipient_pubkey": hex(&bob),
        "sender_pubkey": hex(&alice),
        "group_id": "team",
        "welcome_b64": "q83v",
        "ratchet_tree_b64": "AAAA",
        "created_at": "2023-11-14T22:13:20Z",
        "expires_at": "2023-11-21T22:13:20Z",
        "picked_up_at": "2023-11-14T22:13:20Z",
    }]});
    assert_eq!(list, wanted);
}

#[tokio::test]
async fn m24_the_sender_is_who_signed() {
    let ground = Ground::start("").await;
    let (alice, bob, carol) = (
        ground.relay.author(1),
        ground.relay.author(2),
        ground.relay.author(3),
    );
    for (path, mut body) in boxes(&bob) {
        body["sender"] = hex(&carol).into();
        expect(ground.post(path, As::Key(&alice), body.clone()).await, 403);
        expect(ground.post(path, As::Service, body.clone()).await, 200);
        body["sender"] = Value::Null;
        expect(ground.post(path, As::Service, body.clone()).await, 400);
        ground.relay.clock().advance(Duration::from_secs(1));
        expect(ground.post(path, As::Key(&alice), body).await, 200);
        let list = expect(ground.get(&of(path, &bob), As::Key(&bob)).await, 200);
        let senders = [&list["items"][0], &list["items"][1]].map(|item| &item["sender_pubkey"]);
        assert_eq!(
            senders.map(|it| it.as_str().unwrap()),
            [hex(&carol), hex(&alice)]
        );
    }
}

#[tokio::test]
async fn m24_only_its_recipient_acknowledges_a_letter() {
    let ground = Ground::start("").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    for (path, body) in boxes(&bob) {
        let deposited = expect(ground.post(path, As::Key(&alice), body).await, 200);
        let id = deposited["id"].as_str().unwrap();
        let ack = format!("{path}/{id}/ack");
        expect(ground.post(&ack, As::Key(&alice), json!({})).await, 403);
        let named = json!({"recipient": hex(&bob)});
        expect(ground.post(&ack, As::Key(&alice), named.clone()).await, 403);
        expect(
            ground
                .post(&ack, As::Service, json!({"recipient": hex(&alice)}))
                .await,
            403,
        );
        expect(
            ground
                .post(
                    &format!("{path}/{}/ack", "0".repeat(32)),
                    As::Key(&bob),
                    named,
                )
                .await,
            404,
        );
        assert_eq!(ids(&ground, path, &bob).await, [id]);

        let sign = |text: &str| bob.keys().sign_schnorr(Sha256::digest(text)).to_string();
        let with = |sig: &str| json!({"recipient": hex(&bob), "sig": sig});
        expect(ground.post(&ack, As::Key(&bob), with("abc")).await, 400);
        expect(
            ground
                .post(&ack, As::Key(&bob), with(&sign("ack:other")))
                .await,
            403,
        );
        assert_eq!(ids(&ground, path, &bob).await, [id]);
        let right = with(&sign(&format!("ack:{id}")));
        expect(ground.post(&ack, As::Key(&bob), right.clone()).await, 200);
        expect(ground.post(&ack, As::Key(&bob), right).await, 200);
        expect(ground.post(&ack, As::Key(&alice), json!({})).await, 403);
        assert_eq!(ids(&ground, path, &bob).await, [""; 0]);
    }
}

#[tokio::test]
async fn m24_what_is_wrong_with_a_letter_is_told() {
    let ground = Ground::start("").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    let post = |path, body| ground.post(path, As::Key(&alice), body);
    for (path, body) in boxes(&bob) {
        let content = ["content_b64", "welcome_b64"][usize::from(path == "/welcome")];
        let with = |field: &str, value: Value| {
            let mut body = body.clone();
            body[field] = value;
            post(path, body)
        };
        for wrong in [
            json!(""),
            json!("q83v!"),
            json!("_-_-"),
            json!(7),
            Value::Null,
        ] {
            expect(with(content, wrong).await, 400);
        }
        for wrong in [json!("bob"), json!(hex(&bob)[1..]), Value::Null] {
            expect(with("recipient", wrong).await, 400);
        }
        expect(with(content, "A".repeat((1 << 20) + 4).into()).await, 413);
        expect(with(content, "A".repeat(3 << 20).into()).await, 413);
        expect(with(content, "A".repeat(1 << 20).into()).await, 200);
        assert_eq!(ids(&ground, path, &bob).await.len(), 1);
    }
    let welcome = boxes(&bob)[1].1.clone();
    let mut no_group = welcome.clone();
    no_group["group_id"] = "".into();
    expect(post("/welcome", no_group).await, 400);
    let mut large = welcome;
    large["ratchet_tree_b64"] = "A".repeat(1 << 20).into();
    expect(post("/welcome", large).await, 413);
}

#[tokio::test]
async fn m24_letters_that_come_at_once_are_no_more_than_there_is_room_for() {
    let ground = Ground::start("max_mailbox_letters = 20").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    for (path, body) in boxes(&bob) {
        let content = ["content_b64", "welcome_b64"][usize::from(path == "/welcome")];
        // The same request again would be a replay.
        let posts = (0..12).map(|number| {
            let mut body = body.clone();
            body[content] = format!("{number:04}").into();
            ground.post(path, As::Key(&alice), body)
        });
        let answers = join_all(posts).await;
        let taken = answers.iter().filter(|it| it.status == 200).count();
        assert_eq!(taken, 2, "a tenth of the box is one sender's");
        assert_eq!(ids(&ground, path, &bob).await.len(), 2);
    }
}

#[tokio::test]
async fn m24_letters_end() {
    let ground = Ground::start("keypackage_ttl = 60\nwelcome_ttl = 60").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    for (path, body) in boxes(&bob) {
        let deposited = expect(ground.post(path, As::Key(&alice), body).await, 200);
        assert_eq!(ids(&ground, path, &bob).await.len(), 1);
        ground.relay.clock().advance(Duration::from_secs(61));
        assert_eq!(ids(&ground, path, &bob).await.len(), 0);
        let ack = format!("{path}/{}/ack", deposited["id"].as_str().unwrap());
        expect(ground.post(&ack, As::Key(&bob), json!({})).await, 404);
    }
}

#[tokio::test]
async fn m24_whoever_sends_too_often_is_told_when_to_come_back() {
    let ground = Ground::start("rate_limits.max_events_per_minute = 2").await;
    let (alice, bob, carol) = (
        ground.relay.author(1),
        ground.relay.author(2),
        ground.relay.author(3),
    );
    let [(path, to_bob), _] = boxes(&bob);
    let [(_, to_carol), _] = boxes(&carol);
    expect(
        ground.post(path, As::Key(&alice), to_bob.clone()).await,
        200,
    );
    expect(
        ground.post(path, As::Key(&alice), to_carol.clone()).await,
        200,
    );
    let refused = ground.post(path, As::Key(&alice), to_carol.clone()).await;
    let seconds: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
    expect(refused, 429);
    expect(
        ground.post(path, As::Key(&carol), to_bob.clone()).await,
        200,
    );
    // Now bob has had as many as he may get in a minute, whoever sends.
    expect(
        ground.post(path, As::Key(&carol), to_bob.clone()).await,
        429,
    );
    ground
        .relay
        .clock()
        .advance(Duration::from_secs(2 * seconds));
    expect(ground.post(path, As::Key(&alice), to_bob).await, 200);
}

#[tokio::test]
async fn m24_a_stranger_cannot_fill_a_mailbox() {
    let ground = Ground::start("max_mailbox_letters = 20").await;
    let (alice, bob, carol) = (
        ground.relay.author(1),
        ground.relay.author(2),
        ground.relay.author(3),
    );
    for (path, body) in boxes(&bob) {
        for _ in 0..2 {
            expect(ground.post(path, As::Key(&alice), body.clone()).await, 200);
        }
        let refused = ground.post(path, As::Key(&alice), body.clone()).await;
        assert!(refused.header("Retry-After").is_some());
        expect(refused, 429);
        ground.relay.clock().advance(Duration::from_secs(1));
        expect(ground.post(path, As::Key(&carol), body.clone()).await, 200);
        // What has arrived makes room.
        let letters = ids(&ground, path, &bob).await;
        let ack = format!("{path}/{}/ack", letters[0]);
        expect(ground.post(&ack, As::Key(&bob), json!({})).await, 200);
        expect(ground.post(path, As::Key(&alice), body).await, 200);
    }
}

#[tokio::test]
async fn m24_keys_made_for_the_purpose_do_not_help_to_fill_a_mailbox() {
    let ground = Ground::start("").await;
    let bob = ground.relay.author(1);
    let [(path, body), _] = boxes(&bob);
    let mut taken = 0;
    for number in 2..100 {
        let author = ground.relay.author(number);
        match ground
            .post(path, As::Key(&author), body.clone())
            .await
            .status
        {
            200 => taken += 1,
            status => assert_eq!(status, 429),
        }
    }
    assert_eq!(taken, 60);
}

#[tokio::test]
async fn m24_nothing_is_taken_while_the_relay_only_reads() {
    let ground = Ground::start_beside("", "operation.mode = 'read_only'").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    for (path, body) in boxes(&bob) {
        expect(ground.post(path, As::Key(&alice), body).await, 403);
        expect(ground.get(&of(path, &bob), As::Key(&bob)).await, 200);
    }
}

#[tokio::test]
async fn m24_a_list_has_as_many_as_are_wanted_oldest_first() {
    let ground = Ground::start("").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    for (path, body) in boxes(&bob) {
        let mut sent = Vec::new();
        for _ in 0..3 {
            let deposited = expect(ground.post(path, As::Key(&alice), body.clone()).await, 200);
            sent.push(deposited["id"].as_str().unwrap().to_owned());
            ground.relay.clock().advance(Duration::from_secs(1));
        }
        assert_eq!(ids(&ground, path, &bob).await, sent);
        let some = ground
            .get(&format!("{}&limit=2", of(path, &bob)), As::Key(&bob))
            .await;
        let some = expect(some, 200);
        assert_eq!(some["items"].as_array().unwrap().len(), 2);
        assert_eq!(some["items"][0]["id"], sent[0].as_str());
        for (limit, status) in [("1000", 200), ("0", 400), ("-1", 400), ("x", 400)] {
            let path = format!("{}&limit={limit}", of(path, &bob));
            expect(ground.get(&path, As::Key(&bob)).await, status);
        }
    }
}

#[tokio::test]
async fn m24_anybody_who_signs_sees_what_an_owner_has_published() {
    let ground = Ground::start("").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    let package = |byte: u8, reference: Option<&str>, expires_at_s| Package {
        id: EventId::from_byte_array([byte; 32]),
        owner: bob.pubkey(),
        reference: reference.map(str::to_owned),
        ciphersuite: reference.map(|_| "0x0001".to_owned()),
        created_at_s: START_S + u64::from(byte),
        expires_at_s,
    };
    let week_s = START_S + 604_800;
    let packages = [
        package(1, Some("kpr_1"), week_s),
        package(2, None, week_s),
        package(3, Some("kpr_3"), START_S),
    ];
    for package in &packages {
        let put = ground.storage.put_package(package).await.unwrap();
        assert_eq!(put, PutPackage::Stored);
    }
    let path = format!("/keypackages?owner={}", hex(&bob));
    let list = || ground.get(&path, As::Key(&alice));
    let wanted = json!({"keypackages": [
        {
            "owner": hex(&bob),
            "key_reference": "kpr_1",
            "ciphersuite": "0x0001",
            "expires_at": "2023-11-21T22:13:20Z",
        },
        {
            "owner": hex(&bob),
            "key_reference": "02".repeat(32),
            "ciphersuite": null,
            "expires_at": "2023-11-21T22:13:20Z",
        },
    ]});
    assert_eq!(expect(list().await, 200), wanted);
    expect(ground.get(&path, As::Nobody).await, 401);
    expect(ground.get("/keypackages", As::Key(&alice)).await, 400);
    let both = format!("{path}&recipient={}", hex(&alice));
    expect(ground.get(&both, As::Key(&alice)).await, 400);

    // Its owner, and nobody else, takes one out of stock.
    let ack = format!("/keypackages/{}/ack", "02".repeat(32));
    expect(ground.post(&ack, As::Key(&alice), json!({})).await, 404);
    expect(ground.post(&ack, As::Key(&bob), json!({})).await, 200);
    let left = expect(list().await, 200);
    assert_eq!(left["keypackages"].as_array().unwrap().len(), 1);
}
