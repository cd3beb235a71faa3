//! M27: what was missed. M18: REST gives nobody more than a REQ would.

use super::ground::{As, Ground, expect, hex};
use crate::roster::{Role, Roster};
use crate::storage::Archived;
use std::time::Duration;
use trellis_relay::testing::{Author, Draft, START_S, Value, json, until};

const OPEN_GROUP: &str = "11223344556677889900aabbccddeeff11223344556677889900aabbccddeeff";

async fn set_roster(ground: &Ground, group_id: &str, members: &[&Author]) {
    let mut roster = Roster::of_owner(Author::new(99).pubkey());
    roster
        .members
        .extend(members.iter().map(|it| (it.pubkey(), Role::Member)));
    let known = ground
        .storage
        .rosters(&[group_id.to_owned()])
        .await
        .unwrap();
    let replaces = known.first().map(|(_, known)| known.revision);
    ground
        .storage
        .put_roster(group_id, &roster, replaces, START_S)
        .await
        .unwrap();
}

/// Archives an event; its id.
async fn archive(ground: &Ground, draft: Draft) -> String {
    let event = draft.sign();
    let archived = Archived {
        position: 0,
        id: *event.id(),
        kind: event.kind(),
        pubkey: *event.pubkey(),
        group_id: event.first_tag_value("h").map(Into::into),
        recipient: event.first_tag_value("p").map(|it| it.parse().unwrap()),
        created_at_s: event.created_at(),
        archived_at_s: START_S,
        json: String::from_utf8(event.json().to_vec()).unwrap(),
    };
    assert_eq!(ground.storage.archive(&[archived]).await.unwrap(), 1);
    event.id().to_hex()
}

fn in_group(author: &Author, group_id: &str) -> Draft {
    author.draft(445).tag(["h", group_id]).content("q83v")
}

fn to(author: &Author, kind: u16, recipient: &Author) -> Draft {
    author
        .draft(kind)
        .tag(["p", &hex(recipient)])
        .content("q83v")
}

fn ids(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().unwrap().iter();
    events.map(|event| event["id"].as_str().unwrap()).collect()
}

async fn missed(ground: &Ground, who: &Author, body: Value) -> Value {
    expect(
        ground.post("/messages/missed", As::Key(who), body).await,
        200,
    )
}

#[tokio::test]
async fn m27_a_member_gets_what_was_missed_and_nobody_else_does() {
    let ground = Ground::start("").await;
    let [alice, bob, carol] = [1, 2, 3].map(|number| ground.relay.author(number));
    set_roster(&ground, "team", &[&alice, &bob]).await;
    set_roster(&ground, "other", &[&carol]).await;
    let message = archive(&ground, in_group(&alice, "team")).await;
    let elsewhere = archive(&ground, in_group(&carol, "other")).await;
    let direct = archive(&ground, to(&alice, 446, &bob)).await;
    // A gift wrap for carol about the team is not the team's.
    let wrap = archive(&ground, to(&alice, 1059, &carol).tag(["h", "team"])).await;
    let open = archive(&ground, in_group(&alice, OPEN_GROUP)).await;

    let of_bob = missed(&ground, &bob, json!({})).await;
    assert_eq!(ids(&of_bob), [&message, &direct]);
    assert_eq!(
        (&of_bob["ok"], &of_bob["has_more"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(of_bob["events"][0]["content"], "q83v");
    assert_eq!(
        ids(&missed(&ground, &carol, json!({})).await),
        [&elsewhere, &wrap]
    );
    assert_eq!(ids(&missed(&ground, &alice, json!({})).await), [&message]);
    let stranger = missed(&ground, &Author::new(50), json!({})).await;
    assert_eq!(
        stranger,
        json!({"ok": true, "events": [], "has_more": false})
    );
    let for_bob = json!({"pubkey": hex(&bob)});
    let by_service = expect(
        ground.post("/messages/missed", As::Service, for_bob).await,
        200,
    );
    assert_eq!(by_service, of_bob);

    let group = async |who, id: &str| {
        let body = json!({"group_id": id});
        ground.post("/messages/group", As::Key(who), body).await
    };
    assert_eq!(ids(&expect(group(&bob, "team").await, 200)), [&message]);
    for id in ["team", "none"] {
        let error = expect(group(&carol, id).await, 404);
        assert_eq!(error["error"], "there is no such group, or not for you");
    }
    // To know the id of a group without a roster is the right to read it.
    assert_eq!(ids(&expect(group(&carol, OPEN_GROUP).await, 200)), [&open]);

    // Who is removed gets nothing more, whatever was sent before.
    set_roster(&ground, "team", &[&alice]).await;
    until("bob is out", async || {
        group(&bob, "team").await.status == 404
    })
    .await;
    assert_eq!(ids(&missed(&ground, &bob, json!({})).await), [&direct]);
}

#[tokio::test]
async fn m27_an_id_that_no_group_can_have_is_the_askers_mistake() {
    let ground = Ground::start("").await;
    let alice = ground.relay.author(1);
    for wrong in [String::new(), "x".repeat(257), "a\nb".to_owned()] {
        let body = json!({"group_id": wrong});
        expect(
            ground.post("/messages/group", As::Key(&alice), body).await,
            400,
        );
    }
}

#[tokio::test]
async fn m27_groups_without_a_roster_are_closed_where_the_operator_says_so() {
    let ground = Ground::start("unmanaged_groups = 'deny'").await;
    let alice = ground.relay.author(1);
    archive(&ground, in_group(&alice, OPEN_GROUP)).await;
    let body = json!({"group_id": OPEN_GROUP});
    expect(
        ground.post("/messages/group", As::Key(&alice), body).await,
        404,
    );
}

#[tokio::test]
async fn m27_reading_goes_on_where_it_ended() {
    let ground = Ground::start("").await;
    let [alice, bob] = [1, 2].map(|number| ground.relay.author(number));
    set_roster(&ground, "team", &[&bob]).await;
    let mut sent = Vec::new();
    for number in 0..120 {
        let draft = in_group(&alice, "team").at(START_S + number);
        sent.push(archive(&ground, draft).await);
    }
    let (mut got, mut cursor, mut answers) = (Vec::new(), Value::Null, 0);
    loop {
        let body = json!({"limit": 50, "cursor": cursor});
        let answer = missed(&ground, &bob, body).await;
        got.extend(ids(&answer).into_iter().map(str::to_owned));
        cursor = answer["cursor"].clone();
        answers += 1;
        if answer["has_more"] == false {
            break;
        }
    }
    assert_eq!((got, answers), (sent, 3));
    // The cursor stays good, to ask for what is new.
    let nothing = missed(&ground, &bob, json!({"cursor": cursor})).await;
    assert_eq!((ids(&nothing).len(), &nothing["cursor"]), (0, &cursor));
    let new = archive(&ground, in_group(&alice, "team").content("AAAA")).await;
    let answer = missed(&ground, &bob, json!({"cursor": cursor})).await;
    assert_eq!(ids(&answer), [&new]);

    let all = missed(&ground, &bob, json!({"limit": 100_000})).await;
    assert_eq!(ids(&all).len(), 121);
    for wrong in [
        json!({"limit": 0}),
        json!({"limit": -1}),
        json!({"cursor": "x"}),
        json!({"since": "soon"}),
    ] {
        expect(
            ground.post("/messages/missed", As::Key(&bob), wrong).await,
            400,
        );
    }
}

#[tokio::test]
async fn m27_since_is_a_time_in_either_form() {
    let ground = Ground::start("").await;
    let [alice, bob] = [1, 2].map(|number| ground.relay.author(number));
    set_roster(&ground, "team", &[&bob]).await;
    archive(&ground, in_group(&alice, "team").at(START_S - 100)).await;
    let new = archive(&ground, in_group(&alice, "team").at(START_S)).await;
    // Dated back, as gift wraps are, and archived just now.
    let wrap = archive(&ground, to(&alice, 1059, &bob).at(START_S - 90_000)).await;
    for since in [json!(START_S), json!("2023-11-14T22:13:20Z")] {
        let answer = missed(&ground, &bob, json!({"since": since})).await;
        assert_eq!(ids(&answer), [&new, &wrap]);
        let body = json!({"since": since, "group_id": "team"});
        let answer = ground.post("/messages/group", As::Key(&bob), body).await;
        assert_eq!(ids(&expect(answer, 200)), [&new]);
    }
}

#[tokio::test]
async fn m27_what_has_expired_is_not_given() {
    let ground = Ground::start("").await;
    let [alice, bob] = [1, 2].map(|number| ground.relay.author(number));
    let short = to(&alice, 446, &bob).expires_in(Duration::from_secs(60));
    archive(&ground, short).await;
    assert_eq!(ids(&missed(&ground, &bob, json!({})).await).len(), 1);
    ground.relay.clock().advance(Duration::from_secs(61));
    assert_eq!(ids(&missed(&ground, &bob, json!({})).await).len(), 0);
}

#[tokio::test]
async fn m27_an_answer_is_not_too_large() {
    let ground = Ground::start("").await;
    let [alice, bob] = [1, 2].map(|number| ground.relay.author(number));
    for number in 0..10 {
        let content = format!("{number}{}", "A".repeat(1_000_000));
        archive(&ground, to(&alice, 446, &bob).content(&content)).await;
    }
    let first = missed(&ground, &bob, json!({})).await;
    assert_eq!((ids(&first).len(), &first["has_more"]), (4, &json!(true)));
    let rest = missed(&ground, &bob, json!({"cursor": first["cursor"]})).await;
    assert_eq!((ids(&rest).len(), &rest["has_more"]), (4, &json!(true)));
}

#[tokio::test]
async fn m27_there_are_no_messages_without_an_archive() {
    let ground = Ground::start("enable_message_archive = false").await;
    let alice = ground.relay.author(1);
    expect(
        ground
            .post("/messages/missed", As::Key(&alice), json!({}))
            .await,
        404,
    );
}

#[tokio::test]
async fn m27_what_was_answered_ok_is_in_the_next_answer() {
    let ground = Ground::start("").await;
    let alice = ground.relay.author(1);
    set_roster(&ground, "team", &[&alice]).await;
    let mut client = ground.relay.connect_as(&alice).await;
    let mut sent = Vec::new();
    for epoch in 0..5_u64 {
        let message = in_group(&alice, "team").tag(["k", &epoch.to_string()]);
        let message = message.sign();
        client.store(&message).await;
        sent.push(message.id().to_hex());
        // No hook of the gateway is in a hurry, but who asks does not wait for them.
        let body = json!({"group_id": "team"});
        let found = ground.post("/messages/group", As::Key(&alice), body).await;
        assert_eq!(ids(&expect(found, 200)), sent);
        let group = ground.get("/groups/team", As::Key(&alice)).await;
        assert_eq!(expect(group, 200)["last_epoch"], epoch);
    }
}
