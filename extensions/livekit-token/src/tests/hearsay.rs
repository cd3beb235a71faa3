//! What LiveKit tells a relay by its webhooks.

use super::ground::{KEY, SECRET};
use super::livekit_double::LiveKitDouble;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{EncodingKey, Header};
use sha2::{Digest, Sha256};
use trellis_relay::testing::{Author, START_S, TestRelay, Value, json};

/// LiveKit's token for a body.
pub(super) fn signature(body: &str) -> String {
    let claims = json!({
        "iss": KEY,
        "nbf": START_S,
        "exp": START_S + 300,
        "sha256": STANDARD.encode(Sha256::digest(body)),
    });
    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &secret).unwrap()
}

/// Tells a relay; the status.
pub(super) async fn tell(relay: &TestRelay, event: &Value) -> u16 {
    let body = event.to_string();
    let call = relay.post("/webhook/livekit").body(body.clone());
    call.header("Authorization", &signature(&body)).await.status
}

/// A room as it is in LiveKit, opened at this time.
pub(super) fn room(livekit: &LiveKitDouble, name: &str, created_ms: u8) -> Value {
    let (sid, metadata) = livekit.room(name).unwrap();
    json!({
        "sid": sid,
        "name": name,
        "creationTimeMs": created_ms.to_string(),
        "metadata": metadata,
    })
}

/// An event about a session with the token of this mark.
pub(super) fn about(event: &str, room: &Value, who: &Author, sid: &str, mark: &str) -> Value {
    json!({
        "event": event,
        "id": format!("{event} {sid}"),
        "room": room,
        "participant": {
            "sid": sid,
            "identity": who.pubkey().to_hex(),
            "state": "ACTIVE",
            "joinedAtMs": (START_S * 1000).to_string(),
            "attributes": {"token_mark": mark},
        },
    })
}

/// The mark in a token that was issued.
pub(super) fn mark_of(answer: &Value) -> String {
    let claims = super::ground::claims(answer["token"].as_str().unwrap());
    claims["attributes"]["token_mark"]
        .as_str()
        .unwrap()
        .to_owned()
}
