//! What a relay says, read with as little work as can be: the usual form by its bytes, any other by a parser.

use serde_json::value::RawValue;

/// One message. Ids are 64 hex digits, subscription ids and words as JSON wrote them, without the quotes.
#[derive(Debug, PartialEq)]
pub(super) enum Answer<'a> {
    Event {
        sub: &'a [u8],
        json: &'a [u8],
    },
    EndOfStored {
        sub: &'a [u8],
    },
    Ok {
        id: &'a [u8],
        accepted: bool,
        words: &'a [u8],
    },
    Closed {
        sub: &'a [u8],
        words: &'a [u8],
    },
    Notice {
        words: &'a [u8],
    },
    /// Such as AUTH, or what cannot be read.
    Other,
}

impl<'a> Answer<'a> {
    pub(super) fn read(text: &'a [u8]) -> Self {
        quick(text)
            .or_else(|| parsed(text))
            .unwrap_or(Answer::Other)
    }
}

fn quick(text: &[u8]) -> Option<Answer<'_>> {
    if let Some(rest) = text.strip_prefix(b"[\"EVENT\",\"") {
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (sub, rest) = rest.split_at(end);
        let json = rest.strip_prefix(b"\",")?.strip_suffix(b"]")?;
        return (json.first() == Some(&b'{')).then_some(Answer::Event { sub, json });
    }
    let rest = text.strip_prefix(b"[\"OK\",\"")?;
    let (id, rest) = rest.split_at_checked(64)?;
    let (accepted, rest) = match rest.strip_prefix(b"\",true,\"") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix(b"\",false,\"")?),
    };
    let words = rest.strip_suffix(b"\"]")?;
    Some(Answer::Ok {
        id,
        accepted,
        words,
    })
}

fn parsed(text: &[u8]) -> Option<Answer<'_>> {
    let items: Vec<&RawValue> = serde_json::from_slice(text).ok()?;
    let item = |at: usize| items.get(at).map(|item| item.get().as_bytes());
    let string = |at: usize| item(at)?.strip_prefix(b"\"")?.strip_suffix(b"\"");
    let words = |at: usize| string(at).unwrap_or_default();
    Some(match string(0)? {
        b"EVENT" => Answer::Event {
            sub: string(1)?,
            json: item(2)?,
        },
        b"EOSE" => Answer::EndOfStored { sub: string(1)? },
        b"OK" => Answer::Ok {
            id: string(1)?,
            accepted: item(2)? == b"true",
            words: words(3),
        },
        b"CLOSED" => Answer::Closed {
            sub: string(1)?,
            words: words(2),
        },
        b"NOTICE" => Answer::Notice { words: words(1) },
        _ => return None,
    })
}

/// Whether a message brings forward what was asked for. A NOTICE does not.
pub(super) fn is_progress(text: &[u8]) -> bool {
    const KINDS: [&[u8]; 6] = [
        b"OK\"",
        b"EVENT\"",
        b"EOSE\"",
        b"CLOSED\"",
        b"AUTH\"",
        b"COUNT\"",
    ];
    let name = text.iter().position(|byte| *byte == b'"');
    let name = name.map_or(text, |at| &text[at + 1..]);
    KINDS.iter().any(|kind| name.starts_with(kind))
}

/// Whether a message asks for authentication (NIP-42).
pub(super) fn is_challenge(text: &[u8]) -> bool {
    text.starts_with(b"[\"AUTH\"")
}

/// The id of an event's JSON, wherever its key stands.
pub(super) fn event_id(json: &[u8]) -> Option<[u8; 32]> {
    // Only a key can stand before a colon: within a string its quotes would be escaped.
    const KEY: &[u8] = b"\"id\":\"";
    let compact = match json.strip_prefix(b"{\"id\":\"") {
        Some(rest) => Some(rest),
        None => json
            .windows(KEY.len())
            .position(|window| window == KEY)
            .map(|at| &json[at + KEY.len()..]),
    };
    match compact {
        Some(rest) => id(rest.get(..64)?),
        None => trellis_relay::event::peek_id(json).map(|id| *id.as_bytes()),
    }
}

/// 64 hex digits as bytes.
pub(super) fn id(hex: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    const_hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_any_spelling_of_an_answer_is_read() {
        let id = "ab".repeat(32);
        let ok = |accepted, words| Answer::Ok {
            id: id.as_bytes(),
            accepted,
            words,
        };
        for (text, answer) in [
            (
                format!("[\"OK\",\"{id}\",true,\"\"]"),
                ok(true, b"" as &[u8]),
            ),
            (
                format!("[ \"OK\", \"{id}\", false, \"blocked: no\" ]"),
                ok(false, b"blocked: no"),
            ),
            (
                "[\"EOSE\",\"q\"]".to_owned(),
                Answer::EndOfStored { sub: b"q" },
            ),
            (
                "[\"EVENT\", \"q\", {\"kind\":1}]".to_owned(),
                Answer::Event {
                    sub: b"q",
                    json: b"{\"kind\":1}",
                },
            ),
            ("nonsense".to_owned(), Answer::Other),
        ] {
            assert_eq!(Answer::read(text.as_bytes()), answer, "{text}");
        }
        for json in [
            format!("{{\"id\":\"{id}\",\"kind\":1}}"),
            format!("{{\"content\":\"\\\"id\\\":\\\"\",\"id\":\"{id}\"}}"),
            format!(
                "{{ \"id\" : \"{id}\", \"pubkey\" : \"{id}\", \"created_at\":1, \"kind\":1, \"tags\":[], \"content\":\"\" }}"
            ),
        ] {
            assert_eq!(event_id(json.as_bytes()), Some([0xab; 32]), "{json}");
        }
    }
}
