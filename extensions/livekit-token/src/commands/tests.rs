//! Closing rooms, on a real LiveKit.

#![allow(clippy::unwrap_used)]

use super::checked;
use crate::rooms::ground::{Ground, MEMBER, room};
use livekit_api::services::room::CreateRoomOptions;
use trellis_relay::testing::{Author, json};

const OWNER: u64 = 50;

#[test]
fn l20_a_reason_is_one_line_that_names_nobody() {
    assert_eq!(checked(" a flood of noise "), Ok("a flood of noise"));
    let named = format!("because of {}", Author::new(1).pubkey().to_hex());
    let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6 was rude";
    for wrong in [
        "",
        "  ",
        "two\nlines",
        named.as_str(),
        npub,
        &"a".repeat(501),
    ] {
        assert!(checked(wrong).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn l20_a_closed_room_is_gone_until_its_author_opens_it_anew() {
    let Some(ground) = Ground::managed_by(OWNER).await else {
        return;
    };
    ground.found_community().await;
    ground.store([&ground.open_space(MEMBER, "hall")]).await;
    let hall = room(MEMBER, "hall");
    ground.livekit.until_rooms(&[&hall]).await;
    let meeting = ground
        .relay
        .author(MEMBER)
        .draft(30313)
        .tag(["d", "weekly"]);
    let meeting = meeting.tag(["a", &hall]).tag(["status", "live"]).sign();
    let here = ground.relay.author(9).draft(10312).tag(["a", &hall]).sign();
    ground.store([&meeting, &here]).await;
    let owner = ground.relay.author(OWNER);
    let manage = async |method: &str, params| ground.relay.manage(&owner, method, params).await;
    let listed = manage("listlivekitrooms", json!([])).await.unwrap();
    assert_eq!(listed[0]["room"], hall.as_str());
    let counts = ["participants", "live_meetings", "present"].map(|it| listed[0][it].clone());
    assert_eq!(
        (counts, &listed[0]["of_an_event"]),
        ([json!(0), json!(1), json!(1)], &json!(true))
    );

    for wrong in [
        json!([]),
        json!([hall]),
        json!([hall, 1]),
        json!([hall, ""]),
        json!(["no room", "why"]),
    ] {
        assert!(
            manage("closelivekitroom", wrong.clone()).await.is_err(),
            "{wrong}"
        );
    }
    assert_eq!(ground.livekit.names().await, [hall.as_str()]);
    let closed = manage("closelivekitroom", json!([hall, "a flood of noise"])).await;
    assert_eq!(closed, Ok(json!(true)));
    assert_eq!(ground.livekit.names().await, [""; 0]);

    // A call beside it comes and goes as well; the room is not made again, in another life of the relay neither.
    let client = ground.livekit.client();
    client
        .create_room("a call", CreateRoomOptions::default())
        .await
        .unwrap();
    let Ground { relay, livekit } = ground;
    let relay = relay.restart().await;
    let ground = Ground { relay, livekit };
    ground.store([&ground.open_space(MEMBER, "attic")]).await;
    let attic = room(MEMBER, "attic");
    ground.livekit.until_rooms(&["a call", &attic]).await;
    ground.later();
    let edited = ground.space(MEMBER, "hall").tag(["status", "open"]).sign();
    ground.store([&edited]).await;
    ground.livekit.until_rooms(&["a call", &attic, &hall]).await;
    let owner = ground.relay.author(OWNER);
    let closed = ground
        .relay
        .manage(&owner, "closelivekitroom", json!(["a call", "why"]))
        .await;
    assert_eq!(closed, Ok(json!(true)));
    ground.livekit.until_rooms(&[&attic, &hall]).await;

    // Both are in the relay's log, and neither says which room it was.
    let told = ground
        .relay
        .manage(&owner, "listdecisions", json!([]))
        .await;
    let told = told.unwrap();
    for (at, of, reason) in [(0, "call", "why"), (1, "space", "a flood of noise")] {
        let row = ["by", "action", "subject", "rule", "reason"].map(|it| told[at][it].clone());
        let wanted = ["livekit_token", "close room", of, "operator", reason];
        assert_eq!(row, wanted.map(|it| json!(it)));
    }
    let told = told.to_string();
    assert!(!told.contains("hall") && !told.contains("a call"), "{told}");
}

#[tokio::test]
async fn l20_nobody_but_the_operator_lists_or_closes_rooms() {
    let Some(ground) = Ground::managed_by(OWNER).await else {
        return;
    };
    let stranger = ground.relay.author(MEMBER);
    for (method, params) in [
        ("listlivekitrooms", json!([])),
        ("closelivekitroom", json!(["a", "b"])),
    ] {
        assert!(
            ground
                .relay
                .manage(&stranger, method, params)
                .await
                .is_err(),
            "{method}"
        );
    }
    let owner = ground.relay.author(OWNER);
    let listed = ground
        .relay
        .manage(&owner, "listlivekitrooms", json!([]))
        .await;
    assert_eq!(listed, Ok(json!([])));
}
