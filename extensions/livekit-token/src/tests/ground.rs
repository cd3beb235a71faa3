//! A relay with groups and a LiveKit, and what people ask of it.

use super::club::Club;
use super::livekit_double::LiveKitDouble;
use crate::LivekitToken;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Draft, Response, TestRelay, Value, json};

/// The key and secret that LiveKit knows.
pub(super) const KEY: &str = "devkey";
pub(super) const SECRET: &str = "a_secret_that_nobody_else_has_0123456789";

pub(super) struct Ground {
    pub(super) relay: TestRelay,
    pub(super) livekit: LiveKitDouble,
}

impl Ground {
    /// Alice (1), Bob (2) and Carol (3) are in the group `pizza`, Alice in the group `silent`.
    pub(super) async fn start() -> Self {
        Self::with("", "").await
    }

    /// With these lines in the table, and these tables and lines before it.
    pub(super) async fn with(table: &str, before: &str) -> Self {
        let livekit = LiveKitDouble::start();
        let config = config(livekit.address, table, before);
        Self::of(livekit, &config).await
    }

    /// With these lines in the table, and this table of the club.
    pub(super) async fn with_club(table: &str, club: &str) -> Self {
        let livekit = LiveKitDouble::start();
        let config = config(livekit.address, table, "");
        let (config, _) = config.split_once("[extensions.club]").unwrap();
        let config = format!("{config}\n{club}");
        Self::of(livekit, &config).await
    }

    async fn of(livekit: LiveKitDouble, config: &str) -> Self {
        let relay = TestRelay::of::<LivekitToken>().extension::<Club>();
        let relay = relay.config(config).start().await;
        Ground { relay, livekit }
    }

    /// Another relay, with these lines in the table, for the same LiveKit.
    #[cfg(feature = "redis")]
    pub(super) async fn beside(&self, table: &str) -> TestRelay {
        let relay = TestRelay::of::<LivekitToken>().extension::<Club>();
        let config = config(self.livekit.address, table, "");
        relay.config(&config).start().await
    }

    pub(super) fn author(&self, number: u64) -> Author {
        self.relay.author(number)
    }

    /// Stores events.
    pub(super) async fn store<'e>(&self, events: impl IntoIterator<Item = &'e Event>) {
        let mut client = self.relay.connect().await;
        for event in events {
            client.store(event).await;
        }
    }

    /// A call of the group `pizza`, by Alice, that is stored.
    pub(super) async fn call(&self) -> Event {
        let call = self.author(1).draft(1020).tag(["h", "pizza"]).sign();
        self.store([&call]).await;
        call
    }

    /// Asks with an event for a token.
    pub(super) async fn ask(&self, path: &str, who: &Author, event: &Event) -> Response {
        let body = json!({"event": value(event)});
        self.relay.post(path).json(&body).nip98(who).await
    }

    /// Asks for a token for a call of `pizza`.
    pub(super) async fn join(&self, who: u64, call: &Event) -> Response {
        let who = self.author(who);
        self.ask("/token/group", &who, &request(&who, call).sign())
            .await
    }
}

/// A request to join a call of `pizza`, unsigned.
pub(super) fn request(who: &Author, call: &Event) -> Draft {
    let draft = who.draft(20_002).tag(["h", "pizza"]);
    draft.tag(["e", &call.id().to_hex(), "", "root"])
}

/// An event as JSON.
pub(super) fn value(event: &Event) -> Value {
    serde_json::from_slice(event.json()).unwrap()
}

/// The hash of these texts, one behind the other, in hex.
pub(super) fn hash_of(texts: &[&str]) -> String {
    const_hex::encode(Sha256::digest(texts.concat()))
}

/// The claims of a token, whose signature must be right.
pub(super) fn claims(token: &str) -> Value {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let key = jsonwebtoken::DecodingKey::from_secret(SECRET.as_bytes());
    let algorithm = jsonwebtoken::Algorithm::HS256;
    let is_right =
        jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key, algorithm).unwrap();
    assert!(is_right, "the signature is wrong");
    let (_, claims) = signed.split_once('.').unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

/// What an error is about; its form is checked.
#[track_caller]
pub(super) fn assert_fails(response: &Response, status: u16, code: &str) -> Value {
    let body: Value = response.json();
    let said = (response.status, body["error"]["code"].as_str());
    assert_eq!(said, (status, Some(code)), "{body}");
    assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    assert!(body["error"]["details"].is_object(), "{body}");
    body["error"]["details"].clone()
}

impl Ground {
    /// The same relay with other lines in the table, and other tables before it.
    pub(super) async fn reconfigure(&mut self, table: &str, before: &str) {
        let config = config(self.livekit.address, table, before);
        self.relay.reconfigure(&config).await.unwrap();
    }
}

/// The whole configuration.
fn config(livekit: SocketAddr, table: &str, before: &str) -> String {
    let keys = [1, 2, 3].map(|it| Author::new(it).pubkey().to_hex());
    format!(
        "{before}\n[extensions.livekit_token]\nlivekit_url = 'ws://{livekit}'\n\
         livekit_client_url = 'wss://livekit.example.com'\nlivekit_api_key = '{KEY}'\n\
         livekit_api_secret = '{SECRET}'\n{table}\n[extensions.club]\n\
         members = {{ pizza = ['{}', '{}', '{}'], silent = ['{}'] }}\n",
        keys[0], keys[1], keys[2], keys[0]
    )
}
