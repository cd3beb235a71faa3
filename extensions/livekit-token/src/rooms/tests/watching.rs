//! Rooms come and go with the events that ask for them.

use super::ground::{COMMUNITY, Ground, MEMBER, OPERATOR, OTHER_MEMBER, STRANGER, key, room};
use livekit_api::services::room::CreateRoomOptions;
use std::time::Duration;

#[tokio::test]
async fn l11_the_space_of_a_member_is_a_room_until_it_is_closed_deleted_or_expired() {
    let Some(ground) = Ground::start("").await else {
        return;
    };
    ground.found_community().await;
    let (hall, attic) = (room(MEMBER, "hall"), room(OTHER_MEMBER, "attic"));
    ground.store([&ground.open_space(MEMBER, "hall")]).await;
    ground.livekit.until_rooms(&[&hall]).await;
    let made = ground.livekit.rooms().await.remove(0);
    assert_eq!((made.max_participants, made.empty_timeout), (50, 300));
    assert!(made.metadata.contains(OPERATOR), "{}", made.metadata);

    // A newer version leaves it, a closed one ends it, and it can be opened again.
    let sid = made.sid;
    ground.later();
    let edited = ground.space(MEMBER, "hall").tag(["summary", "new words"]);
    ground
        .store([&edited.tag(["status", "private"]).sign()])
        .await;
    let attic_event = ground.open_space(OTHER_MEMBER, "attic");
    ground.store([&attic_event]).await;
    ground.livekit.until_rooms(&[&hall, &attic]).await;
    let there = ground.livekit.rooms().await;
    assert!(there.iter().any(|it| it.sid == sid));
    ground.later();
    let closed = ground
        .space(MEMBER, "hall")
        .tag(["status", "closed"])
        .sign();
    ground.store([&closed]).await;
    ground.livekit.until_rooms(&[&attic]).await;
    ground.later();
    let open_for_a_while = ground.space(MEMBER, "hall").tag(["status", "open"]);
    let open_for_a_while = open_for_a_while.expires_in(Duration::from_secs(60)).sign();
    ground.store([&open_for_a_while]).await;
    ground.livekit.until_rooms(&[&hall, &attic]).await;

    let deletion = ground.relay.author(OTHER_MEMBER).deletion([&attic_event]);
    ground.store([&deletion]).await;
    ground.livekit.until_rooms(&[&hall]).await;
    ground.relay.clock().advance(Duration::from_secs(61));
    ground.livekit.until_rooms(&[]).await;
}

#[tokio::test]
async fn l11_no_room_is_made_for_whom_the_operator_does_not_serve() {
    let own = format!("authorized_communities = ['{}']", key(COMMUNITY));
    let Some(ground) = Ground::start(&own).await else {
        return;
    };
    ground.found_community().await;
    // Another community, open to all, that the operator does not serve.
    let other = ground.relay.author(200);
    let definition = other.draft(10222).tag(["livekit", OPERATOR]);
    let definition = definition
        .tag(["content", "Rooms"])
        .tag(["k", "30312"])
        .sign();
    let theirs = ground.relay.author(200).draft(30312).tag(["d", "hall"]);
    let theirs = theirs.tag(["room", "Theirs"]).tag(["service", OPERATOR]);
    let elsewhere = ground
        .relay
        .author(MEMBER)
        .draft(30312)
        .tag(["d", "elsewhere"]);
    let elsewhere = elsewhere
        .tag(["room", "A room"])
        .tag(["h", &key(COMMUNITY)]);
    let elsewhere = elsewhere.tag(["service", "https://other.example"]);
    ground
        .store([
            &definition,
            &theirs.tag(["status", "open"]).sign(),
            &elsewhere.tag(["status", "open"]).sign(),
            &ground.open_space(STRANGER, "hall"),
            &ground
                .space(MEMBER, "closed")
                .tag(["status", "closed"])
                .sign(),
            &ground.open_space(MEMBER, "hall"),
            &ground.open_space(COMMUNITY, "hall"),
        ])
        .await;
    let (of_member, of_community) = (room(MEMBER, "hall"), room(COMMUNITY, "hall"));
    ground
        .livekit
        .until_rooms(&[&of_member, &of_community])
        .await;
    // Still so when everything has been compared again.
    ground
        .livekit
        .client()
        .delete_room(&of_member)
        .await
        .unwrap();
    ground
        .livekit
        .until_rooms(&[&of_member, &of_community])
        .await;
}

#[tokio::test]
async fn l11_rooms_follow_the_lists_and_definitions_of_communities() {
    let Some(ground) = Ground::start("").await else {
        return;
    };
    // The space is there before its community is.
    ground.store([&ground.open_space(MEMBER, "hall")]).await;
    ground.found_community().await;
    let hall = room(MEMBER, "hall");
    ground.livekit.until_rooms(&[&hall]).await;
    ground.later();
    ground.store([&ground.list(&[OTHER_MEMBER])]).await;
    ground.livekit.until_rooms(&[]).await;
    ground.later();
    ground.store([&ground.list(&[MEMBER])]).await;
    ground.livekit.until_rooms(&[&hall]).await;
    ground.later();
    ground
        .store([&ground.definition("https://other.example")])
        .await;
    ground.livekit.until_rooms(&[]).await;
}

#[tokio::test]
async fn l11_a_request_to_vanish_ends_the_rooms_of_who_vanishes() {
    let Some(ground) = Ground::start("").await else {
        return;
    };
    ground.found_community().await;
    ground.store([&ground.open_space(MEMBER, "hall")]).await;
    ground.livekit.until_rooms(&[&room(MEMBER, "hall")]).await;
    ground.later();
    let vanish = ground
        .relay
        .author(MEMBER)
        .draft(62)
        .tag(["relay", "ALL_RELAYS"]);
    ground.store([&vanish.sign()]).await;
    ground.livekit.until_rooms(&[]).await;
}

#[tokio::test]
async fn l11_comparing_ends_what_was_made_here_and_leaves_what_was_not() {
    let Some(ground) = Ground::start("").await else {
        return;
    };
    ground.found_community().await;
    ground.store([&ground.open_space(MEMBER, "hall")]).await;
    let hall = room(MEMBER, "hall");
    ground.livekit.until_rooms(&[&hall]).await;
    let mark = ground.livekit.rooms().await.remove(0).metadata;

    // Somebody else's rooms, one that no event asks for any more, and one that has ended by itself.
    let (other, forgotten) = (room(STRANGER, "other"), room(MEMBER, "forgotten"));
    let client = ground.livekit.client();
    let with = |metadata: &str| CreateRoomOptions {
        metadata: metadata.to_owned(),
        ..CreateRoomOptions::default()
    };
    client.create_room(&other, with("")).await.unwrap();
    client.create_room("a call", with("{}")).await.unwrap();
    client.create_room(&forgotten, with(&mark)).await.unwrap();
    client.delete_room(&hall).await.unwrap();
    ground.livekit.until_rooms(&[&hall, &other, "a call"]).await;

    // In another life of the relay, too.
    let Ground { relay, livekit } = ground;
    client.create_room(&forgotten, with(&mark)).await.unwrap();
    let relay = relay.restart().await;
    livekit.until_rooms(&[&hall, &other, "a call"]).await;
    relay.stop().await;
    assert_eq!(livekit.rooms().await.len(), 3);
}
