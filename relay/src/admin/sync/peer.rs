//! The connection to the other relay: messages one after the other, each with a deadline.
//!
//! Invariant: a message is bounded in size, and every wait ends. The calls block; the socket's own runtime does its work
//! only while one of them waits. Not here: what the messages are about.

use super::information::{self, PeerLimits};
use super::{MOST_SAID_CHARS, PATIENCE, SyncError, plain};
use crate::event::{EventId, lowercase_hex};
use crate::filter::Filter;
use futures_util::{SinkExt as _, StreamExt as _};
use nostr::event::{EventBuilder, FinalizeEvent as _, Kind, Tag};
use nostr::key::Keys;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// What a peer says.
#[derive(Debug)]
pub(super) enum PeerMessage {
    /// An event, unread, for a subscription.
    Event(String, Box<RawValue>),
    /// All of a subscription was sent.
    Eose(String),
    /// A subscription is over, and why.
    Closed(String, String),
    /// What became of an event of ours.
    Ok(EventId, bool, String),
    /// Words for people.
    Notice(String),
    /// A message of the reconciliation.
    NegMsg(String, Vec<u8>),
    /// The reconciliation is over, and why.
    NegErr(String, String),
    /// Something else, or something malformed.
    Other,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A relay that we are a client of.
pub(super) struct Peer {
    /// Where it is.
    url: String,
    runtime: Runtime,
    socket: Socket,
    limits: PeerLimits,
    keys: Option<Keys>,
    challenge: Option<String>,
    said: Option<String>,
    sent_bytes: u64,
    received_bytes: u64,
}

/// Relays differ in how much they put into a message; one of NIP-77 is a million digits with some.
const MOST_MESSAGE_BYTES: usize = 4 << 20;
/// How long the peer may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

impl Peer {
    /// Connects, by TLS where the address says `wss`. Without keys a challenge is not answered.
    pub(super) fn connect(url: &str, keys: Option<Keys>) -> Result<Peer, SyncError> {
        // A program with several providers of cryptography has to choose; ours is as good as another.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(SyncError::Runtime)?;
        let socket = runtime.block_on(open(url))?;
        let limits = runtime.block_on(information::ask(url));
        Ok(Peer {
            url: url.to_owned(),
            runtime,
            socket,
            limits,
            keys,
            challenge: None,
            said: None,
            sent_bytes: 0,
            received_bytes: 0,
        })
    }

    /// Connects again, after the connection has ended.
    pub(super) fn reconnect(&mut self) -> Result<(), SyncError> {
        self.challenge = None;
        self.socket = self.runtime.block_on(open(&self.url))?;
        Ok(())
    }

    /// Says goodbye, if there still is a connection.
    pub(super) fn close(&mut self) {
        let socket = &mut self.socket;
        let closing = async {
            if socket.close(None).await.is_ok() {
                while let Some(Ok(_)) = socket.next().await {}
            }
        };
        let closed = async { tokio::time::timeout(FAREWELL, closing).await };
        // Nothing depends on its answer.
        let _ = self.runtime.block_on(closed);
    }

    /// What it takes and gives at once.
    pub(super) fn limits(&self) -> PeerLimits {
        self.limits
    }

    /// Notes that messages of so many bytes are too long for it.
    pub(super) fn has_not_taken(&mut self, message_bytes: usize) {
        let most = message_bytes.saturating_sub(1);
        let known = self.limits.message_bytes.unwrap_or(usize::MAX);
        self.limits.message_bytes = Some(known.min(most));
    }

    /// Sends one message.
    pub(super) fn send(&mut self, text: String) -> Result<(), SyncError> {
        self.sent_bytes += text.len() as u64;
        let sending = self.socket.send(Message::text(text));
        let sent = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, sending).await });
        match sent {
            Ok(sent) => sent.map_err(|error| SyncError::Gone(error.to_string())),
            Err(_) => Err(SyncError::Silent {
                doing: "read what we send",
                said: self.said(),
            }),
        }
    }

    /// The next message; none where none has come until then.
    pub(super) fn receive(&mut self, until: Instant) -> Result<Option<PeerMessage>, SyncError> {
        let receiving = self.socket.next();
        let received = self
            .runtime
            .block_on(async { tokio::time::timeout_at(until, receiving).await });
        let text = match received {
            // Pings are answered by the socket itself.
            Err(_) | Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => return Ok(None),
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Close(_))) | None) | Ok(Some(Err(Error::ConnectionClosed))) => {
                return Err(SyncError::Gone("the peer closed it".to_owned()));
            }
            Ok(Some(Ok(_))) => {
                let problem = "it sends frames that are no text";
                return Err(SyncError::Protocol(problem.to_owned()));
            }
            Ok(Some(Err(error))) => return Err(SyncError::Gone(error.to_string())),
        };
        self.received_bytes += text.len() as u64;
        if let Some(challenge) = challenge_of(&text) {
            self.challenge = Some(challenge);
            return Ok(None);
        }
        let message = read(&text).unwrap_or(PeerMessage::Other);
        if let PeerMessage::Notice(said) = &message {
            self.said = Some(plain(said, MOST_SAID_CHARS));
        }
        Ok(Some(message))
    }

    /// Answers the challenge that the peer sent last, if there is one and there are keys: the event to wait for.
    pub(super) fn answer_challenge(&mut self) -> Result<Option<EventId>, SyncError> {
        let (Some(keys), Some(challenge)) = (&self.keys, self.challenge.take()) else {
            return Ok(None);
        };
        let breach = || SyncError::Protocol("its challenge cannot be signed".to_owned());
        let tags = [["relay", self.url.as_str()], ["challenge", &challenge]];
        let tags: Result<Vec<Tag>, _> = tags.into_iter().map(Tag::parse).collect();
        let event = EventBuilder::new(Kind::Authentication, "")
            .tags(tags.map_err(|_| breach())?)
            .finalize(keys)
            .map_err(|_| breach())?;
        self.send(format!(r#"["AUTH",{}]"#, event.as_json()))?;
        Ok(Some(event.id))
    }

    /// What the peer said last for people.
    pub(super) fn said(&self) -> Option<String> {
        self.said.clone()
    }

    /// Bytes of messages sent and received.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.sent_bytes, self.received_bytes)
    }
}

async fn open(url: &str) -> Result<Socket, SyncError> {
    let failed = |problem: String| SyncError::Connect {
        url: url.to_owned(),
        problem,
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MOST_MESSAGE_BYTES))
        .max_frame_size(Some(MOST_MESSAGE_BYTES));
    let connecting = connect_async_with_config(url, Some(config), true);
    match tokio::time::timeout(PATIENCE, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("it does not answer".to_owned())),
    }
}

fn challenge_of(text: &str) -> Option<String> {
    if !text.starts_with("[\"AUTH\"") {
        return None;
    }
    let (_, challenge): (String, String) = serde_json::from_str(text).ok()?;
    Some(challenge)
}

fn read(text: &str) -> Option<PeerMessage> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let word = |at: usize| serde_json::from_str::<String>(items.get(at)?.get()).ok();
    Some(match word(0)?.as_str() {
        "EVENT" => PeerMessage::Event(word(1)?, (*items.get(2)?).to_owned()),
        "EOSE" => PeerMessage::Eose(word(1)?),
        "CLOSED" => PeerMessage::Closed(word(1)?, word(2).unwrap_or_default()),
        "OK" => {
            let id = EventId::from_byte_array(lowercase_hex(&word(1)?)?);
            let accepted = serde_json::from_str(items.get(2)?.get()).ok()?;
            PeerMessage::Ok(id, accepted, word(3).unwrap_or_default())
        }
        "NOTICE" => PeerMessage::Notice(word(1)?),
        "NEG-MSG" => PeerMessage::NegMsg(word(1)?, const_hex::decode(word(2)?).ok()?),
        "NEG-ERR" => PeerMessage::NegErr(word(1)?, word(2).unwrap_or_default()),
        _ => PeerMessage::Other,
    })
}

/// A filter as NIP-01 writes it.
pub(super) fn filter_json(filter: &Filter) -> Value {
    let mut json = Map::new();
    let mut say = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            json.insert(key.to_owned(), value);
        }
    };
    let hex = |keys: Vec<String>| Value::from(keys);
    let ids = filter.ids.as_ref();
    let ids = ids.map(|ids| hex(ids.iter().map(|id| id.to_hex()).collect()));
    let authors = filter.authors.as_ref();
    let authors = authors.map(|keys| hex(keys.iter().map(|key| key.to_hex()).collect()));
    say("ids", ids);
    say("authors", authors);
    say("kinds", filter.kinds.as_ref().map(|kinds| json!(kinds)));
    say("since", filter.since.map(Value::from));
    say("until", filter.until.map(Value::from));
    for (letter, values) in &filter.tags {
        say(&format!("#{}", char::from(*letter)), Some(json!(values)));
    }
    Value::Object(json)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::filter::FilterLimits;

    #[test]
    fn c21_filters_are_written_as_they_are_read() {
        let key = "ab".repeat(32);
        for json in [
            "{}".to_owned(),
            format!(
                r##"{{"ids":["{key}"],"authors":["{key}"],"kinds":[1,7],"since":5,"until":9,"#t":["a","b"],"#p":[]}}"##
            ),
        ] {
            let filter = Filter::parse(&json, &FilterLimits::default()).unwrap();
            let written = filter_json(&filter).to_string();
            assert_eq!(
                Filter::parse(&written, &FilterLimits::default()),
                Ok(filter)
            );
        }
    }

    #[test]
    fn c21_whatever_a_peer_says_is_read_or_ignored() {
        for text in [
            "",
            "{}",
            "[]",
            "[1]",
            r#"["EVENT"]"#,
            r#"["OK","zz",true,""]"#,
            r#"["NEG-MSG","n","6x"]"#,
            r#"["OK","ab",1,""]"#,
        ] {
            assert!(read(text).is_none(), "{text}");
            assert_eq!(challenge_of(text), None);
        }
        assert!(matches!(read(r#"["X"]"#), Some(PeerMessage::Other)));
        assert_eq!(challenge_of(r#"["AUTH","c"]"#).as_deref(), Some("c"));
    }
}
