//! A relay, a LiveKit server that it uses, and two people who call each other.

use crate::participant::Participant;
use std::process::{Child, Command, ExitStatus, Stdio};
use trellis_test_support::{
    Author, Client, Event, Relay, Setup, Value, free_port, http, json, trellis, wait,
};

const KEY: &str = "test_key";
pub(crate) const SECRET: &str = "a_secret_that_only_the_tests_have_0123456789";

/// Whether LiveKit reaches the relay with its webhooks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Webhooks {
    Sent,
    Lost,
}

pub(crate) struct Ground {
    pub relay: Relay,
    pub alice: Author,
    pub bob: Author,
    /// Alice's, to Bob.
    pub offer: Event,
    room: String,
    /// Of both, hears what the relay tells of the call.
    ear: Client,
    livekit: Server,
    url: String,
    python: String,
}

/// One token each, for the same room.
pub(crate) struct Tokens {
    pub alice: String,
    pub bob: String,
    pub room: String,
}

/// Dropping it ends it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ground {
    /// Nothing, with a word on standard error, where there is no server or no participant.
    pub(crate) async fn start(webhooks: Webhooks) -> Option<Ground> {
        let wanted = |name: &str| {
            let value = std::env::var(name).ok().filter(|it| !it.is_empty());
            if value.is_none() {
                eprintln!("SKIPPED: LiveKit: {name} is not set; tests/run sets it");
            }
            value
        };
        let (binary, python) = (
            wanted("LIVEKIT_SERVER_BIN")?,
            wanted("TEST_LIVEKIT_PYTHON")?,
        );
        let port = free_port();
        let url = format!("ws://127.0.0.1:{port}");
        let table = format!(
            "[log]\nfilter = 'trace'\n[extensions.groups]\n[extensions.livekit_token]\nlivekit_url = '{url}'\nlivekit_api_key = '{KEY}'\n\
             livekit_api_secret = '{SECRET}'\ncommunities = false\nrate_limit_tokens_per_pubkey = 1000000\n\
             rate_limit_tokens_per_ip = 1000000\nparticipants_poll_seconds = {}\n",
            // Where webhooks come, what they say must do.
            if webhooks == Webhooks::Sent { 3600 } else { 1 }
        );
        let relay = trellis!().config(&table).start().await;
        let mut config = format!(
            "port: {port}\nbind_addresses: [127.0.0.1]\nlog_level: error\nkeys: {{{KEY}: {SECRET}}}\n\
             rtc: {{node_ip: 127.0.0.1, use_external_ip: false, enable_loopback_candidate: true, \
             tcp_port: {}, udp_port: {}}}\n",
            free_port(),
            free_port(),
        );
        if webhooks == Webhooks::Sent {
            let address = relay.address();
            config += &format!(
                "webhook: {{api_key: {KEY}, urls: ['http://{address}/webhook/livekit']}}\n"
            );
        }
        let mut command = Command::new(binary);
        command.args(["--dev", "--config-body", &config]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let livekit = Server(command.spawn().expect("LiveKit"));
        wait::until("LiveKit listens", async || {
            let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            connected.ok().map(drop)
        })
        .await;
        let (alice, bob) = (Author::new(), Author::new());
        let offer = alice.draft(20_010).tag(&["p", &bob.pubkey()]).sign();
        let mut ear = Client::connect(&relay).await;
        for who in [&alice, &bob] {
            ear.login(who).await;
        }
        let mut ground = Ground {
            relay,
            alice,
            bob,
            offer,
            room: String::new(),
            ear,
            livekit,
            url,
            python,
        };
        let offer = ground.offer.clone();
        ground.listen(&offer).await;
        Some(ground)
    }

    /// From here on hears what the relay tells of the call with this offer.
    pub(crate) async fn listen(&mut self, offer: &Event) {
        let kinds = json!([20_004, 20_005, 20_006, 20_007, 20_021]);
        let about = json!({"kinds": kinds, "#e": [offer.id.to_hex()]});
        self.ear.subscribe("call", &[about]).await;
        assert_eq!(self.ear.stored("call").await, Ok(vec![]));
    }

    /// Alice calls Bob, who answers, and both get tokens.
    pub(crate) async fn call(&mut self) -> Tokens {
        let offer = self.offer.clone();
        self.ear.publish(&offer).await.assert_accepted();
        let answer = self.bob.draft(20_011).tag(&["p", &self.alice.pubkey()]);
        let answer = answer.tag(&["e", &offer.id.to_hex(), "", "root"]).sign();
        let bob = self.token(&self.bob, &answer).await;
        let alice = self.token(&self.alice, &offer).await;
        assert_eq!(alice["room"], bob["room"]);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        self.room = text(&alice["room"]);
        Tokens {
            alice: text(&alice["token"]),
            bob: text(&bob["token"]),
            room: self.room.clone(),
        }
    }

    /// A token for a call, by one's own event.
    pub(crate) async fn token(&self, who: &Author, event: &Event) -> Value {
        let body = json!({"event": event}).to_string();
        let (status, answer) = self.post(who, "/token/dm", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// A call of a private group, which Alice founds and takes Bob into.
    pub(crate) async fn group_call(&mut self, group: &str) -> Event {
        let draft = |kind: u16| self.alice.draft(kind).tag(&["h", group]);
        let call = draft(1020).sign();
        for event in [
            draft(9007).sign(),
            draft(9002).tag(&["name", "Pizza"]).tag(&["private"]).sign(),
            draft(9000).tag(&["p", &self.bob.pubkey()]).sign(),
            call.clone(),
        ] {
            self.ear.store(&event).await;
        }
        call
    }

    /// Alice's token for a group's call.
    pub(crate) async fn group_token(&mut self, group: &str, call: &Event) -> String {
        let draft = self.alice.draft(20_002).tag(&["h", group]);
        let event = draft.tag(&["e", &call.id.to_hex(), "", "root"]).sign();
        let body = json!({"event": event}).to_string();
        let answer = wait::until("the founder to be a member", async || {
            let (status, answer) = self.post(&self.alice, "/token/group", &body).await;
            (status == 200).then_some(answer)
        })
        .await;
        self.room = answer["room"].as_str().expect("a room").to_owned();
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// What the relay says of the call's MLS group.
    pub(crate) async fn state(&self, who: &Author) -> (u16, Value) {
        let path = format!("/mls/state/{}", self.room);
        let url = format!("{}{path}", self.relay.http_url());
        let header = who.authorization_without_payload("GET", &url);
        let answer = http::get(&self.relay, &path, &[("Authorization", &header)]).await;
        (answer.status, answer.json())
    }

    /// Submits a commit.
    pub(crate) async fn commit(&self, who: &Author, epoch: u64) -> (u16, Value) {
        let body =
            json!({"room_id": self.room, "epoch": epoch, "commit": "Y29tbWl0", "tree_hash": "aa"});
        self.post(who, "/mls/commit", &body.to_string()).await
    }

    async fn post(&self, who: &Author, path: &str, body: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.relay.http_url());
        let header = who.authorization("POST", &url, body);
        let headers = [
            ("Authorization", &*header),
            ("Content-Type", "application/json"),
        ];
        let answer = http::post(&self.relay, path, &headers, body).await;
        (answer.status, answer.json())
    }

    /// The next thing that the relay tells of the call is of this kind and about this key.
    pub(crate) async fn heard(&mut self, kind: u16, about: &str) -> Event {
        let event = self.next(kind).await;
        let first = event.tags.iter().find(|tag| tag.as_slice()[0] == "p");
        let first = first.map(|tag| tag.as_slice()[1].as_str());
        assert_eq!(first, Some(about));
        event
    }

    /// The next of this kind. A recorded or closed room lets people go in any order, so that others may come before it.
    pub(crate) async fn next(&mut self, kind: u16) -> Event {
        loop {
            let event = self.ear.next_event("call").await;
            if event.kind.as_u16() == kind {
                return event;
            }
        }
    }

    /// How many copies of tokens the relay has counted.
    pub(crate) async fn replays(&self) -> f64 {
        let metrics = http::get(&self.relay, "/metrics", &[]).await.body;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("livekit_token_replays_total"));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Joins with a token.
    pub(crate) fn join(&self, token: &str) -> Participant {
        Participant::start(&self.python, &["join", &self.url, token])
    }

    /// Joins as LiveKit's own recorder does.
    pub(crate) fn record(&self, room: &str) -> Participant {
        let arguments = ["record", &self.url, KEY, SECRET, room];
        Participant::start(&self.python, &arguments)
    }

    /// Ends a room, as by LiveKit's own tools.
    pub(crate) async fn end_room(&self, room: &str) {
        let arguments = ["delete", &self.url, KEY, SECRET, room];
        let mut operator = Participant::start(&self.python, &arguments);
        assert_eq!(operator.said("deleted").await["status"], 200);
    }

    /// Stops LiveKit, then the relay.
    pub(crate) async fn stop(self) -> (ExitStatus, Setup) {
        drop(self.livekit);
        self.relay.stop().await
    }
}
