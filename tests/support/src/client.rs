//! A Nostr client that hides nothing: raw JSON out, strictly read replies in, every wait with a deadline.

use crate::author::{Author, unique};
use crate::relay::Relay;
use crate::reply::{Reply, Verdict};
use crate::wait;
use futures_util::{SinkExt, StreamExt};
use nostr::event::Event;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};

/// How many events [`Client::publish_all`] has under way.
const WINDOW: usize = 200;

/// One WebSocket connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    relay_url: String,
    challenge: Option<String>,
    /// Replies that came while another was waited for, in order.
    backlog: VecDeque<Reply>,
    close_code: Option<u16>,
    pings: usize,
}

impl Client {
    /// Connects.
    pub async fn connect(relay: &Relay) -> Client {
        Self::connect_with(relay, &[])
            .await
            .expect("the WebSocket handshake")
    }

    /// Connects with further request headers.
    pub async fn connect_with(relay: &Relay, headers: &[(&str, &str)]) -> Result<Client, Error> {
        let relay_url = relay.ws_url();
        let mut request = relay_url.as_str().into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(
                HeaderName::from_bytes(name.as_bytes())?,
                HeaderValue::from_str(value)?,
            );
        }
        let connect = async {
            let tcp = TcpStream::connect(relay.address()).await?;
            tcp.set_nodelay(true)?;
            tokio_tungstenite::client_async(request, tcp).await
        };
        let (socket, _) = wait::within("the handshake", connect).await?;
        Ok(Client {
            socket,
            relay_url,
            challenge: None,
            backlog: VecDeque::new(),
            close_code: None,
            pings: 0,
        })
    }

    /// Sends a message.
    pub async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends any text as one frame.
    pub async fn send_text(&mut self, text: &str) {
        self.try_send(Message::text(text))
            .await
            .expect("send to the relay");
    }

    /// Sends any frame; an error is that of a connection that is gone.
    pub async fn try_send(&mut self, message: Message) -> Result<(), Error> {
        wait::within("room to send", self.socket.send(message)).await
    }

    /// The next reply in order, challenges aside; `None` once the connection is closed.
    pub async fn next(&mut self) -> Option<Reply> {
        match self.backlog.pop_front() {
            Some(reply) => Some(reply),
            None => wait::within("a reply", self.receive()).await,
        }
    }

    /// Waits for the reply that `pick` wants; leaves all others for later calls.
    pub async fn wait_for<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&Reply) -> Option<T>,
    ) -> T {
        let mut at = 0;
        let search = async {
            loop {
                while at < self.backlog.len() {
                    if let Some(found) = pick(&self.backlog[at]) {
                        self.backlog.remove(at);
                        return Some(found);
                    }
                    at += 1;
                }
                let reply = self.receive().await?;
                self.backlog.push_back(reply);
            }
        };
        match tokio::time::timeout(wait::DEADLINE, search).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!(
                "connection closed ({:?}) instead of {what}; unread: {:?}",
                self.close_code, self.backlog
            ),
            Err(_) => panic!("waited in vain for {what}; unread: {:?}", self.backlog),
        }
    }

    /// Sends an event, does not wait.
    pub async fn send_event(&mut self, event: &Event) {
        self.send_text(&format!(r#"["EVENT",{}]"#, event.as_json()))
            .await;
    }

    /// The verdict on an event id.
    pub async fn verdict(&mut self, id: &str) -> Verdict {
        self.wait_for(&format!("OK {id}"), |reply| match reply {
            Reply::Ok(of, verdict) if of == id => Some(verdict.clone()),
            _ => None,
        })
        .await
    }

    /// Publishes an event and returns the verdict.
    pub async fn publish(&mut self, event: &Event) -> Verdict {
        self.send_event(event).await;
        self.verdict(&event.id.to_hex()).await
    }

    /// Publishes an event that has to be accepted.
    pub async fn store(&mut self, event: &Event) {
        let verdict = self.publish(event).await;
        assert!(
            verdict.accepted,
            "refused {}: {}",
            event.as_json(),
            verdict.message
        );
    }

    /// The same where the machine may be so busy that the relay skips a hook for a moment: "error:" is tried again.
    pub async fn store_in_the_end(&mut self, event: &Event) {
        wait::until("an event is stored", async || {
            let verdict = self.publish(event).await;
            let is_for_now = verdict.message.starts_with("error: ");
            assert!(verdict.accepted || is_for_now, "{}", verdict.message);
            verdict.accepted.then_some(())
        })
        .await;
    }

    /// Publishes many events, several at once, and returns all verdicts in the order of the events.
    pub async fn publish_all(&mut self, events: &[Event]) -> Vec<Verdict> {
        let mut verdicts = HashMap::new();
        for window in events.chunks(WINDOW) {
            for event in window {
                let text = format!(r#"["EVENT",{}]"#, event.as_json());
                let feed = self.socket.feed(Message::text(text));
                wait::within("room to send", feed).await.expect("feed");
            }
            wait::within("room to send", self.socket.flush())
                .await
                .expect("flush");
            for event in window {
                let id = event.id.to_hex();
                let verdict = self.verdict(&id).await;
                verdicts.insert(id, verdict);
            }
        }
        events
            .iter()
            .filter_map(|event| verdicts.get(&event.id.to_hex()).cloned())
            .collect()
    }

    /// Publishes many events that all have to be accepted.
    pub async fn store_all(&mut self, events: &[Event]) {
        for verdict in self.publish_all(events).await {
            verdict.assert_accepted();
        }
    }

    /// Opens a subscription under this id, does not wait.
    pub async fn subscribe(&mut self, sub: &str, filters: &[Value]) {
        self.send(request("REQ", sub, filters)).await;
    }

    /// Closes a subscription.
    pub async fn close(&mut self, sub: &str) {
        self.send(json!(["CLOSE", sub])).await;
    }

    /// What the relay has stored for a subscription just opened: events up to EOSE, or the reason of CLOSED.
    pub async fn stored(&mut self, sub: &str) -> Result<Vec<Event>, String> {
        let mut events = Vec::new();
        loop {
            let step = self
                .wait_for(&format!("EOSE {sub}"), |reply| match reply {
                    Reply::Event(of, event) if of == sub => Some(Ok(Some((**event).clone()))),
                    Reply::Eose(of) if of == sub => Some(Ok(None)),
                    Reply::Closed(of, reason) if of == sub => Some(Err(reason.clone())),
                    _ => None,
                })
                .await?;
            match step {
                Some(event) => events.push(event),
                None => return Ok(events),
            }
        }
    }

    /// Asks for stored events; the reason where the relay closed the subscription.
    pub async fn ask(&mut self, filters: &[Value]) -> Result<Vec<Event>, String> {
        let sub = unique("ask");
        self.subscribe(&sub, filters).await;
        let events = self.stored(&sub).await?;
        self.close(&sub).await;
        Ok(events)
    }

    /// Asks for stored events that the relay has to give.
    pub async fn query(&mut self, filter: Value) -> Vec<Event> {
        match self.ask(std::slice::from_ref(&filter)).await {
            Ok(events) => events,
            Err(reason) => panic!("{filter} was closed: {reason}"),
        }
    }

    /// The ids of [`Client::query`] in hex.
    pub async fn query_ids(&mut self, filter: Value) -> Vec<String> {
        ids(&self.query(filter).await)
    }

    /// Asks for a count (NIP-45): the body, or the reason of CLOSED.
    pub async fn count(&mut self, filters: &[Value]) -> Result<Value, String> {
        let sub = unique("count");
        self.send(request("COUNT", &sub, filters)).await;
        self.wait_for(&format!("COUNT {sub}"), |reply| match reply {
            Reply::Count(of, body) if *of == sub => Some(Ok(body.clone())),
            Reply::Closed(of, reason) if *of == sub => Some(Err(reason.clone())),
            _ => None,
        })
        .await
    }

    /// Sends a message of NIP-77 and returns the relay's next word on its id: the verb and what follows the id.
    pub async fn reconcile(&mut self, message: Value) -> (String, Vec<Value>) {
        let id = message[1].clone();
        self.send(message).await;
        self.reconciled(&id).await
    }

    /// The relay's next word on an id of NIP-77: the verb and what follows the id.
    pub async fn reconciled(&mut self, id: &Value) -> (String, Vec<Value>) {
        self.wait_for(&format!("NEG of {id}"), |reply| match reply {
            Reply::Negentropy(items) if items[1] == *id => {
                let verb = items[0].as_str()?.to_owned();
                Some((verb, items[2..].to_vec()))
            }
            _ => None,
        })
        .await
    }

    /// The next event of a subscription.
    pub async fn next_event(&mut self, sub: &str) -> Event {
        self.wait_for(&format!("EVENT {sub}"), |reply| match reply {
            Reply::Event(of, event) if of == sub => Some((**event).clone()),
            _ => None,
        })
        .await
    }

    /// Lets so many events of a subscription pass without looking into them: what reads a lot must not take the time of what
    /// is measured.
    pub async fn pass_events(&mut self, sub: &str, count: usize) {
        let head = format!("[\"EVENT\",\"{sub}\",");
        let mut passed = 0;
        while passed < count {
            let message = wait::within("an event", self.socket.next()).await;
            match message {
                Some(Ok(Message::Text(text))) => passed += usize::from(text.starts_with(&head)),
                Some(Ok(_)) => {}
                ended => panic!("no more events after {passed}: {ended:?}"),
            }
        }
    }

    /// The reason with which the relay closes a subscription.
    pub async fn closed(&mut self, sub: &str) -> String {
        self.wait_for(&format!("CLOSED {sub}"), |reply| match reply {
            Reply::Closed(of, reason) if of == sub => Some(reason.clone()),
            _ => None,
        })
        .await
    }

    /// The next NOTICE.
    pub async fn notice(&mut self) -> String {
        self.wait_for("NOTICE", |reply| match reply {
            Reply::Notice(text) => Some(text.clone()),
            _ => None,
        })
        .await
    }

    /// The challenge that the relay sent last (NIP-42).
    pub async fn challenge(&mut self) -> String {
        let search = async {
            while self.challenge.is_none() {
                // Frame by frame: a challenge is no reply, so waiting for a reply would wait too long.
                if let Some(reply) = self.frame().await? {
                    self.backlog.push_back(reply);
                }
            }
            self.challenge.clone()
        };
        wait::within("AUTH", search)
            .await
            .expect("AUTH before the connection closed")
    }

    /// Authenticates and returns the verdict.
    pub async fn authenticate(&mut self, author: &Author) -> Verdict {
        let url = self.relay_url.clone();
        self.authenticate_for(author, &url).await
    }

    /// Authenticates with this relay URL in the event.
    pub async fn authenticate_for(&mut self, author: &Author, relay_url: &str) -> Verdict {
        let challenge = self.challenge().await;
        let event = author.auth_event(relay_url, &challenge);
        self.send_auth(&event).await
    }

    /// Sends any event as AUTH.
    pub async fn send_auth(&mut self, event: &Event) -> Verdict {
        self.send_text(&format!(r#"["AUTH",{}]"#, event.as_json()))
            .await;
        self.verdict(&event.id.to_hex()).await
    }

    /// Authenticates, which has to succeed.
    pub async fn login(&mut self, author: &Author) {
        self.authenticate(author).await.assert_accepted();
    }

    /// Proves that the connection lives: a request is answered.
    pub async fn assert_alive(&mut self) {
        self.query(json!({"kinds": [1], "limit": 0})).await;
    }

    /// Reads until the relay closes the connection; its close code, if it sent one.
    pub async fn closed_by_relay(&mut self) -> Option<u16> {
        while self.next().await.is_some() {}
        self.close_code
    }

    /// How many pings came so far.
    pub fn pings(&self) -> usize {
        self.pings
    }

    /// Everything received and not yet asked for.
    pub fn unread(&self) -> impl Iterator<Item = &Reply> {
        self.backlog.iter()
    }

    /// Reads until a ping comes; answers it.
    pub async fn next_ping(&mut self) {
        let before = self.pings;
        let search = async {
            while self.pings == before {
                match self.frame().await {
                    Some(Some(reply)) => self.backlog.push_back(reply),
                    Some(None) => {}
                    None => return false,
                }
            }
            true
        };
        assert!(wait::within("a ping", search).await, "closed, not pinged");
    }

    async fn receive(&mut self) -> Option<Reply> {
        loop {
            if let Some(reply) = self.frame().await? {
                return Some(reply);
            }
        }
    }

    /// One frame: outer `None` at the end, inner `None` for what is no reply.
    async fn frame(&mut self) -> Option<Option<Reply>> {
        match self.socket.next().await? {
            Ok(Message::Text(text)) => match Reply::parse(&text) {
                Reply::Auth(challenge) => {
                    self.challenge = Some(challenge);
                    Some(None)
                }
                reply => Some(Some(reply)),
            },
            Ok(Message::Ping(_)) => {
                self.pings += 1;
                Some(None)
            }
            Ok(Message::Close(close)) => {
                self.close_code = close.map(|frame| frame.code.into());
                Some(None)
            }
            Ok(Message::Binary(_)) => panic!("relays send text frames only"),
            Ok(_) => Some(None),
            Err(_) => None,
        }
    }
}

/// `[verb, sub, filter, ...]`
pub fn request(verb: &str, sub: &str, filters: &[Value]) -> Value {
    let mut message = vec![json!(verb), json!(sub)];
    message.extend_from_slice(filters);
    Value::Array(message)
}

/// The ids of events in hex.
pub fn ids(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.id.to_hex()).collect()
}

/// A text frame for [`Client::try_send`].
pub fn text(text: &str) -> Message {
    Message::text(text)
}
