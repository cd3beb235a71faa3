//! M26: groups.

use super::ground::{As, Ground, expect, hex};
use crate::roster::{Role, Roster};
use crate::storage::{PutRoster, Seen};
use trellis_relay::testing::{Author, START_S, Value, json, until};

async fn set_roster(ground: &Ground, group_id: &str, owner: &Author, members: &[&Author]) {
    let mut roster = Roster::of_owner(owner.pubkey());
    roster
        .members
        .extend(members.iter().map(|it| (it.pubkey(), Role::Member)));
    let known = ground
        .storage
        .rosters(&[group_id.to_owned()])
        .await
        .unwrap();
    let replaces = known.first().map(|(_, known)| known.revision);
    let put = ground
        .storage
        .put_roster(group_id, &roster, replaces, START_S)
        .await
        .unwrap();
    assert!(matches!(put, PutRoster::Written(_)));
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["group_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn m26_admins_and_services_found_groups() {
    let (admin, alice) = (Author::new(9), Author::new(1));
    let ground = Ground::start(&format!("admin_pubkeys = ['{}']", hex(&admin))).await;
    let body = json!({
        "group_id": "team", "display_name": "Team Chat", "avatar_url": "https://example.com/a.png",
        "owner_pubkey": hex(&alice),
    });
    expect(
        ground.post("/groups", As::Key(&alice), body.clone()).await,
        403,
    );
    let wanted = json!({
        "group_id": "team", "display_name": "Team Chat", "avatar_url": "https://example.com/a.png",
        "member_count": 1, "last_epoch": null, "created_at": "2023-11-14T22:13:20Z",
    });
    let created = expect(
        ground.post("/groups", As::Key(&admin), body.clone()).await,
        200,
    );
    let mut with_ok = wanted.clone();
    with_ok["ok"] = true.into();
    assert_eq!(created, with_ok);
    let shown = ground.get("/groups/team", As::Key(&alice)).await;
    assert_eq!(expect(shown, 200), wanted);

    let mut again = body.clone();
    again["display_name"] = "Another".into();
    expect(ground.post("/groups", As::Key(&admin), again).await, 409);
    let shown = ground.get("/groups/team", As::Key(&alice)).await;
    assert_eq!(expect(shown, 200), wanted);

    let plain = json!({"group_id": "plain", "owner_pubkey": hex(&alice)});
    let created = expect(ground.post("/groups", As::Service, plain).await, 200);
    assert_eq!(
        (&created["display_name"], &created["avatar_url"]),
        (&Value::Null, &Value::Null)
    );
    for (field, wrong) in [
        ("group_id", json!("")),
        ("group_id", json!("a\nb")),
        ("group_id", json!("a".repeat(257))),
        ("display_name", json!("a".repeat(257))),
        ("avatar_url", json!("javascript:alert(1)")),
        ("owner_pubkey", json!("alice")),
        ("owner_pubkey", Value::Null),
    ] {
        let mut body = body.clone();
        body["group_id"] = "other".into();
        body[field] = wrong;
        expect(ground.post("/groups", As::Key(&admin), body).await, 400);
    }
}

#[tokio::test]
async fn m26_to_whoever_is_no_member_a_group_is_not_there() {
    let ground = Ground::start("").await;
    let (alice, bob, carol) = (Author::new(1), Author::new(2), Author::new(3));
    set_roster(&ground, "team", &alice, &[&bob]).await;
    let seen = Seen {
        group_id: "loose".to_owned(),
        epoch: Some(3),
        created_at_s: START_S,
    };
    ground
        .storage
        .note_messages(&[seen], START_S)
        .await
        .unwrap();
    let status = async |group: &str, who| ground.get(&format!("/groups/{group}"), who).await.status;
    assert_eq!(status("team", As::Key(&alice)).await, 200);
    assert_eq!(status("team", As::Key(&bob)).await, 200);
    for group in ["team", "loose", "none"] {
        let text = ground
            .get(&format!("/groups/{group}"), As::Key(&carol))
            .await;
        let error = expect(text, 404);
        assert_eq!(error["error"], "there is no such group, or not for you");
    }
    let loose = expect(ground.get("/groups/loose", As::Service).await, 200);
    assert_eq!(
        (&loose["last_epoch"], &loose["member_count"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(status("none", As::Service).await, 404);
    // Removed by another relay, which this one hears of, with the same answer as for a group that never was.
    set_roster(&ground, "team", &alice, &[]).await;
    until("bob is out", async || {
        status("team", As::Key(&bob)).await == 404
    })
    .await;
    let list = expect(ground.get("/groups", As::Key(&bob)).await, 200);
    assert_eq!(names(&list), [""; 0]);
}

#[tokio::test]
async fn m26_groups_are_listed_in_pages_to_their_members() {
    let ground = Ground::start("").await;
    let (alice, bob) = (Author::new(1), Author::new(2));
    for group in ["b", "a", "c", "d"] {
        set_roster(&ground, group, &alice, &[]).await;
    }
    set_roster(&ground, "bobs", &bob, &[]).await;
    let list =
        async |query: &str, who| expect(ground.get(&format!("/groups{query}"), who).await, 200);
    let first = list("?limit=3", As::Key(&alice)).await;
    assert_eq!(names(&first), ["a", "b", "c"]);
    let next = format!("?limit=3&cursor={}", first["cursor"].as_str().unwrap());
    let last = list(&next, As::Key(&alice)).await;
    assert_eq!(names(&last), ["d"]);
    assert_eq!(last["cursor"], Value::Null);
    assert_eq!(
        names(&list("", As::Service).await),
        ["a", "b", "bobs", "c", "d"]
    );
    expect(ground.get("/groups?cursor=!", As::Key(&alice)).await, 400);
    expect(ground.get("/groups?limit=0", As::Key(&alice)).await, 400);
}

#[tokio::test]
async fn m26_any_id_can_be_asked_for() {
    let ground = Ground::start("").await;
    let alice = Author::new(1);
    for (id, path) in [
        ("a/b c", "a%2Fb%20c"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("50%", "50%25"),
    ] {
        set_roster(&ground, id, &alice, &[]).await;
        let shown = expect(
            ground
                .get(&format!("/groups/{path}"), As::Key(&alice))
                .await,
            200,
        );
        assert_eq!(shown["group_id"], id);
    }
}

#[tokio::test]
async fn m26_no_groups_are_founded_where_the_mode_says_so() {
    let alice = Author::new(1);
    for mode in ["no_new_groups", "read_only"] {
        let ground = Ground::start_beside("", &format!("operation.mode = '{mode}'")).await;
        let body = json!({"group_id": "team", "owner_pubkey": hex(&alice)});
        expect(ground.post("/groups", As::Service, body).await, 403);
    }
}
