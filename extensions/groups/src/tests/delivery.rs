//! Rule G4: who receives what, by which way out: one table.

use super::ground::{ADMIN, Ground, MEMBER, OPERATOR, STRANGER, key};
use trellis_relay::event::Event;
use trellis_relay::testing::{Client, Reply, Value, json, until};

/// Removed by the admin, after having been a member.
const REMOVED: u64 = 5;

/// Who asks, in the order of the columns; nobody has not logged in.
const ROLES: [(&str, Option<u64>); 6] = [
    ("nobody", None),
    ("stranger", Some(STRANGER)),
    ("removed", Some(REMOVED)),
    ("member", Some(MEMBER)),
    ("admin", Some(ADMIN)),
    ("operator", Some(OPERATOR)),
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
        match reason.split(':').next() {
            Some("auth-required") => Outcome::Auth,
            Some("restricted") => Outcome::Restricted,
            _ => panic!("closed with {reason}"),
        }
    }
}

/// A kind of a group, and what each role gets when it is asked for by the group and by its id alone.
struct Row {
    group: &'static str,
    kind: u16,
    /// Nobody, stranger, removed, member, admin, operator.
    by_group: &'static str,
    by_id: &'static str,
}

const fn row(group: &'static str, kind: u16, by_group: &'static str, by_id: &'static str) -> Row {
    Row {
        group,
        kind,
        by_group,
        by_id,
    }
}

/// Groups are named for their flags; the removed user is named by the remove-user (9001), and 11 is written by a stranger.
const ROWS: &[Row] = &[
    row("public", 9, "ssssss", "ssssss"),
    row("public", 445, "ssssss", "ssssss"),
    row("public", 9002, "ssssss", "ssssss"),
    row("public", 9001, "ssssss", "ssssss"),
    row("public", 9009, "eeeess", "eeeess"),
    row("public", 9021, "eeeess", "eeeess"),
    row("public", 39000, "ssssss", "ssssss"),
    row("public", 39001, "ssssss", "ssssss"),
    row("public", 39002, "ssssss", "ssssss"),
    row("public", 39003, "ssssss", "ssssss"),
    row("public", 39005, "ssssss", "ssssss"),
    row("private", 9, "arrsss", "eeesss"),
    row("private", 445, "arrsss", "eeesss"),
    row("private", 9002, "arrsss", "eeesss"),
    row("private", 9001, "arrsss", "eessss"),
    row("private", 9009, "arress", "eeeess"),
    row("private", 9021, "aeeess", "eeeess"),
    row("private", 39000, "ssssss", "ssssss"),
    row("private", 39001, "arrsss", "eeesss"),
    row("private", 39002, "arrsss", "eeesss"),
    row("private", 39003, "ssssss", "ssssss"),
    row("private", 39005, "arrsss", "eeesss"),
    row("hidden", 9, "ssssss", "ssssss"),
    row("hidden", 11, "ssssss", "ssssss"),
    row("hidden", 9002, "eeesss", "eeesss"),
    row("hidden", 9001, "eessss", "eessss"),
    row("hidden", 9009, "eeeess", "eeeess"),
    row("hidden", 39000, "eeesss", "eeesss"),
    row("hidden", 39001, "eeesss", "eeesss"),
    row("hidden", 39002, "eeesss", "eeesss"),
    row("hidden", 39003, "eeesss", "eeesss"),
    row("hidden", 39005, "eeesss", "eeesss"),
    row("secret", 9, "eeesss", "eeesss"),
    row("secret", 11, "eeesss", "eeesss"),
    row("secret", 9001, "eessss", "eessss"),
    row("secret", 39000, "eeesss", "eeesss"),
    row("secret", 39002, "eeesss", "eeesss"),
];

#[tokio::test(flavor = "multi_thread")]
async fn g4_nobody_receives_what_is_not_for_them_by_any_way_out() {
    let ground = Ground::start(&format!("admins = ['{}']", key(OPERATOR))).await;
    ground
        .found("public", ["restricted"], &[MEMBER, REMOVED])
        .await;
    ground
        .found("private", ["private"], &[MEMBER, REMOVED])
        .await;
    ground.found("hidden", ["hidden"], &[MEMBER, REMOVED]).await;
    ground
        .found("secret", ["private", "hidden"], &[MEMBER, REMOVED])
        .await;
    for group in ["public", "private", "hidden", "secret"] {
        write(&ground, group).await;
    }
    for row in ROWS {
        let event = event_of(&ground, row).await;
        let at = match row.kind {
            39000.. => json!({"kinds": [row.kind], "#d": [row.group]}),
            _ => json!({"kinds": [row.kind], "#h": [row.group]}),
        };
        let id = json!({"ids": [event.id().to_hex()]});
        for (place, (role, who)) in ROLES.into_iter().enumerate() {
            let outcome = |outcomes: &str| Outcome::read(outcomes.chars().nth(place).unwrap());
            let mut client = client(&ground, who).await;
            for (filter, wanted) in [(&at, outcome(row.by_group)), (&id, outcome(row.by_id))] {
                let what = format!("{} {} for {role} by {filter}", row.group, row.kind);
                assert_eq!(
                    by_req(&mut client, filter, &event).await,
                    wanted,
                    "REQ {what}"
                );
                assert_eq!(by_count(&mut client, filter).await, wanted, "COUNT {what}");
                assert_eq!(
                    by_neg(&mut client, filter, &event).await,
                    wanted,
                    "NEG {what}"
                );
            }
        }
    }
}

/// What stands in the table, of each group.
async fn write(ground: &Ground, group: &str) {
    let mut client = ground.client(ADMIN).await;
    client.store(&ground.remove(ADMIN, group, REMOVED)).await;
    let pin = ground.message(MEMBER, group, "hello");
    client.store(&pin).await;
    client.store(&ground.draft(MEMBER, 445, group).sign()).await;
    if group != "public" {
        client
            .store(&ground.draft(STRANGER, 11, group).sign())
            .await;
    }
    let pins = ground
        .draft(ADMIN, 9010, group)
        .tag(["e", &pin.id().to_hex()]);
    client.store(&pins.sign()).await;
    let invite = ground.draft(ADMIN, 9009, group).tag(["code", "sesame"]);
    client.store(&invite.sign()).await;
    let join = ground.draft(80, 9021, group).tag(["code", "sesame"]);
    client.store(&join.sign()).await;
    ground
        .until_said(39002, group, |event| {
            event.tag_values(b'p').any(|it| *it == *key(80))
        })
        .await;
    ground
        .until_said(39005, group, |event| {
            event.tag_values(b'e').next().is_some()
        })
        .await;
}

async fn event_of(ground: &Ground, row: &Row) -> Event {
    let mut admin = ground.client(ADMIN).await;
    let filter = match row.kind {
        39000.. => json!({"kinds": [row.kind], "#d": [row.group]}),
        _ => json!({"kinds": [row.kind], "#h": [row.group]}),
    };
    let found = admin.query(filter).await.unwrap();
    found.into_iter().next().expect("an event")
}

async fn client(ground: &Ground, who: Option<u64>) -> Client {
    match who {
        Some(who) => ground.client(who).await,
        None => ground.relay.connect().await,
    }
}

async fn by_req(client: &mut Client, filter: &Value, event: &Event) -> Outcome {
    match client.query(filter.clone()).await {
        Ok(found) if found.contains(event) => Outcome::Shown,
        Ok(_) => Outcome::Empty,
        Err(reason) => Outcome::closed(&reason),
    }
}

async fn by_count(client: &mut Client, filter: &Value) -> Outcome {
    match client.count(filter.clone()).await {
        Ok(0) => Outcome::Empty,
        Ok(_) => Outcome::Shown,
        Err(reason) => Outcome::closed(&reason),
    }
}

/// An empty set of ours (NIP-77): whatever the relay has, it tells.
async fn by_neg(client: &mut Client, filter: &Value, event: &Event) -> Outcome {
    client
        .send(json!(["NEG-OPEN", "set", filter, "6100000200"]))
        .await;
    let answer = client.wait_for("an answer to NEG-OPEN", |reply| match reply {
        Reply::Negentropy(message) => Some(message.clone()),
        _ => None,
    });
    let answer = answer.await;
    let words = answer[2].as_str().unwrap();
    if answer[0] != "NEG-MSG" {
        return Outcome::closed(words);
    }
    client.send(json!(["NEG-CLOSE", "set"])).await;
    match words.contains(&event.id().to_hex()) {
        true => Outcome::Shown,
        false => Outcome::Empty,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_live_events_of_a_private_group_reach_its_members_alone() {
    let ground = Ground::with_group("", ["private"], &[MEMBER, REMOVED]).await;
    let mut clients = Vec::new();
    for (role, who) in ROLES.into_iter().take(5) {
        let mut client = client(&ground, who).await;
        let everything = client.subscribe("all", [json!({"limit": 0})]).await;
        assert_eq!(everything, Ok(vec![]), "{role}");
        clients.push((who, client));
    }
    let mut admin = ground.client(ADMIN).await;
    let group = super::ground::GROUP;
    admin.store(&ground.message(MEMBER, group, "one")).await;
    admin
        .store(&ground.draft(MEMBER, 20_009, group).sign())
        .await;
    // An ephemeral event may still be on its way to other threads when its sender is told.
    for (_, client) in &mut clients {
        client.settle().await;
    }
    // From the next event on, and not a moment later.
    admin.store(&ground.remove(ADMIN, group, REMOVED)).await;
    for number in 0..20 {
        admin
            .store(&ground.message(MEMBER, group, &format!("after {number}")))
            .await;
    }
    for (who, client) in &mut clients {
        client.settle().await;
        let kinds: Vec<u16> = client
            .unread()
            .filter_map(|reply| match reply {
                Reply::Event(_, event) => Some(event.kind()),
                _ => None,
            })
            .filter(|kind| [9, 20_009].contains(kind))
            .collect();
        let wanted = match who {
            Some(MEMBER | ADMIN) => 22,
            Some(REMOVED) => 2,
            _ => 0,
        };
        assert_eq!(kinds.len(), wanted, "{who:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_who_is_removed_has_what_they_had_open_closed() {
    let group = super::ground::GROUP;
    let ground = Ground::with_group("", ["private"], &[MEMBER]).await;
    let mut member = ground.client(MEMBER).await;
    let filter = json!({"kinds": [9], "#h": [group]});
    member.subscribe("chat", [filter.clone()]).await.unwrap();
    let mut admin = ground.client(ADMIN).await;
    admin.store(&ground.remove(ADMIN, group, MEMBER)).await;
    let reason = member
        .wait_for("the end of the subscription", |reply| match reply {
            Reply::Closed(sub, reason) if sub == "chat" => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert_eq!(reason, "restricted: you are no member of this group");
    admin.store(&ground.put(group, MEMBER, ["back"])).await;
    until("they may ask again", async || {
        member.query(filter.clone()).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_group_that_becomes_private_is_so_from_the_next_message_on() {
    let group = super::ground::GROUP;
    let ground = Ground::with_group("", [], &[MEMBER]).await;
    let mut clients = [
        client(&ground, None).await,
        client(&ground, Some(MEMBER)).await,
    ];
    for client in &mut clients {
        let everything = client.subscribe("all", [json!({"limit": 0})]).await;
        assert_eq!(everything, Ok(vec![]));
    }
    let mut admin = ground.client(ADMIN).await;
    admin.store(&ground.message(MEMBER, group, "before")).await;
    let edit = ground.draft(ADMIN, 9002, group).tag(["name", "x"]);
    admin.store(&edit.tag(["private"]).sign()).await;
    for number in 0..20 {
        let words = format!("after {number}");
        admin.store(&ground.message(MEMBER, group, &words)).await;
    }
    for (client, wanted) in clients.iter_mut().zip([1, 21]) {
        client.settle().await;
        let is_message =
            |reply: &&Reply| matches!(reply, Reply::Event(_, event) if event.kind() == 9);
        assert_eq!(client.unread().filter(is_message).count(), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_nobody_sees_what_is_sent_to_a_group_that_memory_does_not_know_yet() {
    let ground = Ground::start("").await;
    let mut stranger = ground.client(STRANGER).await;
    let live = json!({"kinds": [9, 9009], "limit": 0});
    assert_eq!(stranger.subscribe("live", [live]).await, Ok(vec![]));
    let mut admin = ground.client(ADMIN).await;
    for number in 0..5 {
        let group = format!("secret{number}");
        let edit = ground.draft(ADMIN, 9002, &group).tag(["private"]);
        let events = [
            ground.create(ADMIN, &group),
            edit.tag(["hidden"]).sign(),
            ground
                .draft(ADMIN, 9009, &group)
                .tag(["code", "sesame"])
                .sign(),
            ground.message(ADMIN, &group, "secret"),
        ];
        for event in &events {
            admin.send_event(event).await;
        }
        for event in &events {
            admin.verdict(event).await.assert_accepted();
        }
    }
    // The next one is the first that comes.
    let open = ground.message(ADMIN, "elsewhere", "for all");
    admin.store(&open).await;
    assert_eq!(stranger.next_event("live").await, open);
}
