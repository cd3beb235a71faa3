//! Who receives what, by whom, by what and by which way out: one table.

use super::ground::{ADMIN, GROUP, Ground, OPEN_GROUP, key, prefix};
use trellis_relay::event::Event;
use trellis_relay::testing::{Client, Reply, Value, json, until};

const MEMBER: u64 = 2;
const REMOVED: u64 = 3;
const SENDER: u64 = 4;
const RECIPIENT: u64 = 5;
const STRANGER: u64 = 6;
const OWNER: u64 = 7;

/// Who asks, in the order of the columns; nobody has not logged in.
const ROLES: [(&str, Option<u64>); 8] = [
    ("nobody", None),
    ("stranger", Some(STRANGER)),
    ("sender", Some(SENDER)),
    ("recipient", Some(RECIPIENT)),
    ("member", Some(MEMBER)),
    ("removed member", Some(REMOVED)),
    ("owner", Some(OWNER)),
    ("admin", Some(ADMIN)),
];

/// What somebody gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// `s`
    Shown,
    /// `e`
    Empty,
    /// `a`: auth-required
    Auth,
    /// `r`: restricted
    Restricted,
}

impl Outcome {
    fn read(letter: char) -> Self {
        match letter {
            's' => Outcome::Shown,
            'e' => Outcome::Empty,
            'a' => Outcome::Auth,
            'r' => Outcome::Restricted,
            _ => panic!("{letter} is not in the table"),
        }
    }

    fn closed(reason: &str) -> Self {
        match prefix(reason) {
            "auth-required" => Outcome::Auth,
            "restricted" => Outcome::Restricted,
            _ => panic!("closed with {reason}"),
        }
    }
}

/// An event, one that is published later, a filter for both, and what each role gets by the filter, by its id alone, and over
/// HTTP when it asks for all it missed.
struct Row {
    name: &'static str,
    stored: Event,
    live: Event,
    filter: Value,
    /// Nobody, stranger, sender, recipient, member, removed, owner, admin.
    by_filter: &'static str,
    by_id: &'static str,
    by_http: &'static str,
}

fn rows(ground: &Ground) -> Vec<Row> {
    let message = |group, words| ground.message(group, words);
    let letter = |kind, from, words| ground.letter(kind, from, RECIPIENT, words);
    let addressable = |d: &str| {
        let draft = ground.author(SENDER).draft(30443).tag(["d", d]);
        draft.content("0a0b").sign()
    };
    let row = |name, stored: Event, live: Event, filter, by_filter, by_id, by_http| Row {
        name,
        stored,
        live,
        filter,
        by_filter,
        by_id,
        by_http,
    };
    let by_author = |one: &Event, two: &Event| {
        let authors = [one.pubkey().to_hex(), two.pubkey().to_hex()];
        json!({"kinds": [445], "authors": authors})
    };
    let managed = [message(GROUP, "one"), message(GROUP, "two")];
    let more = [message(GROUP, "three"), message(GROUP, "four")];
    let open = [message(OPEN_GROUP, "five"), message(OPEN_GROUP, "six")];
    let wild = [message(OPEN_GROUP, "seven"), message(OPEN_GROUP, "eight")];
    let by_more = by_author(&more[0], &more[1]);
    let by_wild = by_author(&wild[0], &wild[1]);
    let ([a, b], [c, d], [e, f], [g, h]) = (managed, more, open, wild);
    let to_recipient = |kind: u16| json!({"kinds": [kind]});
    vec![
        row(
            "KeyPackage",
            ground.package(SENDER, 1),
            ground.package(SENDER, 2),
            json!({"kinds": [443]}),
            "asssssss",
            "esssssss",
            "aeeeeeee",
        ),
        row(
            "message of a group with a roster, by its name",
            a,
            b,
            json!({"kinds": [445], "#h": [GROUP]}),
            "eeeesese",
            "eeeesese",
            "aeeesese",
        ),
        row(
            "message of a group with a roster, by its author",
            c,
            d,
            by_more,
            "arrrsrsr",
            "eeeesese",
            "aeeesese",
        ),
        row(
            "message of a group without a roster, by its name",
            e,
            f,
            json!({"kinds": [445], "#h": [OPEN_GROUP]}),
            "ssssssss",
            "eeeeeeee",
            "aeeeeeee",
        ),
        row(
            "message of a group without a roster, by its author",
            g,
            h,
            by_wild,
            "arrrerer",
            "eeeeeeee",
            "aeeeeeee",
        ),
        row(
            "Noise message",
            letter(446, SENDER, "one"),
            letter(446, SENDER, "two"),
            to_recipient(446),
            "aeeseeee",
            "eeeseeee",
            "aeeseeee",
        ),
        row(
            "request for KeyPackages",
            letter(447, ADMIN, "one"),
            letter(447, ADMIN, "two"),
            to_recipient(447),
            "aeeseeee",
            "eeeseeee",
            "aeeeeeee",
        ),
        row(
            "roster event",
            ground.roster(OWNER, GROUP, 10, "add", &[50]),
            ground.roster(OWNER, GROUP, 11, "add", &[51]),
            json!({"kinds": [450], "authors": [key(OWNER)]}),
            "arrrsrsr",
            "eeeesese",
            "aeeeeeee",
        ),
        row(
            "gift wrap",
            letter(1059, SENDER, "one"),
            letter(1059, SENDER, "two"),
            to_recipient(1059),
            "aeeseeee",
            "eeeseeee",
            "aeeseeee",
        ),
        row(
            "KeyPackage that is replaced",
            addressable("one"),
            addressable("two"),
            to_recipient(30443),
            "ssssssss",
            "ssssssss",
            "aeeeeeee",
        ),
    ]
}

/// A group of the owner and the member; the removed member was in it.
async fn settle_group(ground: &Ground) {
    let mut admin = ground.client(ADMIN).await;
    let founded = ground.roster(ADMIN, GROUP, 1, "bootstrap", &[OWNER, MEMBER, REMOVED]);
    admin.store(&founded).await;
    let promoted = ground.roster_draft(ADMIN, GROUP, 2, "promote", &[OWNER]);
    admin.store(&promoted.tag(["role", "owner"]).sign()).await;
    let mut owner = ground.client(OWNER).await;
    let removed = ground.roster(OWNER, GROUP, 3, "remove", &[REMOVED, ADMIN]);
    owner.store(&removed).await;
}

/// A client that may publish everything in the table.
async fn publisher(ground: &Ground) -> Client {
    let mut publisher = ground.client(MEMBER).await;
    for number in [SENDER, ADMIN, OWNER] {
        publisher.login(&ground.author(number)).await;
    }
    publisher
}

async fn clients(ground: &Ground) -> Vec<Client> {
    let mut clients = Vec::new();
    for (_, number) in ROLES {
        clients.push(match number {
            Some(number) => ground.client(number).await,
            None => ground.relay.connect().await,
        });
    }
    clients
}

fn outcome_of(answer: Result<Vec<Event>, String>, event: &Event) -> Outcome {
    match answer {
        Ok(events) if events.contains(event) => Outcome::Shown,
        Ok(events) => {
            assert!(events.is_empty(), "something else came");
            Outcome::Empty
        }
        Err(reason) => Outcome::closed(&reason),
    }
}

/// A reconciliation with a client that has nothing: the relay names what it would give.
async fn reconcile(client: &mut Client, filter: &Value, event: &Event) -> Outcome {
    // Version 1; one range, to infinity; a list of ids; none.
    client
        .send(json!(["NEG-OPEN", "set", filter, "6100000200"]))
        .await;
    let answer = client.wait_for("an answer to NEG-OPEN", |reply| match reply {
        Reply::Negentropy(message) => Some(message.clone()),
        _ => None,
    });
    let answer = answer.await;
    let words = answer[2].as_str().unwrap();
    match answer[0].as_str() {
        Some("NEG-MSG") => {
            client.send(json!(["NEG-CLOSE", "set"])).await;
            match words.contains(&event.id().to_hex()) {
                true => Outcome::Shown,
                false => Outcome::Empty,
            }
        }
        _ => Outcome::closed(words),
    }
}

#[tokio::test]
async fn m18_m19_m21_everybody_receives_what_the_table_says_by_every_way_out() {
    let ground = Ground::start("rate_limits.max_events_per_minute = 1000").await;
    settle_group(&ground).await;
    let rows = rows(&ground);
    let mut publisher = publisher(&ground).await;
    for row in &rows {
        let verdict = publisher.publish(&row.stored).await;
        assert!(verdict.is_accepted(), "{}: {}", row.name, verdict.reason());
    }
    let mut clients = clients(&ground).await;
    for row in &rows {
        let columns = ROLES.iter().zip(clients.iter_mut()).enumerate();
        for (at, ((role, _), client)) in columns {
            let expected = |column: &str| Outcome::read(column.chars().nth(at).unwrap());
            let (by_filter, by_id) = (expected(row.by_filter), expected(row.by_id));
            let what = |way: &str| format!("{}, {role}, {way}", row.name);
            let id = json!({"ids": [row.stored.id().to_hex()]});

            let stored = client.query(row.filter.clone()).await;
            assert_eq!(
                outcome_of(stored, &row.stored),
                by_filter,
                "{}",
                what("REQ")
            );
            let stored = client.query(id.clone()).await;
            assert_eq!(outcome_of(stored, &row.stored), by_id, "{}", what("ids"));

            for (filter, wanted) in [(&row.filter, by_filter), (&id, by_id)] {
                let counted = match client.count(filter.clone()).await {
                    Ok(0) => Outcome::Empty,
                    // What other rows stored may fit as well.
                    Ok(_) => Outcome::Shown,
                    Err(reason) => Outcome::closed(&reason),
                };
                assert_eq!(counted, wanted, "{}", what("COUNT"));
                let reconciled = reconcile(client, filter, &row.stored).await;
                assert_eq!(reconciled, wanted, "{}", what("NEG"));
            }

            let opened = client.subscribe("live", [row.filter.clone()]).await;
            assert_eq!(
                outcome_of(opened, &row.stored),
                by_filter,
                "{}",
                what("open")
            );
            let id = json!({"ids": [row.live.id().to_hex()]});
            assert_eq!(client.subscribe("live id", [id]).await, Ok(vec![]));
        }
        publisher.store(&row.live).await;
        for (at, ((role, _), client)) in ROLES.iter().zip(clients.iter_mut()).enumerate() {
            for (sub, column) in [("live", row.by_filter), ("live id", row.by_id)] {
                match Outcome::read(column.chars().nth(at).unwrap()) {
                    Outcome::Shown => assert_eq!(client.next_event(sub).await, row.live),
                    Outcome::Empty => client.assert_no_event(sub).await,
                    Outcome::Auth | Outcome::Restricted => {
                        let found = client
                            .unread()
                            .find(|it| matches!(it, Reply::Event(of, _) if of == sub));
                        assert_eq!(found, None, "{}, {role}", row.name);
                    }
                }
                client.send(json!(["CLOSE", sub])).await;
            }
        }
    }
}

/// What somebody is given who asks for all it missed.
async fn missed(ground: &Ground, number: Option<u64>) -> Result<Vec<Value>, Outcome> {
    let call = ground.relay.request("POST", "/api/v1/mls/messages/missed");
    let call = call.json(&json!({"limit": 500}));
    let response = match number {
        Some(number) => call.nip98(&ground.author(number)).await,
        None => call.await,
    };
    if response.status == 401 {
        return Err(Outcome::Auth);
    }
    assert_eq!(response.status, 200, "{}", response.text());
    let answer: Value = response.json();
    assert_eq!(answer["has_more"], json!(false));
    Ok(answer["events"].as_array().unwrap().clone())
}

#[tokio::test]
async fn m18_m27_everybody_receives_what_the_table_says_over_http() {
    let ground = Ground::start("rate_limits.max_events_per_minute = 1000").await;
    settle_group(&ground).await;
    let rows = rows(&ground);
    let mut publisher = publisher(&ground).await;
    for row in &rows {
        publisher.store(&row.stored).await;
    }
    // The archive follows commits; what it takes is known when all of it is there.
    let archived = "SELECT count(*) FROM archived_events";
    until("all that is archived is there", async || {
        ground.number(archived).await == Some(6)
    })
    .await;
    for (at, (role, number)) in ROLES.into_iter().enumerate() {
        let found = missed(&ground, number).await;
        for row in &rows {
            let is_there = |events: &Vec<Value>| {
                let id = row.stored.id().to_hex();
                match events.iter().any(|event| event["id"] == json!(id)) {
                    true => Outcome::Shown,
                    false => Outcome::Empty,
                }
            };
            let outcome = found.as_ref().map_or_else(|refused| *refused, is_there);
            let wanted = Outcome::read(row.by_http.chars().nth(at).unwrap());
            assert_eq!(outcome, wanted, "{}, {role}", row.name);
        }
    }
}

#[tokio::test]
async fn m19_what_is_hidden_takes_no_room_in_a_limit() {
    let ground = Ground::start("").await;
    let mut sender = ground.client(SENDER).await;
    let mine = ground.letter(446, SENDER, RECIPIENT, "for you");
    sender.store(&mine).await;
    for words in ["a", "b", "c"] {
        sender
            .store(&ground.letter(446, SENDER, STRANGER, words))
            .await;
    }
    let mut recipient = ground.client(RECIPIENT).await;
    let newest = recipient.query(json!({"kinds": [446], "limit": 1})).await;
    assert_eq!(newest, Ok(vec![mine]));
}

#[tokio::test]
async fn m19_a_filter_for_more_is_narrowed_without_a_word() {
    let ground = Ground::start("").await;
    let mut sender = ground.client(SENDER).await;
    let note = ground.author(SENDER).note("hello");
    sender.store(&note).await;
    sender
        .store(&ground.letter(446, SENDER, RECIPIENT, "secret"))
        .await;
    let mut nobody = ground.relay.connect().await;
    let filter = json!({"kinds": [1, 443, 445, 446, 450]});
    assert_eq!(nobody.query(filter.clone()).await, Ok(vec![note]));
    assert_eq!(nobody.count(filter).await, Ok(1));
    let other = json!({"kinds": [446], "#p": [key(RECIPIENT)]});
    let refused = sender.query(other).await.unwrap_err();
    assert_eq!(
        refused,
        "restricted: this is for members and recipients only"
    );
}

#[tokio::test]
async fn m18_authors_read_their_own_where_the_operator_says_so() {
    let ground = Ground::start("author_can_read_own = true").await;
    let mut sender = ground.client(SENDER).await;
    let letter = ground.letter(446, SENDER, RECIPIENT, "sent");
    sender.store(&letter).await;
    let filter = json!({"kinds": [446], "#p": [key(RECIPIENT)]});
    assert_eq!(sender.query(filter.clone()).await, Ok(vec![letter]));
    let mut stranger = ground.client(STRANGER).await;
    assert_eq!(stranger.query(filter).await, Ok(vec![]));
}

#[tokio::test]
async fn m21_a_message_of_several_groups_is_for_nobody() {
    let mut ground = Ground::start("").await;
    let draft = ground.author(SENDER).draft(445).tag(["h", OPEN_GROUP]);
    let of_two = draft.tag(["h", &key(77)]).content("of two").sign();
    // Not as a client's, but it may be there: from an import, or from before.
    let mut sender = ground.client(SENDER).await;
    assert!(!sender.publish(&of_two).await.is_accepted());
    ground.reconfigure("enabled = false").await;
    sender.store(&of_two).await;
    ground.reconfigure("").await;
    for group in [OPEN_GROUP, &key(77)] {
        let found = sender.query(json!({"kinds": [445], "#h": [group]})).await;
        assert_eq!(found, Ok(vec![]), "{group}");
    }
}

#[tokio::test]
async fn m21_a_gateway_that_is_switched_on_narrows_what_is_under_way() {
    let mut ground = Ground::start("enabled = false").await;
    let mut sender = ground.client(SENDER).await;
    let content = "x".repeat(40_000);
    let now_s = ground.author(SENDER).note("now").created_at();
    for age_s in 0..600 {
        let draft = ground.author(SENDER).draft(445).tag(["h", OPEN_GROUP]);
        sender
            .store(&draft.at(now_s - age_s).content(&content).sign())
            .await;
    }
    // More than the relay and the system keep for a client that does not read.
    let mut reader = ground.client(STRANGER).await;
    reader.send(json!(["REQ", "all", {"limit": 5000}])).await;
    reader
        .wait_for("an event", |reply| {
            matches!(reply, Reply::Event(..)).then_some(())
        })
        .await;
    ground.reconfigure("").await;
    let mut messages = 1;
    loop {
        match reader.next().await {
            Some(Reply::Event(..)) => messages += 1,
            Some(Reply::Eose(_)) => break,
            Some(_) => {}
            None => panic!("the connection was closed"),
        }
    }
    assert!(messages < 600, "{messages}");
}
