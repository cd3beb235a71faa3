//! The order of commits, as the members of a call see it.

use super::*;
use futures_util::future::join_all;

async fn state(relay: &TestRelay, who: &Author) -> (u16, Value) {
    let answer = relay.get("/mls/state/room").nip98(who).await;
    (answer.status, answer.json())
}

async fn commit(relay: &TestRelay, who: &Author, epoch: u64, commit: &[u8]) -> (u16, Value) {
    let body = json!({
        "room_id": "room",
        "epoch": epoch,
        "commit": STANDARD.encode(commit),
        "tree_hash": format!("{epoch:064x}"),
    });
    let answer = relay.post("/mls/commit").json(&body).nip98(who).await;
    (answer.status, answer.json())
}

async fn join(relay: &TestRelay, who: &Author, sid: &str) {
    let event = about("participant_joined", sid, &group_room(), who, sid);
    assert_eq!(tell(relay, &event).await, 200);
}

#[tokio::test]
async fn l10_the_first_leads_and_members_see_the_state() {
    let relay = relay().await;
    let [alice, bob, carol] = [1, 2, 3].map(Author::new);
    let (status, error) = state(&relay, &alice).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (404, &json!("ROOM_NOT_FOUND"))
    );
    join(&relay, &alice, "PA_1").await;
    join(&relay, &bob, "PA_2").await;
    let [a, b] = [&alice, &bob].map(|it| it.pubkey().to_hex());
    // Both came at the same moment.
    let mut members = [a.clone(), b.clone()];
    members.sort();
    let wanted = json!({
        "room_id": "room",
        "epoch": 0,
        "tree_hash": null,
        "epoch_leader_pubkey": a,
        "active_members": members,
    });
    // Another query, since the same one would have the same signature.
    let answer = relay.get("/mls/state/room?again").nip98(&alice).await;
    assert_eq!(answer.json::<Value>(), wanted);
    assert_eq!(state(&relay, &bob).await, (200, wanted));
    let (status, error) = state(&relay, &carol).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (403, &json!("NOT_GROUP_MEMBER"))
    );
    assert_eq!(relay.get("/mls/state/room").await.status, 401);
}

#[tokio::test]
async fn l10_of_a_hundred_commits_at_once_one_is_accepted_and_heard() {
    let relay = relay().await;
    let (alice, bob) = (Author::new(1), Author::new(2));
    let mut client = relay.connect().await;
    let commits = json!({"kinds": [20021], "#h": ["pizza"]});
    assert_eq!(client.subscribe("live", [commits]).await, Ok(vec![]));
    join(&relay, &alice, "PA_1").await;
    join(&relay, &bob, "PA_2").await;
    let (status, error) = commit(&relay, &bob, 0, b"not the leader").await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (403, &json!("NOT_EPOCH_LEADER"))
    );

    let texts: Vec<String> = (0..100).map(|at| format!("commit {at}")).collect();
    let answers = texts
        .iter()
        .map(|text| commit(&relay, &alice, 0, text.as_bytes()));
    let answers = join_all(answers).await;
    let accepted: Vec<usize> = (0..100).filter(|&at| answers[at].0 == 200).collect();
    let [winner] = accepted[..] else {
        panic!("{} were accepted", accepted.len());
    };
    assert_eq!(answers[winner].1, json!({"status": "accepted", "epoch": 1}));
    for (at, (status, error)) in answers.iter().enumerate().filter(|(at, _)| *at != winner) {
        assert_eq!(*status, 409, "commit {at}");
        assert_eq!(error["error"]["code"], "MLS_EPOCH_MISMATCH");
        assert_eq!(error["error"]["details"], json!({"epoch": 1}));
    }
    let heard = client.next_event("live").await;
    assert_eq!(heard.content(), STANDARD.encode(&texts[winner]));
    assert_eq!(heard.first_tag_value("epoch").as_deref(), Some("1"));
    assert_eq!(
        heard.first_tag_value("p").as_deref(),
        Some(&*alice.pubkey().to_hex())
    );
    client.assert_no_event("live").await;

    // The leader leaves, and the other goes on where they were.
    let left = about("participant_left", "EV_9", &group_room(), &alice, "PA_1");
    assert_eq!(tell(&relay, &left).await, 200);
    let (_, known) = state(&relay, &bob).await;
    assert_eq!(known["epoch_leader_pubkey"], bob.pubkey().to_hex());
    assert_eq!(
        (&known["epoch"], &known["tree_hash"]),
        (&json!(1), &json!("0".repeat(64)))
    );
    assert_eq!(commit(&relay, &bob, 1, b"next").await.0, 200);
    assert_eq!(commit(&relay, &alice, 2, b"gone").await.0, 403);
}

#[tokio::test]
async fn l10_a_commit_is_passed_on_whatever_is_in_it_up_to_64_kib() {
    let relay = relay().await;
    let alice = Author::new(1);
    let mut client = relay.connect().await;
    let commits = json!({"kinds": [20021]});
    assert_eq!(client.subscribe("live", [commits]).await, Ok(vec![]));
    join(&relay, &alice, "PA_1").await;
    let longest: Vec<u8> = (0..64 << 10).map(|at: usize| (at % 251) as u8).collect();
    assert_eq!(commit(&relay, &alice, 0, &longest).await.0, 200);
    let heard = client.next_event("live").await;
    assert_eq!(heard.content(), STANDARD.encode(&longest));
    let too_long = vec![0; (64 << 10) + 1];
    let (status, error) = commit(&relay, &alice, 1, &too_long).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (413, &json!("TOO_LARGE"))
    );
    for wrong in [
        json!({}),
        json!({"room_id": "room", "epoch": 1, "commit": "no base64", "tree_hash": "aa"}),
        json!({"room_id": "room", "epoch": 1, "commit": "", "tree_hash": "aa"}),
        json!({"room_id": "room", "epoch": 1, "commit": "AA==", "tree_hash": ""}),
        json!({"room_id": "room", "epoch": 1, "commit": "AA==", "tree_hash": "a".repeat(129)}),
        json!({"room_id": "room", "epoch": -1, "commit": "AA==", "tree_hash": "aa"}),
    ] {
        let answer = relay.post("/mls/commit").json(&wrong).nip98(&alice).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert_eq!(answer.json::<Value>()["error"]["code"], "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn l10_everything_is_wiped_when_the_room_is_over() {
    let relay = relay().await;
    let alice = Author::new(1);
    join(&relay, &alice, "PA_1").await;
    assert_eq!(commit(&relay, &alice, 0, b"first").await.0, 200);
    let over = json!({"event": "room_finished", "id": "EV_9", "room": group_room()});
    assert_eq!(tell(&relay, &over).await, 200);
    assert_eq!(state(&relay, &alice).await.0, 404);
    assert_eq!(commit(&relay, &alice, 1, b"second").await.0, 404);
    // A room that is opened anew begins anew.
    let mut again = about("participant_joined", "EV_10", &group_room(), &alice, "PA_2");
    again["room"]["sid"] = json!("RM_2");
    assert_eq!(tell(&relay, &again).await, 200);
    let answer = relay.get("/mls/state/room?again").nip98(&alice).await;
    assert_eq!(answer.json::<Value>()["epoch"], 0);
}
