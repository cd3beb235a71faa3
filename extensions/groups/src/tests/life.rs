//! Rules G1, G3 and G5: a group from its creation to its end, what the relay says of it, and what it remembers.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, OPERATOR, STRANGER, found, key};
use crate::Groups;
use std::time::Duration;
use trellis_relay::clock::Clock;
use trellis_relay::testing::{Author, Client, Reply, TestRelay, json, until};

#[tokio::test]
async fn g1_who_creates_a_group_is_its_admin_and_told_so() {
    let ground = Ground::start("").await;
    let mut client = ground.client(ADMIN).await;
    client.store(&ground.create(ADMIN, GROUP)).await;
    until("the relay's put-user", async || {
        let filter = json!({"kinds": [9000], "#h": [GROUP], "#p": [key(ADMIN)]});
        let found = client.query(filter).await.unwrap();
        let roles = found.first().map(|event| event.tags().nth(1).unwrap());
        roles.is_some_and(|tag| tag.get(2).as_deref() == Some("admin"))
    })
    .await;
    let edit = ground.draft(ADMIN, 9002, GROUP).tag(["name", "Pizza"]);
    client.store(&edit.sign()).await;
    let again = client.publish(&ground.create(STRANGER, GROUP)).await;
    again.assert_refused("duplicate: there is a group of this id already");
}

#[tokio::test]
async fn g3_the_relay_says_what_a_group_is_and_nobody_else_does() {
    let ground = Ground::start("max_listed_members = 2").await;
    let mut client = ground.client(ADMIN).await;
    client.store(&ground.create(ADMIN, GROUP)).await;
    let edit = ground
        .draft(ADMIN, 9002, GROUP)
        .tag(["name", "Pizza \"lovers\""])
        .tag(["about", "we eat"])
        .tag(["restricted"])
        .tag(["livekit"])
        .tag(["supported_kinds", "11", "9"]);
    client.store(&edit.sign()).await;
    client
        .store(&ground.put(GROUP, MEMBER, ["moderator", "cook"]))
        .await;
    client.store(&ground.put(GROUP, STRANGER, [])).await;
    let pinned = ground.message(ADMIN, GROUP, "read this");
    client.store(&pinned).await;
    let pins = ground.draft(ADMIN, 9010, GROUP);
    let address = format!("30023:{}:rules", key(ADMIN));
    let pins = pins.tag(["e", &pinned.id().to_hex()]).tag(["a", &address]);
    client.store(&pins.sign()).await;

    let said = async |kind: u16, tags: String| {
        ground
            .until_said(kind, GROUP, |event| event.tags_json() == tags)
            .await;
    };
    let (admin, moderator) = (key(ADMIN), key(MEMBER));
    said(
        39000,
        json!([
            ["d", GROUP],
            ["name", "Pizza \"lovers\""],
            ["about", "we eat"],
            ["restricted"],
            ["livekit"],
            ["supported_kinds", "9", "11"]
        ])
        .to_string(),
    )
    .await;
    let mut admins = [
        json!(["p", admin, "admin"]),
        json!(["p", moderator, "moderator", "cook"]),
    ];
    admins.sort_by_key(|tag| tag[1].to_string());
    said(
        39001,
        json!([["d", GROUP], admins[0], admins[1]]).to_string(),
    )
    .await;
    let (one, other) = (&admins[0][1], &admins[1][1]);
    said(
        39002,
        json!([["d", GROUP], ["p", one], ["p", other]]).to_string(),
    )
    .await;
    let pins = json!([["d", GROUP], ["e", pinned.id().to_hex()], ["a", address]]);
    said(39005, pins.to_string()).await;
    ground
        .until_said(39003, GROUP, |event| {
            let names = event
                .tags()
                .filter_map(|tag| tag.value().map(|it| it.into_owned()));
            names.collect::<Vec<_>>() == [GROUP, "admin", "moderator"]
        })
        .await;
    let information = ground.relay.information().await;
    assert_eq!(information["nip29"], json!({"subgroups": true}));
    assert!(
        information["supported_nips"]
            .as_array()
            .unwrap()
            .contains(&json!(29))
    );
    ground
        .until_said(39000, GROUP, |event| {
            information["self"] == event.pubkey().to_hex()
        })
        .await;

    for kind in [39000, 39001, 39002, 39003, 39004, 39005] {
        let forged = ground.author(ADMIN).draft(kind).tag(["d", GROUP]).sign();
        let refused = client.publish(&forged).await;
        refused.assert_refused(
            "blocked: only this relay says what its groups are (kinds 39000 to 39005)",
        );
    }
    for kind in [39000_u16, 39001, 39002, 39003, 39005] {
        assert_eq!(
            found(&mut client, json!({"kinds": [kind]})).await,
            Ok(1),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn g3_a_deleted_group_is_gone_with_all_its_events() {
    let ground = Ground::with_group("", [], &[MEMBER]).await;
    let mut client = ground.client(MEMBER).await;
    client.store(&ground.message(MEMBER, GROUP, "hello")).await;
    let end = ground.draft(MEMBER, 9008, GROUP).sign();
    let refused = client.publish(&end).await;
    refused.assert_refused(
        "restricted: delete-group is not for you: none of your roles in this group allows it",
    );
    client
        .subscribe("end", [json!({"kinds": [9008], "#h": [GROUP]})])
        .await
        .unwrap();
    let mut admin = ground.client(ADMIN).await;
    let end = ground.draft(ADMIN, 9008, GROUP).sign();
    admin.store(&end).await;
    assert_eq!(client.next_event("end").await, end);
    until("everything is gone", async || {
        let sent = found(&mut client, json!({"#h": [GROUP]})).await;
        let said = found(&mut client, json!({"#d": [GROUP]})).await;
        (sent, said) == (Ok(1), Ok(0))
    })
    .await;
    let gone = "blocked: this group was deleted by its admins";
    let message = ground.message(ADMIN, GROUP, "too late");
    admin.publish(&message).await.assert_refused(gone);
    admin
        .publish(&ground.join(STRANGER, GROUP))
        .await
        .assert_refused(gone);
    // Another event than the first one, which may be about to be removed.
    let again = ground.draft(ADMIN, 9007, GROUP).tag(["name", "again"]);
    let again = admin.publish(&again.sign()).await;
    again.assert_refused("blocked: a group of this id was deleted, and it is not used again");
    // That it is gone follows from this event, which its author does not take back.
    admin.store(&ground.author(ADMIN).deletion([&end])).await;
    let end = json!({"kinds": [9008], "#h": [GROUP]});
    assert_eq!(found(&mut admin, end).await, Ok(1));
}

#[tokio::test]
async fn g1_who_may_create_groups_is_the_operators_choice() {
    let table = format!(
        "create_groups = 'listed'\ncreators = ['{}']\nadmins = ['{}']\nmax_new_groups_per_hour = 1",
        key(ADMIN),
        key(OPERATOR)
    );
    let ground = Ground::start(&table).await;
    let mut client = ground.relay.connect().await;
    let refused = client.publish(&ground.create(STRANGER, "one")).await;
    refused.assert_refused("restricted: you may not create groups on this relay");
    client.store(&ground.create(ADMIN, "two")).await;
    let refused = client.publish(&ground.create(ADMIN, "three")).await;
    assert!(
        refused
            .reason()
            .starts_with("rate-limited: you have created enough groups")
    );
    for id in ["four", "five"] {
        client.store(&ground.create(OPERATOR, id)).await;
    }
    for id in ["", "a\u{7}b", &"x".repeat(65)] {
        let refused = client.publish(&ground.create(OPERATOR, id)).await;
        refused.assert_refused("invalid: a group's id has 1 to 64 bytes and no control characters");
    }
}

#[tokio::test]
async fn g1_an_address_creates_so_many_groups_with_whatever_keys() {
    let ground = Ground::start("max_new_groups_per_hour_per_address = 3").await;
    let mut client = ground.relay.connect().await;
    for author in 20..23 {
        let id = format!("group{author}");
        client.store(&ground.create(author, &id)).await;
    }
    let refused = client.publish(&ground.create(23, "one more")).await;
    assert!(
        refused
            .reason()
            .starts_with("rate-limited: you have created enough groups")
    );
}

#[tokio::test]
async fn g1_an_id_that_is_somebodys_key_is_not_founded_by_others() {
    let ground = Ground::start("").await;
    let mut client = ground.relay.connect().await;
    let refused = client.publish(&ground.create(ADMIN, &key(MEMBER))).await;
    refused.assert_refused(
        "blocked: an id of 64 hex digits is somebody's public key, and only they found a group of it; choose another",
    );
    client.store(&ground.create(MEMBER, &key(MEMBER))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_what_the_relay_says_is_never_ahead_of_the_clock() {
    let ground = Ground::with_group("", [], &[]).await;
    let mut client = ground.client(ADMIN).await;
    let live = json!({"kinds": [39_001, 39_002], "#d": [GROUP]});
    client.subscribe("live", [live]).await.unwrap();
    let before_s = ground.relay.clock().now_s();
    for user in 100..150 {
        client.store(&ground.put(GROUP, user, ["cook"])).await;
    }
    assert_eq!(ground.relay.clock().now_s(), before_s);
    // One at most of the second in which all of it was done, however much there is to say.
    client.settle().await;
    let said = lists(&client);
    assert!(said.len() <= 1, "{said:?}");
    assert!(said.iter().all(|at_s| *at_s <= before_s), "{said:?}");
    ground.until_members(GROUP, 51).await;
    client.settle().await;
    let (said, now_s) = (lists(&client), ground.relay.clock().now_s());
    assert!(said.iter().all(|at_s| *at_s <= now_s), "{said:?}");
    assert!(said.is_sorted_by(|a, b| a < b), "{said:?}");
}

/// When the lists of members were written that somebody has received.
fn lists(client: &Client) -> Vec<u64> {
    let lists = client.unread().filter_map(|reply| match reply {
        Reply::Event(_, event) if event.kind() == 39_002 => Some(event.created_at()),
        _ => None,
    });
    lists.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_what_waits_for_the_next_second_outlives_the_process() {
    let relay = TestRelay::of::<Groups>().config("[extensions.groups]\n");
    let relay = relay.lmdb().start().await;
    let mut ground = Ground { relay };
    ground.found(GROUP, ["private"], &[]).await;
    let mut client = ground.client(ADMIN).await;
    client.store(&ground.message(ADMIN, GROUP, "hello")).await;
    // One list in this second, so that the next waits.
    ground.relay.clock().advance(Duration::from_secs(1));
    client.store(&ground.put(GROUP, MEMBER, [])).await;
    until("the list of two", async || {
        let filter = json!({"kinds": [39_002], "#d": [GROUP]});
        let found = client.query(filter).await.unwrap();
        found.first().map(|list| list.tag_values(b'p').count()) == Some(2)
    })
    .await;
    client.store(&ground.put(GROUP, STRANGER, [])).await;
    let mut stranger = ground.client(STRANGER).await;
    until("memory knows of the third", async || {
        found(&mut stranger, json!({"kinds": [9], "#h": [GROUP]})).await == Ok(1)
    })
    .await;
    ground.relay = ground.relay.restart().await;
    ground.until_members(GROUP, 3).await;
}

#[tokio::test]
async fn g1_an_id_that_others_use_in_h_tags_becomes_no_group() {
    let ground = Ground::start("").await;
    let mut client = ground.relay.connect().await;
    // What MLS groups and communities send is none of this extension's business.
    for kind in [445, 1, 9] {
        client
            .store(&ground.draft(STRANGER, kind, "elsewhere").sign())
            .await;
    }
    let refused = client.publish(&ground.create(ADMIN, "elsewhere")).await;
    refused.assert_refused(
        "blocked: there are events for this id already, which are none of a group; choose another",
    );
    for kind in [9000, 9001, 9002, 9005, 9008, 9009, 9010, 9021, 9022] {
        let event = ground.draft(ADMIN, kind, "nowhere").sign();
        let refused = client.publish(&event).await;
        refused.assert_refused("invalid: this relay runs no group of this id");
    }
    let refused = client
        .publish(&ground.draft(ADMIN, 9006, "nowhere").sign())
        .await;
    refused.assert_refused("unsupported: kind 9006 has no meaning for groups here");
}

#[tokio::test]
async fn g3_groups_are_what_they_were_after_a_restart_and_a_crash() {
    let table = "[extensions.groups]\n";
    let relay = TestRelay::of::<Groups>().config(table).lmdb().start().await;
    let mut ground = Ground { relay };
    ground
        .found(GROUP, ["private", "closed", "restricted"], &[MEMBER])
        .await;
    let mut admin = ground.client(ADMIN).await;
    admin.store(&ground.remove(ADMIN, GROUP, STRANGER)).await;
    let secret = ground.message(MEMBER, GROUP, "secret");
    admin.store(&secret).await;
    for is_crash in [false, true] {
        ground.relay = match is_crash {
            false => ground.relay.restart().await,
            true => ground.relay.kill_and_restart().await,
        };
        let wanted = json!({"kinds": [9], "#h": [GROUP]});
        let mut member = ground.client(MEMBER).await;
        assert_eq!(member.query(wanted.clone()).await, Ok(vec![secret.clone()]));
        let mut stranger = ground.client(STRANGER).await;
        let refused = stranger.query(wanted).await;
        assert_eq!(
            refused,
            Err("restricted: you are no member of this group".to_owned())
        );
        let join = stranger.publish(&ground.join(STRANGER, GROUP)).await;
        join.assert_refused(
            "restricted: you were removed from this group; only an invite lets you in again",
        );
        ground.until_members(GROUP, 2).await;
    }
}

#[tokio::test]
async fn g3_it_survives_what_every_extension_should() {
    let admin = Author::new(ADMIN).pubkey().to_hex();
    let changed = format!("admins = ['{admin}']");
    let harness = trellis_relay::testing::Conformance::of::<Groups>("");
    harness.changed(&changed).run().await.assert_passed();
}
