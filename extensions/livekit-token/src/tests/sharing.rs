//! Two relays that share a LiveKit and a Redis (`TEST_REDIS_URL`; without it nothing is tried).

use super::ground::Ground;
use super::hearsay::{about, mark_of, room, tell};
use super::livekit_double::BORN_MS;
use trellis_relay::testing::{TestRelay, Value};

#[tokio::test]
async fn l7_a_token_of_one_relay_is_single_use_at_the_other() {
    let Ok(url) = std::env::var("TEST_REDIS_URL") else {
        eprintln!("SKIPPED: Redis: TEST_REDIS_URL is not set; tests/run sets it");
        return;
    };
    let first = Ground::with(&format!("redis_url = '{url}'"), "").await;
    let second = first.beside(&format!("redis_url = '{url}'")).await;
    let (call, bob) = (first.call().await, first.author(2));
    let identity = bob.pubkey().to_hex();
    let answer: Value = first.join(2, &call).await.json();
    let (name, mark) = (answer["room"].as_str().unwrap(), mark_of(&answer));
    let here = room(&first.livekit, name, BORN_MS + 1);
    let removals = || first.livekit.asked("RemoveParticipant").len();
    let joined = async |relay: &TestRelay, sid: &str, mark: &str| {
        let session = (sid.to_owned(), identity.clone());
        first.livekit.set_sessions(name, vec![session]);
        let event = about("participant_joined", &here, &bob, sid, mark);
        assert_eq!(tell(relay, &event).await, 200);
    };

    // The other relay hears of who comes first, and this one of the copy.
    joined(&second, "PA_1", &mark).await;
    assert_eq!(removals(), 0);
    joined(&first.relay, "PA_2", &mark).await;
    assert_eq!(removals(), 1);
    // What one refuses the other does, with the same token.
    joined(&second, "PA_3", &mark).await;
    assert_eq!(removals(), 2);

    // A new token is good at both, for one session.
    let fresh: Value = first.join(2, &call).await.json();
    let fresh = mark_of(&fresh);
    joined(&second, "PA_4", &fresh).await;
    joined(&first.relay, "PA_4", &fresh).await;
    assert_eq!(removals(), 2);
    joined(&second, "PA_5", &fresh).await;
    assert_eq!(removals(), 3);
}
