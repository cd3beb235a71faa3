//! The lines that go to a program and come back: strfry's write-policy protocol, and messages of our own beside it.
//!
//! Pure: no I/O and no clock. Invariant: whatever a program writes becomes a [`Reply`] or a clear [`BadLine`], and no
//! text of it reaches a client but through [`reason`].

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value, json};
use trellis_relay::event::Event;
use trellis_relay::extension::{Verb, Viewer};
use trellis_relay::filter::{Filter, FilterLimits};
use trellis_relay::reason::{Prefix, Reason};

/// Of a program's `msg` a client sees so many characters.
const MSG_CHARS_MAX: usize = 256;
/// What a viewer may see is described by so many filters.
const SHOW_FILTERS_MAX: usize = 1_000;
/// So many values together in one of them.
const SHOW_VALUES_MAX: usize = 10_000;
/// How long an answer about a viewer is good for, in seconds, when the program does not say.
const TTL_S: u64 = 300;
/// At most.
const TTL_S_MAX: u64 = 86_400;

/// One line for a program.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// What the answer has to repeat.
    pub(crate) id: String,
    /// JSON and the end of the line.
    pub(crate) line: Bytes,
}

/// What a program has answered to one question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) id: String,
    /// An error says what is wrong with the answer.
    pub(crate) verdict: Result<Verdict, String>,
}

/// What a program wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Accept(Offer),
    Reject(Reason),
    ShadowReject,
}

/// What goes with `accept`, as it was written: it is read in answers about viewers alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offer {
    show: Option<Value>,
    ttl: Option<Value>,
}

/// What a viewer may see.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// Events that fit one of these; `None` for all.
    pub(crate) show: Option<Vec<Filter>>,
    /// For so many seconds.
    pub(crate) ttl_s: u64,
}

/// A line that answers no question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadLine {
    #[error("it wrote a line that is no JSON object")]
    NotAnObject,
    #[error("it wrote an answer without an `id`")]
    NoId,
}

impl Question {
    /// May this event come in? The event goes out in its canonical bytes, as it was signed.
    pub(crate) fn event(event: &Event, viewer: &Viewer, now_s: u64) -> Self {
        let mut line = BytesMut::with_capacity(event.json().len() + 256);
        line.put_slice(br#"{"type":"new","event":"#);
        line.put_slice(event.json());
        let mut about = Map::new();
        about.insert("receivedAt".to_owned(), now_s.into());
        about.extend(source(viewer));
        if viewer.is(event.pubkey()) {
            about.insert("authed".to_owned(), event.pubkey().to_hex().into());
        }
        let about = Value::Object(about).to_string();
        line.put_u8(b',');
        line.put_slice(&about.as_bytes()[1..]);
        line.put_u8(b'\n');
        Question {
            id: event.id().to_hex(),
            line: line.freeze(),
        }
    }

    /// May this client ask for this?
    pub(crate) fn request(id: String, verb: Verb, filter: &Filter, viewer: &Viewer) -> Self {
        let kind = match verb {
            Verb::Req => "req",
            Verb::Count => "count",
            Verb::Neg => "neg",
        };
        Self::own(
            id,
            kind,
            viewer,
            json!({ "filters": [filter_json(filter)] }),
        )
    }

    /// What may this client see?
    pub(crate) fn viewer(id: String, viewer: &Viewer) -> Self {
        Self::own(id, "viewer", viewer, json!({}))
    }

    fn own(id: String, kind: &str, viewer: &Viewer, more: Value) -> Self {
        let mut message = Map::new();
        message.insert("type".to_owned(), kind.into());
        message.insert("id".to_owned(), id.clone().into());
        if let Value::Object(more) = more {
            message.extend(more);
        }
        message.extend(source(viewer));
        Question {
            id,
            line: Bytes::from(format!("{}\n", Value::Object(message))),
        }
    }
}

/// Who asks, in strfry's fields: the first authenticated key is `authed`, all of them are `authedKeys`.
fn source(viewer: &Viewer) -> Map<String, Value> {
    let ip = viewer.ip().to_canonical();
    let (kind, info) = match (viewer.is_relay(), ip.is_ipv4()) {
        (true, _) => ("Stored", String::new()),
        (false, true) => ("IP4", ip.to_string()),
        (false, false) => ("IP6", ip.to_string()),
    };
    let mut source = Map::new();
    source.insert("sourceType".to_owned(), kind.into());
    source.insert("sourceInfo".to_owned(), info.into());
    let keys: Vec<String> = viewer.pubkeys().iter().map(|key| key.to_hex()).collect();
    if let Some(first) = keys.first() {
        source.insert("authed".to_owned(), first.clone().into());
        source.insert("authedKeys".to_owned(), keys.into());
    }
    source
}

/// A filter as NIP-01 writes it.
fn filter_json(filter: &Filter) -> Value {
    let mut object = Map::new();
    let hex = |bytes: &[String]| Value::from(bytes.to_vec());
    if let Some(ids) = &filter.ids {
        let ids: Vec<String> = ids.iter().map(|id| id.to_hex()).collect();
        object.insert("ids".to_owned(), hex(&ids));
    }
    if let Some(authors) = &filter.authors {
        let authors: Vec<String> = authors.iter().map(|key| key.to_hex()).collect();
        object.insert("authors".to_owned(), hex(&authors));
    }
    if let Some(kinds) = &filter.kinds {
        object.insert("kinds".to_owned(), kinds.clone().into());
    }
    for (letter, values) in &filter.tags {
        object.insert(format!("#{}", char::from(*letter)), values.clone().into());
    }
    for (key, value) in [
        ("since", filter.since),
        ("until", filter.until),
        ("limit", filter.limit.map(|limit| limit as u64)),
    ] {
        if let Some(value) = value {
            object.insert(key.to_owned(), value.into());
        }
    }
    if let Some(search) = &filter.search {
        object.insert("search".to_owned(), search.clone().into());
    }
    Value::Object(object)
}

impl Reply {
    /// Reads one line. Keys that are not known are left alone.
    pub(crate) fn read(line: &[u8]) -> Result<Reply, BadLine> {
        let Ok(Value::Object(mut reply)) = serde_json::from_slice(line) else {
            return Err(BadLine::NotAnObject);
        };
        let id = match reply.get("id") {
            Some(Value::String(id)) => id.clone(),
            _ => return Err(BadLine::NoId),
        };
        let verdict = match reply.get("action").and_then(Value::as_str) {
            Some("accept") => Ok(Verdict::Accept(Offer {
                show: reply.remove("show"),
                ttl: reply.remove("ttl"),
            })),
            Some("reject") => {
                let msg = reply.get("msg").and_then(Value::as_str);
                Ok(Verdict::Reject(reason(msg.unwrap_or_default())))
            }
            Some("shadowReject") => Ok(Verdict::ShadowReject),
            Some(_) => Err("its `action` is none of accept, reject, shadowReject".to_owned()),
            None => Err("its answer has no `action`".to_owned()),
        };
        Ok(Reply { id, verdict })
    }
}

impl Offer {
    /// What it shows to a viewer. To show all takes a word, so that nobody does by mistake.
    pub(crate) fn shown(self) -> Result<Shown, String> {
        let ttl_s = match &self.ttl {
            None | Some(Value::Null) => TTL_S,
            Some(ttl) => whole(ttl)
                .filter(|ttl| *ttl > 0)
                .ok_or("its `ttl` is no number of seconds")?,
        };
        let wrong = || {
            let max = SHOW_FILTERS_MAX;
            format!("its `show` is neither \"all\" nor a list of at most {max} filters")
        };
        let show = match self.show.ok_or("its answer about a viewer has no `show`")? {
            Value::String(word) if word == "all" => None,
            Value::Array(filters) if filters.len() <= SHOW_FILTERS_MAX => {
                let limits = FilterLimits {
                    values: SHOW_VALUES_MAX,
                };
                let read = |filter: &Value| Filter::parse(&filter.to_string(), &limits);
                let filters: Result<Vec<_>, _> = filters.iter().map(read).collect();
                Some(filters.map_err(|error| format!("a filter in its `show` is wrong: {error}"))?)
            }
            _ => return Err(wrong()),
        };
        Ok(Shown {
            show,
            ttl_s: ttl_s.min(TTL_S_MAX),
        })
    }
}

/// A whole number, also one that is written as `60.0`, as some languages do.
fn whole(number: &Value) -> Option<u64> {
    let float = || {
        number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && *float >= 0.0)
    };
    number
        .as_u64()
        .or_else(|| float().map(|float| float as u64))
}

/// A program's words as a client may see them: with a prefix of NIP-01, which is `blocked` where they have none, in one
/// line and not too long.
pub(crate) fn reason(msg: &str) -> Reason {
    const PREFIXES: [Prefix; 9] = [
        Prefix::Duplicate,
        Prefix::Pow,
        Prefix::Blocked,
        Prefix::RateLimited,
        Prefix::Invalid,
        Prefix::Restricted,
        Prefix::AuthRequired,
        Prefix::Unsupported,
        Prefix::Error,
    ];
    let printable = msg.chars().filter(|c| !c.is_control());
    let msg: String = printable.take(MSG_CHARS_MAX).collect();
    let known = msg.split_once(':').and_then(|(word, text)| {
        let prefix = PREFIXES
            .into_iter()
            .find(|prefix| prefix.as_str() == word)?;
        Some((prefix, text))
    });
    let (prefix, text) = known.unwrap_or((Prefix::Blocked, &msg));
    match text.trim() {
        "" => Reason::new(prefix, "the policy of this relay does not allow it"),
        text => Reason::new(prefix, text.to_owned()),
    }
}

#[cfg(test)]
mod tests;
