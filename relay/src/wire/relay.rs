//! What the relay sends.

use super::SubId;
use crate::event::{EventId, escape_into};
use crate::reason::Reason;
use std::io::Write as _;

/// A message to a client other than EVENT, which has a path of its own.
#[derive(Clone, Debug)]
pub enum RelayMessage<'a> {
    /// `["OK", id, accepted, message]`; an accepted event has a message only where there is something to say.
    Ok {
        /// The event.
        id: &'a EventId,
        /// Whether the relay has it now.
        accepted: bool,
        /// Why not, or what else there is to say.
        reason: Option<&'a Reason>,
    },
    /// `["EOSE", id]`
    Eose(&'a SubId),
    /// `["CLOSED", id, message]`
    Closed(&'a SubId, &'a Reason),
    /// `["NOTICE", message]`
    Notice(&'a Reason),
    /// `["AUTH", challenge]` (NIP-42)
    Auth(&'a str),
    /// `["COUNT", id, {"count": n, "hll": hex}]` (NIP-45); the second where there are registers.
    Count(&'a SubId, u64, Option<&'a [u8; 256]>),
    /// `["NEG-MSG", id, message]` (NIP-77)
    NegMsg(&'a SubId, &'a [u8]),
    /// `["NEG-ERR", id, message]` (NIP-77), where records are too many with the most that are not.
    NegErr {
        /// What the client called it.
        id: &'a SubId,
        /// Why it is over.
        reason: &'a Reason,
        /// How many records may be asked for at once.
        max_items: Option<u64>,
    },
}

impl RelayMessage<'_> {
    /// Appends the JSON text.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = match self {
            RelayMessage::Ok {
                id,
                accepted,
                reason,
            } => {
                out.extend_from_slice(br#"["OK",""#);
                let mut hex = [0; 64];
                // 32 bytes always fit 64 digits.
                let _ = const_hex::encode_to_slice(id.as_bytes(), &mut hex);
                out.extend_from_slice(&hex);
                out.extend_from_slice(if *accepted {
                    br#"",true,"#
                } else {
                    br#"",false,"#
                });
                match reason {
                    Some(reason) => escape_into(out, &reason.to_string()),
                    None => out.extend_from_slice(br#""""#),
                }
                out.write_all(b"]")
            }
            RelayMessage::Eose(id) => write!(out, r#"["EOSE",{}]"#, id.json()),
            RelayMessage::Closed(id, reason) => {
                let _ = write!(out, r#"["CLOSED",{},"#, id.json());
                escape_into(out, &reason.to_string());
                out.write_all(b"]")
            }
            RelayMessage::Notice(reason) => {
                out.extend_from_slice(br#"["NOTICE","#);
                escape_into(out, &reason.to_string());
                out.write_all(b"]")
            }
            RelayMessage::Auth(challenge) => {
                out.extend_from_slice(br#"["AUTH","#);
                escape_into(out, challenge);
                out.write_all(b"]")
            }
            RelayMessage::Count(id, count, registers) => {
                let _ = write!(out, r#"["COUNT",{},{{"count":{count}"#, id.json());
                if let Some(registers) = registers {
                    let _ = write!(out, r#","hll":"{}""#, const_hex::encode(registers));
                }
                out.write_all(b"}]")
            }
            RelayMessage::NegMsg(id, message) => {
                let hex = const_hex::encode(message);
                write!(out, r#"["NEG-MSG",{},"{hex}"]"#, id.json())
            }
            RelayMessage::NegErr {
                id,
                reason,
                max_items,
            } => {
                let _ = write!(out, r#"["NEG-ERR",{},"#, id.json());
                escape_into(out, &reason.to_string());
                match max_items {
                    Some(max) => write!(out, ",{max}]"),
                    None => out.write_all(b"]"),
                }
            }
        };
    }
}

/// The pieces of `["EVENT", id, event]`, to be written one after the other without assembling them first.
pub fn event_pieces<'a>(id: &'a SubId, event_json: &'a [u8]) -> [&'a [u8]; 5] {
    [
        br#"["EVENT","#,
        id.json().as_bytes(),
        b",",
        event_json,
        b"]",
    ]
}

/// What stands before and behind the event in such a message.
pub fn event_ends(id: &SubId) -> ([&[u8]; 3], &'static [u8]) {
    ([br#"["EVENT","#, id.json().as_bytes(), b","], b"]")
}
