//! A Nostr client over a real WebSocket that hides nothing: every reply is kept until somebody asks for it.
//!
//! Invariant: every wait has a deadline and a sentence that says what was waited for. Nothing sleeps.

use super::wait::{self, DEADLINE};
use super::{Author, Reply, Verdict};
use crate::clock::{Clock, FakeClock};
use crate::event::Event;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{self, Message};

/// One WebSocket connection, made by [`TestRelay::connect`](super::TestRelay::connect).
///
/// Filters are JSON as clients write it; `json!` is re-exported. A request that the relay closes is an `Err` with its
/// reason.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    relay_url: String,
    clock: Arc<FakeClock>,
    challenge: Option<String>,
    /// Replies that nobody has asked for yet, in order.
    unread: VecDeque<Reply>,
    close_code: Option<u16>,
    asked: u64,
}

/// Where a client connects, and by what name it calls the relay.
pub(super) struct Target<'a> {
    pub(super) authority: String,
    /// As an answer to a challenge must name it.
    pub(super) relay_url: String,
    pub(super) clock: Arc<FakeClock>,
    pub(super) headers: &'a [(&'a str, &'a str)],
}

impl Client {
    pub(super) async fn connect(target: Target<'_>) -> Result<Self, tungstenite::Error> {
        let url = format!("ws://{}/", target.authority);
        let mut request = url.into_client_request()?;
        for (name, value) in target.headers {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            let value = HeaderValue::from_str(value)?;
            request.headers_mut().insert(name, value);
        }
        let connect = async {
            let tcp = TcpStream::connect(&target.authority).await?;
            tcp.set_nodelay(true)?;
            tokio_tungstenite::client_async(request, tcp).await
        };
        let (socket, _) = wait::within("the WebSocket handshake", connect).await?;
        Ok(Client {
            socket,
            relay_url: target.relay_url,
            clock: target.clock,
            challenge: None,
            unread: VecDeque::new(),
            close_code: None,
            asked: 0,
        })
    }

    /// Publishes an event and returns the verdict.
    pub async fn publish(&mut self, event: &Event) -> Verdict {
        self.send_event(event).await;
        self.verdict(event).await
    }

    /// Publishes an event that has to be accepted.
    pub async fn store(&mut self, event: &Event) {
        let verdict = self.publish(event).await;
        let reason = verdict.reason();
        assert!(verdict.is_accepted(), "{event:?} was refused: {reason}");
    }

    /// Sends an event and does not wait; [`Client::verdict`] does.
    pub async fn send_event(&mut self, event: &Event) {
        let json = std::str::from_utf8(event.json()).unwrap();
        self.send_text(&format!(r#"["EVENT",{json}]"#)).await;
    }

    /// The verdict on an event that was sent.
    pub async fn verdict(&mut self, event: &Event) -> Verdict {
        let id = event.id().to_hex();
        self.wait_for(&format!("OK {id}"), |reply| match reply {
            Reply::Ok(of, verdict) if *of == id => Some(verdict.clone()),
            _ => None,
        })
        .await
    }

    /// What the relay has stored for a filter, newest first, or the reason why it closed the request.
    pub async fn query(&mut self, filter: Value) -> Result<Vec<Event>, String> {
        self.asked += 1;
        let sub = format!("query-{}", self.asked);
        let stored = self.subscribe(&sub, [filter]).await?;
        self.send(json!(["CLOSE", sub])).await;
        Ok(stored)
    }

    /// Opens a subscription under this id: what is stored already, up to EOSE, or the reason why the relay closed it. What
    /// comes later is [`Client::next_event`]'s.
    pub async fn subscribe<const N: usize>(
        &mut self,
        sub: &str,
        filters: [Value; N],
    ) -> Result<Vec<Event>, String> {
        let mut request = vec![json!("REQ"), json!(sub)];
        request.extend(filters);
        self.send(request.into()).await;
        let (mut events, what) = (Vec::new(), format!("EOSE {sub}"));
        loop {
            let step = self.wait_for(&what, |reply| match reply {
                Reply::Event(of, event) if of == sub => Some(Ok(Some(event.clone()))),
                Reply::Eose(of) if of == sub => Some(Ok(None)),
                Reply::Closed(of, reason) if of == sub => Some(Err(reason.clone())),
                _ => None,
            });
            match step.await? {
                Some(event) => events.push(event),
                None => return Ok(events),
            }
        }
    }

    /// The next event of an open subscription.
    pub async fn next_event(&mut self, sub: &str) -> Event {
        let what = format!("an event for {sub}");
        let event = self.wait_for(&what, |reply| match reply {
            Reply::Event(of, event) if of == sub => Some(Ok(event.clone())),
            Reply::Closed(of, reason) if of == sub => Some(Err(reason.clone())),
            _ => None,
        });
        match event.await {
            Ok(event) => event,
            Err(reason) => panic!("{sub} was closed instead of an event: {reason}"),
        }
    }

    /// Fails the test if anything has come for a subscription that nobody has asked for. Whatever the relay has answered
    /// OK before this call, to any client, would have come.
    pub async fn assert_no_event(&mut self, sub: &str) {
        self.settle().await;
        let found = self.unread.iter().find_map(|reply| match reply {
            Reply::Event(of, event) if of == sub => Some(event),
            _ => None,
        });
        let json = found.map(|event| String::from_utf8_lossy(event.json()));
        assert!(json.is_none(), "{sub} was sent {json:?}");
    }

    /// Asks for something and waits for the answer, so that whatever the relay had to send before is there.
    pub async fn settle(&mut self) {
        let nothing = json!({"ids": ["0".repeat(64)]});
        // Closed is an answer as well.
        let _ = self.query(nothing).await;
    }

    /// How many events match (NIP-45), or the reason why the relay does not count.
    pub async fn count(&mut self, filter: Value) -> Result<u64, String> {
        self.asked += 1;
        let sub = format!("count-{}", self.asked);
        self.send(json!(["COUNT", sub, filter])).await;
        let counted = self.wait_for("a count", |reply| match reply {
            Reply::Count(of, body) if *of == sub => Some(Ok(body["count"].as_u64())),
            Reply::Closed(of, reason) if *of == sub => Some(Err(reason.clone())),
            _ => None,
        });
        Ok(counted.await?.unwrap())
    }

    /// Answers the relay's challenge (NIP-42) and returns the verdict. One connection can authenticate several keys.
    pub async fn auth(&mut self, author: &Author) -> Verdict {
        if self.challenge.is_none() {
            let challenge = self.wait_for("a challenge", |reply| match reply {
                Reply::Auth(challenge) => Some(challenge.clone()),
                _ => None,
            });
            self.challenge = Some(challenge.await);
        }
        let challenge = self.challenge.clone().unwrap_or_default();
        let draft = author.draft(22_242).at(self.clock.now_s());
        let draft = draft.tag(["relay", &self.relay_url]);
        let event = draft.tag(["challenge", &challenge]).sign();
        let json: Value = serde_json::from_slice(event.json()).unwrap();
        self.send(json!(["AUTH", json])).await;
        self.verdict(&event).await
    }

    /// The same for an answer that has to be accepted.
    pub async fn login(&mut self, author: &Author) {
        let verdict = self.auth(author).await;
        let reason = verdict.reason();
        assert!(verdict.is_accepted(), "AUTH was refused: {reason}");
    }

    /// Sends any message.
    pub async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends any text as one frame.
    pub async fn send_text(&mut self, text: &str) {
        let sent = wait::within("room to send", self.socket.send(Message::text(text)));
        if let Err(error) = sent.await {
            panic!("the connection took no more: {error}");
        }
    }

    /// The next reply in order; `None` once the connection is closed.
    pub async fn next(&mut self) -> Option<Reply> {
        match self.unread.pop_front() {
            Some(reply) => Some(reply),
            None => wait::within("a reply", self.receive()).await,
        }
    }

    /// Waits for the reply that `pick` wants, and leaves all others for later calls; panics with what came instead.
    pub async fn wait_for<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&Reply) -> Option<T>,
    ) -> T {
        let mut at = 0;
        let search = async {
            loop {
                while at < self.unread.len() {
                    if let Some(found) = pick(&self.unread[at]) {
                        self.unread.remove(at);
                        return Some(found);
                    }
                    at += 1;
                }
                let reply = self.receive().await?;
                self.unread.push_back(reply);
            }
        };
        match tokio::time::timeout(DEADLINE, search).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!(
                "the connection was closed (code {:?}) instead of {what}; unread: {:?}",
                self.close_code, self.unread
            ),
            Err(_) => panic!("waited in vain for {what}; unread: {:?}", self.unread),
        }
    }

    /// What has come and nobody has asked for, in order.
    pub fn unread(&self) -> impl Iterator<Item = &Reply> {
        self.unread.iter()
    }

    /// Waits until the relay has closed the connection: its close code, `None` where there was no close frame.
    pub async fn closed(&mut self) -> Option<u16> {
        let end = async {
            while let Some(reply) = self.receive().await {
                self.unread.push_back(reply);
            }
        };
        wait::within("the end of the connection", end).await;
        self.close_code
    }

    /// One more reply from the socket.
    async fn receive(&mut self) -> Option<Reply> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    let reply = Reply::parse(&text);
                    if let Reply::Auth(challenge) = &reply {
                        self.challenge = Some(challenge.clone());
                    }
                    return Some(reply);
                }
                Ok(Message::Close(frame)) => {
                    self.close_code = frame.map(|frame| frame.code.into());
                }
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}
