//! The lines of segments and snapshots: JSON arrays whose first word says what they are.
//!
//! ```text
//! ["event",ROW,{..}]              an event; with a fourth element "kept" it does not expire though it says so
//! ["removed",ROW,"ID",KIND,"PUBKEY","CAUSE"]
//! ["all_entries"]                 entries before this line do not count any more
//! ["row","EXTENSION","KEY","VALUE"]        key and value in base64; a value of null is a row that is gone
//! ["deleted_id","ID","PUBKEY"]
//! ["deleted_address","KIND:PUBKEY:D",UNTIL]
//! ["vanished","PUBKEY",UNTIL]
//! ["vanishing","PUBKEY",UNTIL]    with null it is over
//! ```

use crate::event::{Address, Event, EventId, PublicKey};
use crate::store::{Cause, Change, Entry, PutBack, Stored};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;

/// Marks an event that a guard keeps beyond its expiration.
const KEPT: &str = "kept";

/// The line of a change; `None` for a gap, which is none.
pub(super) fn of_change(change: &Change) -> Option<Vec<u8>> {
    match change {
        Change::Stored(stored) => Some(of_event(stored)),
        Change::Removed {
            row,
            id,
            kind,
            pubkey,
            cause,
        } => {
            let line = json!([
                "removed",
                row,
                id.to_hex(),
                kind,
                pubkey.to_hex(),
                cause.label()
            ]);
            Some(ended(&line))
        }
        Change::Gap { .. } => None,
    }
}

fn of_event(stored: &Stored) -> Vec<u8> {
    let json = stored.event.json();
    let mut line = Vec::with_capacity(json.len() + 48);
    line.extend_from_slice(b"[\"event\",");
    line.extend_from_slice(stored.row.to_string().as_bytes());
    line.push(b',');
    line.extend_from_slice(json);
    if stored.expires_at.is_none() && stored.event.expiration().is_some() {
        line.extend_from_slice(b",\"kept\"");
    }
    line.extend_from_slice(b"]\n");
    line
}

/// The line after which entries count.
pub(super) fn of_all_entries() -> Vec<u8> {
    ended(&json!(["all_entries"]))
}

/// The line of an entry.
pub(super) fn of_entry(entry: &Entry) -> Vec<u8> {
    let base64 = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    ended(&match entry {
        Entry::Row {
            extension,
            key,
            value,
        } => json!(["row", extension, base64(key), value.as_deref().map(base64)]),
        Entry::DeletedId { id, by } => json!(["deleted_id", id.to_hex(), by.to_hex()]),
        Entry::DeletedAddress { address, until } => {
            json!(["deleted_address", address.to_string(), until])
        }
        Entry::Vanished { pubkey, until } => json!(["vanished", pubkey.to_hex(), until]),
        Entry::Vanishing { pubkey, until } => json!(["vanishing", pubkey.to_hex(), until]),
    })
}

fn ended(line: &Value) -> Vec<u8> {
    let mut line = line.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// What a line, without its end, puts back. An `Err` says in a few words what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<PutBack, String> {
    let parts: Vec<&RawValue> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let (word, rest) = parts.split_first().ok_or("an empty array")?;
    let word: &str = serde_json::from_str(word.get()).map_err(|error| error.to_string())?;
    match word {
        "event" => event(rest),
        "removed" => removed(rest),
        "all_entries" => Ok(PutBack::ForgetEntries),
        "row" | "deleted_id" | "deleted_address" | "vanished" | "vanishing" => {
            let values: Result<Vec<Value>, _> = rest
                .iter()
                .map(|raw| serde_json::from_str(raw.get()))
                .collect();
            let values = values.map_err(|error| error.to_string())?;
            let entry = entry(word, &values);
            entry
                .map(PutBack::Entry)
                .ok_or_else(|| format!("a line {word:?} that makes no sense"))
        }
        _ => Err(format!("a line {word:?}, which this version does not know")),
    }
}

fn event(parts: &[&RawValue]) -> Result<PutBack, String> {
    let (row, event, mark) = match parts {
        [row, event] => (row, event, None),
        [row, event, mark] => (row, event, Some(mark.get())),
        _ => return Err("an event needs a row and its JSON".to_owned()),
    };
    let row = row.get().parse();
    let row = row.map_err(|_| "the row of an event is no number".to_owned())?;
    let event = Event::parse(event.get().as_bytes()).map_err(|error| error.to_string())?;
    let is_kept = match mark {
        None => false,
        Some(mark) if mark.trim_matches('"') == KEPT => true,
        Some(mark) => return Err(format!("an event with the unknown mark {mark}")),
    };
    Ok(PutBack::Event(Stored {
        row,
        expires_at: event.expiration().filter(|_| !is_kept),
        event: Arc::new(event),
    }))
}

fn removed(parts: &[&RawValue]) -> Result<PutBack, String> {
    let read = || {
        let [row, id, kind, pubkey, cause] = parts else {
            return None;
        };
        let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
        let cause = text(cause)?;
        Some(PutBack::Removed {
            row: row.get().parse().ok()?,
            id: id_of(&text(id)?)?,
            kind: kind.get().parse().ok()?,
            pubkey: pubkey_of(&text(pubkey)?)?,
            cause: Cause::ALL
                .into_iter()
                .find(|known| known.label() == cause)?,
        })
    };
    read().ok_or_else(|| "a removal that makes no sense".to_owned())
}

fn entry(word: &str, values: &[Value]) -> Option<Entry> {
    let bytes = |value: &Value| BASE64_STANDARD.decode(value.as_str()?).ok();
    Some(match (word, values) {
        ("row", [extension, key, value]) => Entry::Row {
            extension: extension.as_str()?.to_owned(),
            key: bytes(key)?,
            value: match value {
                Value::Null => None,
                value => Some(bytes(value)?),
            },
        },
        ("deleted_id", [id, by]) => Entry::DeletedId {
            id: id_of(id.as_str()?)?,
            by: pubkey_of(by.as_str()?)?,
        },
        ("deleted_address", [address, until]) => Entry::DeletedAddress {
            address: Address::parse(address.as_str()?)?,
            until: until.as_u64()?,
        },
        ("vanished", [pubkey, until]) => Entry::Vanished {
            pubkey: pubkey_of(pubkey.as_str()?)?,
            until: until.as_u64()?,
        },
        ("vanishing", [pubkey, until]) => Entry::Vanishing {
            pubkey: pubkey_of(pubkey.as_str()?)?,
            until: match until {
                Value::Null => None,
                until => Some(until.as_u64()?),
            },
        },
        _ => return None,
    })
}

fn id_of(hex: &str) -> Option<EventId> {
    let mut bytes = [0; 32];
    const_hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some(EventId::from_byte_array(bytes))
}

fn pubkey_of(hex: &str) -> Option<PublicKey> {
    let mut bytes = [0; 32];
    const_hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some(PublicKey::from_byte_array(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::event::EventParts;

    fn stored(tags_json: &str, expires_at: Option<u64>) -> Stored {
        let event = EventParts {
            id: &[1; 32],
            pubkey: &[2; 32],
            created_at: 1_700_000_000,
            kind: 1,
            tags_json,
            content_json: r#""line\nfeed""#,
            sig: &[3; 64],
        };
        Stored {
            row: 7,
            expires_at,
            event: Arc::new(event.assemble()),
        }
    }

    fn parsed(line: &[u8]) -> PutBack {
        read(line.strip_suffix(b"\n").unwrap()).unwrap()
    }

    #[test]
    fn d4_what_a_line_says_is_read_back() {
        let expiring = r#"[["expiration","1800000000"]]"#;
        for stored in [
            stored("[]", None),
            stored(expiring, Some(1_800_000_000)),
            stored(expiring, None),
        ] {
            let line = of_change(&Change::Stored(stored.clone())).unwrap();
            assert_eq!(parsed(&line), PutBack::Event(stored));
        }
        let (id, pubkey) = (
            EventId::from_byte_array([1; 32]),
            PublicKey::from_byte_array([2; 32]),
        );
        for cause in Cause::ALL {
            let (row, kind) = (9, 65_535);
            let removed = Change::Removed {
                row,
                id,
                kind,
                pubkey,
                cause,
            };
            let put = PutBack::Removed {
                row,
                id,
                kind,
                pubkey,
                cause,
            };
            assert_eq!(parsed(&of_change(&removed).unwrap()), put);
        }
        let d = "a \"b\":c\n".to_owned();
        let address = Address {
            kind: 30_023,
            pubkey,
            d,
        };
        let row = |value| Entry::Row {
            extension: "groups@stored".to_owned(),
            key: vec![0, 255],
            value,
        };
        for entry in [
            row(None),
            row(Some(vec![])),
            row(Some(vec![10, 0])),
            Entry::DeletedId { id, by: pubkey },
            Entry::DeletedAddress { address, until: 5 },
            Entry::Vanished { pubkey, until: 6 },
            Entry::Vanishing {
                pubkey,
                until: Some(6),
            },
            Entry::Vanishing {
                pubkey,
                until: None,
            },
        ] {
            assert_eq!(parsed(&of_entry(&entry)), PutBack::Entry(entry));
        }
        assert_eq!(parsed(&of_all_entries()), PutBack::ForgetEntries);
    }

    #[test]
    fn d4_a_line_that_nobody_knows_is_no_line() {
        for wrong in [
            "",
            "[]",
            "{}",
            r#"["event",1]"#,
            r#"["event",1,{}]"#,
            r#"["removed",1,"00",1,"00","why"]"#,
            r#"["row","a","not base64!",null]"#,
            r#"["vanished","00",1]"#,
            r#"["later",1]"#,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
