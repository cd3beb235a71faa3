//! D4: what of calls is in a backup, which is nothing.

use super::direct;
use super::ground::{Ground, SECRET};
use super::hearsay::{about, mark_of, room, tell};
use super::livekit_double::BORN_MS;
use trellis_relay::testing::{Value, json};

#[tokio::test]
async fn d4_no_row_and_no_file_tells_of_a_call_or_lets_anybody_in() {
    let ground = Ground::start().await;
    let (call, bob) = (ground.call().await, ground.author(2));
    let joined: Value = ground.join(2, &call).await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (token, name) = (text(&joined["token"]), text(&joined["room"]));
    let here = room(&ground.livekit, &name, BORN_MS + 1);
    let session = "PA_canary";
    ground
        .livekit
        .set_sessions(&name, vec![(session.to_owned(), bob.pubkey().to_hex())]);
    let arrived = about(
        "participant_joined",
        &here,
        &bob,
        session,
        &mark_of(&joined),
    );
    assert_eq!(tell(&ground.relay, &arrived).await, 200);
    let tree = "ca".repeat(32);
    let commit = json!({"room_id": name, "epoch": 0, "tree_hash": tree, "commit": "Y2FuYXJ5"});
    let committed = ground.relay.post("/mls/commit").json(&commit).nip98(&bob);
    assert_eq!(committed.await.status, 200);
    let (caller, callee) = (ground.author(1), ground.author(9));
    let offered = direct::offer(&caller, &callee);
    let accepted = direct::answer(&callee, &caller, &offered);
    let mut client = ground.relay.connect().await;
    client.publish(&offered).await.assert_accepted();
    client.publish(&accepted).await.assert_accepted();
    let direct: Value = direct::ask(&ground, &caller, &offered, None).await.json();
    let (direct_token, direct_room) = (text(&direct["token"]), text(&direct["room"]));

    let state = ground.relay.get(&format!("/mls/state/{name}")).nip98(&bob);
    let state: Value = state.await.json();
    assert_eq!(state["active_members"], json!([bob.pubkey().to_hex()]));
    let rows = ground.relay.backed_up_rows("livekit_token");
    let all = rows.iter().flat_map(|(key, value)| [key, value]);
    let all: Vec<u8> = all.flatten().copied().collect();
    let all = String::from_utf8_lossy(&all);
    let canaries = [
        &*token,
        &*name,
        &*direct_token,
        &*direct_room,
        session,
        &*tree,
        "Y2FuYXJ5",
        SECRET,
    ];
    for canary in canaries {
        assert!(!all.contains(canary), "{canary}");
    }
    assert_eq!(rows, [], "a new kind of row: is it for a backup?");
    assert_eq!(ground.relay.back_up().await.places().len(), 0);
}
