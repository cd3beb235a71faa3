//! L17: the relay as a process, a real LiveKit server that tells it what happens, and real participants who come with the
//! tokens that it issues.
//!
//! `tests/run` says where the server (`LIVEKIT_SERVER_BIN`) and a Python with the participant's library are
//! (`TEST_LIVEKIT_PYTHON`). Where one of them is missing a test says SKIPPED and passes.

#![cfg(all(feature = "groups", feature = "livekit_token"))]

mod browser;
mod ground;
mod participant;

use browser::Browser;
use ground::{Ground, SECRET, Webhooks};
use std::path::Path;
use trellis_test_support::{Author, Client, Reply, json, wait};

#[tokio::test]
async fn l17_a_call_from_its_tokens_to_its_end() {
    let Some(mut ground) = Ground::start(Webhooks::Sent).await else {
        return;
    };
    let tokens = ground.call().await;
    let [alice_key, bob_key] = [ground.alice.pubkey(), ground.bob.pubkey()];

    // Both come, and hear of each other from LiveKit and from the relay.
    let mut alice = ground.join(&tokens.alice);
    alice.said("connected").await;
    ground.heard(20_004, &alice_key).await;
    let mut bob = ground.join(&tokens.bob);
    bob.said("connected").await;
    assert_eq!(alice.said("came").await["identity"], bob_key);
    ground.heard(20_004, &bob_key).await;

    // The first of them leads; a commit by the other does not count.
    let (status, known) = ground.state(&ground.bob).await;
    let wanted = json!({
        "room_id": tokens.room,
        "epoch": 0,
        "tree_hash": null,
        "epoch_leader_pubkey": alice_key,
        "active_members": [alice_key, bob_key],
    });
    assert_eq!((status, known), (200, wanted));
    assert_eq!(ground.commit(&ground.bob, 0).await.0, 403);
    assert_eq!(ground.commit(&ground.alice, 0).await.0, 200);
    let commit = ground.heard(20_021, &alice_key).await;
    assert_eq!(commit.content, "Y29tbWl0");

    // The leader leaves.
    alice.leave();
    assert_eq!(bob.said("went").await["identity"], alice_key);
    ground.heard(20_005, &alice_key).await;
    ground.heard(20_007, &bob_key).await;
    let (_, known) = ground.state(&ground.bob).await;
    assert_eq!(
        (&known["epoch"], &known["epoch_leader_pubkey"]),
        (&json!(1), &json!(bob_key))
    );

    // The room ends, and with it all that was known.
    ground.end_room(&tokens.room).await;
    assert_eq!(bob.said("disconnected").await["reason"], "ROOM_DELETED");
    ground.heard(20_005, &bob_key).await;
    ground.next(20_006).await;
    assert_eq!(ground.state(&ground.bob).await.0, 404);

    // Neither log nor disk knows of it, however much is logged.
    let log = ground.relay.log();
    assert!(log.contains("TRACE"), "the log was looked at");
    let secrets = [&*tokens.alice, &tokens.bob, SECRET];
    assert!(secrets.iter().all(|secret| !log.contains(secret)));
    let keys = [&*alice_key, &bob_key];
    let tells_who = |line: &&str| keys.iter().any(|key| line.contains(key));
    let of_room = log.lines().filter(|line| line.contains(&tokens.room));
    assert_eq!(of_room.filter(tells_who).collect::<Vec<_>>(), [""; 0]);
    let words = [&*tokens.room, &tokens.alice, &tokens.bob];
    let (_, setup) = ground.stop().await;
    let found = files_with(&setup.home().join("data"), &words);
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn l17_a_copy_of_a_token_is_put_out_and_a_new_token_lets_in() {
    for webhooks in [Webhooks::Sent, Webhooks::Lost] {
        let Some(mut ground) = Ground::start(webhooks).await else {
            return;
        };
        let tokens = ground.call().await;
        let [alice_key, bob_key] = [ground.alice.pubkey(), ground.bob.pubkey()];
        let mut bob = ground.join(&tokens.bob);
        bob.said("connected").await;
        ground.heard(20_004, &bob_key).await;
        let mut alice = ground.join(&tokens.alice);
        alice.said("connected").await;
        ground.heard(20_004, &alice_key).await;

        // LiveKit itself puts out whoever has the name; the relay puts out the copy.
        let mut copy = ground.join(&tokens.alice);
        assert_eq!(
            alice.said("disconnected").await["reason"],
            "DUPLICATE_IDENTITY"
        );
        // It may be put out before it knows that it was in.
        let end = copy.said_one_of(&["disconnected", "refused"]).await;
        let is_put_out = end["reason"] == "PARTICIPANT_REMOVED" || end["event"] == "refused";
        assert!(is_put_out, "{end}");
        ground.heard(20_005, &alice_key).await;
        assert_eq!(ground.replays().await, 1.0);

        // The room goes on, and a new token is as good as the first was.
        let again = ground.token(&ground.alice, &ground.offer).await;
        let mut alice = ground.join(again["token"].as_str().expect("a token"));
        alice.said("connected").await;
        ground.heard(20_004, &alice_key).await;
        let (_, known) = ground.state(&ground.alice).await;
        assert_eq!(known["active_members"], json!([bob_key, alice_key]));
        assert_eq!(ground.replays().await, 1.0);
        assert!(!bob.has_said("disconnected"));
    }
}

#[tokio::test]
async fn l9_a_room_that_is_recorded_is_closed() {
    for webhooks in [Webhooks::Sent, Webhooks::Lost] {
        let Some(mut ground) = Ground::start(webhooks).await else {
            return;
        };
        let tokens = ground.call().await;
        let mut alice = ground.join(&tokens.alice);
        alice.said("connected").await;
        ground.heard(20_004, &ground.alice.pubkey()).await;
        let _recorder = ground.record(&tokens.room);
        assert_eq!(alice.said("disconnected").await["reason"], "ROOM_DELETED");
        ground.next(20_006).await;
        wait::until_true("the decision in the log", || {
            let log = ground.relay.log();
            let decision = log.lines().find(|line| line.contains("no recording"));
            decision.is_some_and(|line| {
                let names_nobody = !line.contains(&ground.alice.pubkey());
                names_nobody && !line.contains(&tokens.room)
            })
        })
        .await;
    }
}

#[tokio::test]
async fn l8_of_a_private_groups_call_only_members_hear() {
    let Some(mut ground) = Ground::start(Webhooks::Sent).await else {
        return;
    };
    let call = ground.group_call("pizza").await;
    let stranger = Author::new();
    let about = json!({"kinds": [20_004, 20_005], "#h": ["pizza"]});
    let mut ears = Vec::new();
    for who in [&ground.bob, &stranger] {
        let mut ear = Client::connect(&ground.relay).await;
        ear.login(who).await;
        ear.subscribe("calls", std::slice::from_ref(&about)).await;
        ears.push(ear);
    }
    let token = ground.group_token("pizza", &call).await;
    let mut alice = ground.join(&token);
    alice.said("connected").await;
    let event = ears[0].next_event("calls").await;
    assert_eq!(event.kind.as_u16(), 20_004);

    // Whoever belongs to the group may see where the call is, before they are in it.
    assert_eq!(ground.state(&ground.bob).await.0, 200);
    assert_eq!(ground.state(&stranger).await.0, 403);
    alice.leave();
    let event = ears[0].next_event("calls").await;
    assert_eq!(event.kind.as_u16(), 20_005);
    ears[1].assert_alive().await;
    let heard = ears[1]
        .unread()
        .any(|reply| matches!(reply, Reply::Event(..)));
    assert!(!heard);
}

/// `examples/browser-call` in a real browser, with a camera and a microphone of its own making.
#[tokio::test]
async fn l17_a_page_in_a_browser_calls_and_is_heard_and_seen() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let Some(mut ground) = Ground::start(Webhooks::Sent).await else {
        return;
    };
    let bob_key = ground.bob.pubkey();
    let mut phone = Client::connect(&ground.relay).await;
    phone.login(&ground.bob).await;
    let to_bob = json!({"kinds": [20_010], "#p": [bob_key]});
    phone.subscribe("calls", &[to_bob]).await;
    assert_eq!(phone.stored("calls").await, Ok(vec![]));
    let address = format!("relay={}&key=new&call={bob_key}", ground.relay.ws_url());
    let _page = browser.open(&address);

    // The page calls with a key of its own.
    let offer = phone.next_event("calls").await;
    let page_key = offer.pubkey.to_hex();
    ground.listen(&offer).await;
    let answer = ground.bob.draft(20_011).tag(&["p", &page_key]);
    let answer = answer.tag(&["e", &offer.id.to_hex(), "", "root"]).sign();
    let token = ground.token(&ground.bob, &answer).await;
    let mut bob = ground.join(token["token"].as_str().expect("a token"));
    bob.said("connected").await;
    ground.heard(20_004, &bob_key).await;
    phone.publish(&answer).await.assert_accepted();
    ground.heard(20_004, &page_key).await;
    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        let track = bob.said("track").await;
        assert_eq!(track["identity"], page_key);
        kinds.push(track["kind"].as_str().expect("a kind").to_owned());
    }
    kinds.sort();
    assert_eq!(kinds, ["KIND_AUDIO", "KIND_VIDEO"]);
}

/// The files below a folder in which one of the words stands.
fn files_with(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, words));
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        let holds = |word: &&str| bytes.windows(word.len()).any(|it| it == word.as_bytes());
        if words.iter().any(holds) {
            found.push(path.display().to_string());
        }
    }
    found
}
