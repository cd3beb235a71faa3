//! What has expired goes, and owners are asked for KeyPackages.

use super::ground::{ADMIN, Database, GROUP, hex, letter, message, store};
use crate::roster::Roster;
use crate::storage::{Letter, LetterBox, Package, Seen};
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, START_S, json, until};

const BOB: u64 = 2;
const DAY: Duration = Duration::from_secs(86_400);

fn in_box(id: &str, expires_at_s: u64) -> Letter {
    Letter {
        id: id.to_owned(),
        recipient: Author::new(BOB).pubkey(),
        sender: Author::new(3).pubkey(),
        group_id: Some("g".to_owned()),
        content_b64: "aGVsbG8=".to_owned(),
        ratchet_tree_b64: None,
        tags_json: None,
        created_at_s: START_S,
        expires_at_s,
        picked_up_at_s: None,
        acknowledged_at_s: None,
    }
}

#[tokio::test]
async fn m31_letters_and_archive_are_pruned() {
    let database = Database::new("message_archive_ttl_days = 1").await;
    let relay = database.relay().start().await;
    let storage = &database.storage;
    for (id, expires_at_s) in [("early", START_S + 100), ("late", START_S + 1_000_000)] {
        let letter = in_box(id, expires_at_s);
        for letter_box in [LetterBox::Welcomes, LetterBox::KeyPackages] {
            assert!(storage.deposit(letter_box, &letter).await.unwrap());
        }
    }
    let old = message(&relay, 1);
    relay.connect().await.store(&old).await;
    until("the archive", async || database.holds(&[&old]).await).await;
    relay.clock().advance(DAY / 2);
    let young = message(&relay, 2);
    relay.connect().await.store(&young).await;
    until("the archive", async || {
        database.holds(&[&old, &young]).await
    })
    .await;
    relay.clock().advance(DAY / 2 + Duration::from_secs(60));
    until("the old message to go", async || {
        database.holds(&[&young]).await
    })
    .await;
    for letter_box in [LetterBox::Welcomes, LetterBox::KeyPackages] {
        let left = storage.letter(letter_box, "early").await.unwrap();
        assert_eq!(left, None);
        assert!(storage.letter(letter_box, "late").await.unwrap().is_some());
    }
    for name in ["welcomes", "keypackages"] {
        let labels = [("box", name)];
        until("what went is counted", async || {
            let expired = relay.metric("mls_gateway_mailbox_expired_total", &labels);
            expired.await >= 1.0
        })
        .await;
    }
    // The archive forgets; the relay's own rules say what becomes of the event.
    let mut reader = relay.connect().await;
    let filter = json!({"kinds": [445], "#h": [GROUP]});
    assert_eq!(reader.query(filter).await.map(|found| found.len()), Ok(2));
}

#[tokio::test]
async fn m31_groups_that_old_messages_alone_made_known_are_forgotten() {
    let database = Database::new("message_archive_ttl_days = 1").await;
    let storage = &database.storage;
    let seen = |group_id: &str| Seen {
        group_id: group_id.to_owned(),
        epoch: Some(1),
        created_at_s: START_S,
    };
    let day_s = DAY.as_secs();
    let groups = ["of messages", "with a name", "with a roster"].map(seen);
    let noted = storage.note_messages(&groups, START_S - 2 * day_s);
    noted.await.unwrap();
    let heard_of = [seen("heard of")];
    let noted = storage.note_messages(&heard_of, START_S);
    noted.await.unwrap();
    let described = storage.describe_group("with a name", Some("Team"), None, START_S - 2 * day_s);
    described.await.unwrap();
    let roster = Roster::of_owner(Author::new(BOB).pubkey());
    let put = storage.put_roster("with a roster", &roster, None, START_S - 2 * day_s);
    put.await.unwrap();
    let relay = database.relay().start().await;
    let is_there = async |group_id: &str| storage.group(group_id).await.unwrap().is_some();
    until("one is forgotten", async || !is_there("of messages").await).await;
    for kept in ["with a name", "with a roster", "heard of"] {
        assert!(is_there(kept).await, "{kept}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn m33_times_of_the_database_have_the_buckets_of_the_alerts() {
    let database = Database::new("").await;
    let relay = database.relay().start().await;
    database.storage.ping().await.unwrap();
    let page = relay.get("/metrics").await.text();
    let name = "mls_gateway_db_operation_duration_seconds_bucket{";
    let of_ping = |line: &&str| line.starts_with(name) && line.contains("operation=\"ping\"");
    let bounds: Vec<&str> = page
        .lines()
        .filter(of_ping)
        .filter_map(|line| line.split("le=\"").nth(1)?.split('"').next())
        .collect();
    for bound in ["0.1", "0.5", "1", "+Inf"] {
        assert!(bounds.contains(&bound), "{bound}: {bounds:?}");
    }
    let finite = bounds.iter().filter_map(|bound| bound.parse::<f64>().ok());
    assert!(
        finite.filter(|s| s.is_finite()).any(|s| s > 1.0),
        "{bounds:?}"
    );
}

#[tokio::test]
async fn m31_events_of_the_gateway_go_when_their_time_is_over() {
    let table =
        "roster_policy_ttl_days = 5\nkeypackage_ttl = 172800\nkeypackage_request_ttl = 172800";
    let database = Database::new(table).await;
    let store = store();
    let relay = database.relay().store(store.clone()).start().await;
    let admin = relay.author(ADMIN);
    let mut client = relay.connect_as(&admin).await;
    let roster = admin.draft(450).tag(["h", GROUP]).tag(["seq", "1"]);
    let roster = roster.tag(["op", "bootstrap"]).sign();
    let request = |ttl: &str| letter(&admin, 447, BOB, "").tag(["ttl", ttl]).sign();
    let exp = (START_S + 3 * 86_400).to_string();
    let hour = Duration::from_secs(3_600);
    let addressable = admin.draft(30443).tag(["d", "a"]).content("cc");
    // Each with the time after which it goes.
    let events = [
        (request("3600"), hour),
        (request("999999999"), DAY * 2),
        (admin.draft(443).content("aa").sign(), DAY * 2),
        (
            admin.draft(443).content("bb").tag(["exp", &exp]).sign(),
            DAY * 3,
        ),
        (
            addressable
                .tag(["exp", &(START_S + 4 * 86_400).to_string()])
                .sign(),
            DAY * 4,
        ),
        (roster, DAY * 5),
    ];
    for (event, _) in &events {
        client.store(event).await;
    }
    let note = admin.note("not of the gateway's kinds");
    client.store(&note).await;
    let has = |event: &Event| store.contains(event.id()).unwrap();
    let mut passed = Duration::ZERO;
    for (at, (_, goes_after)) in events.iter().enumerate() {
        let is_over = |event: &(Event, Duration)| event.1 <= *goes_after;
        relay
            .clock()
            .advance(*goes_after + Duration::from_secs(60) - passed);
        passed = *goes_after + Duration::from_secs(60);
        until(&format!("number {at} to go"), async || {
            events.iter().all(|event| has(&event.0) != is_over(event))
        })
        .await;
    }
    assert!(has(&note));
    // Membership outlives its events.
    let groups = [GROUP.to_owned()];
    assert_eq!(database.storage.rosters(&groups).await.unwrap().len(), 1);
}

#[tokio::test]
async fn m13_owners_are_asked_once_a_day_before_they_run_out() {
    let table = "keypackage_low_stock = 2\nkeypackage_ttl = 864000";
    let database = Database::new(table).await;
    let carol = Author::new(3);
    // Carol has enough for now, and has it before anybody looks: who is found with half of it is asked.
    for words in ["bb", "cc"] {
        let package = Package {
            id: *carol.note(words).id(),
            owner: carol.pubkey(),
            reference: None,
            ciphersuite: None,
            created_at_s: START_S,
            expires_at_s: START_S + 864_000,
        };
        database.storage.put_package(&package).await.unwrap();
    }
    let relay = database.relay().start().await;
    let bob = relay.author(BOB);
    let package = bob.draft(443).content("aa").sign();
    relay.connect_as(&bob).await.store(&package).await;
    let asked = async |number: u64| {
        let mut client = relay.connect_as(&relay.author(number)).await;
        let filter = json!({"kinds": [447], "#p": [hex(number)]});
        client.query(filter).await.unwrap()
    };
    let minutes = Duration::from_secs(660);
    relay.clock().advance(minutes);
    until("bob to be asked", async || asked(BOB).await.len() == 1).await;
    let request = asked(BOB).await.remove(0);
    assert_eq!(request.first_tag_value("min").as_deref(), Some("1"));
    let information = relay.information().await;
    assert_eq!(information["self"], request.pubkey().to_hex());
    assert_eq!(asked(3).await, []);
    for _ in 0..3 {
        relay.clock().advance(minutes);
    }
    // On the last day Carol is asked as well, and Bob once more; in between nobody asked twice.
    relay.clock().advance(DAY * 9);
    until("carol to be asked", async || asked(3).await.len() == 1).await;
    let request = asked(3).await.remove(0);
    assert_eq!(request.first_tag_value("min").as_deref(), Some("2"));
    let asked_bob = asked(BOB).await;
    assert!(asked_bob.len() <= 2, "{asked_bob:?}");
}
