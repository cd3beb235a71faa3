//! The rounds of NIP-77 over one window: which events only one side has.

use super::peer::{PeerMessage, filter_json};
use super::{MOST_SAID_CHARS, SyncError, Work, plain};
use crate::event::EventId;
use crate::filter::Filter;
use crate::nips::nip77::{ItemList, Malformed, VERSION};
use serde_json::json;

/// What the rounds have found.
pub(super) enum Found {
    /// Everything.
    All(Difference),
    /// More than one side takes at once, in the peer's words where it is the peer.
    TooMany(String),
}

/// Events that only one side has, each id once.
pub(super) struct Difference {
    /// We.
    pub(super) have: Vec<EventId>,
    /// The peer.
    pub(super) need: Vec<EventId>,
}

/// In hex and with a filter this passes most relays' limit of a message, which is 128 KiB.
const FRAME_BYTES: usize = 48 * 1024;
/// The protocol's least.
const LEAST_FRAME_BYTES: usize = 4_096;
/// A message beside its filter and its frame: `["NEG-OPEN","sync",,""]`.
const ENVELOPE_BYTES: usize = 32;
/// Ids that the peer may name in one window; a window with more is split.
const MOST_NEEDED: usize = 500_000;
/// Each round of an honest peer brings at least a frame's worth; a window has no more than some hundred frames.
const MOST_ROUNDS: usize = 20_000;

const ID: &str = "sync";

/// Asks until everything is known.
pub(super) fn find(
    work: &mut Work<'_>,
    filter: &Filter,
    ours: &ItemList,
) -> Result<Found, SyncError> {
    let filter = filter_json(filter);
    let frame_bytes = frame_bytes(work, filter.to_string().len());
    let first = ours.first_message(frame_bytes).map_err(breach)?;
    let open = json!(["NEG-OPEN", ID, filter, const_hex::encode(first)]).to_string();
    work.peer.send(open.clone())?;
    let mut found = Difference {
        have: Vec::new(),
        need: Vec::new(),
    };
    for round in 0..MOST_ROUNDS {
        let answer = match answer(work, round == 0)? {
            Answer::Message(answer) => answer,
            Answer::OpenAgain => {
                work.peer.send(open.clone())?;
                continue;
            }
            Answer::TooMany(words) => return Ok(Found::TooMany(words)),
        };
        if let [version] = answer[..]
            && version != VERSION
        {
            return Err(SyncError::NotSupported(format!(
                "its version of the protocol is {version:02x}, ours {VERSION:02x}"
            )));
        }
        let learned = ours.learn(&answer, frame_bytes).map_err(breach)?;
        found.have.extend(learned.have);
        found.need.extend(learned.need);
        if found.need.len() > MOST_NEEDED {
            close(work)?;
            return Ok(Found::TooMany("it has too much at once".to_owned()));
        }
        if found.have.len() > 2 * ours.len() {
            return Err(SyncError::Protocol(
                "it lacks more than there is".to_owned(),
            ));
        }
        let Some(next) = learned.next else {
            close(work)?;
            tidy(&mut found);
            return Ok(Found::All(found));
        };
        work.peer
            .send(json!(["NEG-MSG", ID, const_hex::encode(next)]).to_string())?;
    }
    Err(SyncError::Protocol("its rounds never end".to_owned()))
}

/// As long as the peer takes, so far as that is known.
fn frame_bytes(work: &Work<'_>, filter_bytes: usize) -> usize {
    let Some(most) = work.peer.limits().message_bytes else {
        return FRAME_BYTES;
    };
    let hex_bytes = most.saturating_sub(filter_bytes + ENVELOPE_BYTES);
    (hex_bytes / 2).clamp(LEAST_FRAME_BYTES, FRAME_BYTES)
}

enum Answer {
    Message(Vec<u8>),
    /// It wanted to know who we are, and does now.
    OpenAgain,
    TooMany(String),
}

fn answer(work: &mut Work<'_>, is_first: bool) -> Result<Answer, SyncError> {
    let deadline = work.deadline();
    loop {
        let message = match work.next(deadline, "answer NEG-OPEN (NIP-77)") {
            // Many relays say nothing to what they do not know.
            Err(SyncError::Silent { .. }) if is_first => {
                let said = work.peer.said();
                let said = said.unwrap_or_else(|| "nothing".to_owned());
                return Err(SyncError::NotSupported(said));
            }
            message => message?,
        };
        match message {
            PeerMessage::NegMsg(id, answer) if id == ID => return Ok(Answer::Message(answer)),
            PeerMessage::NegErr(id, words) if id == ID => {
                let words = plain(&words, MOST_SAID_CHARS);
                return match words.split(':').next().unwrap_or_default() {
                    "auth-required" if is_first && work.authenticate()? => Ok(Answer::OpenAgain),
                    "blocked" if is_first => Ok(Answer::TooMany(words)),
                    "unsupported" => Err(SyncError::NotSupported(words)),
                    _ => Err(SyncError::Refused(words)),
                };
            }
            PeerMessage::Notice(words) if is_first && denies(&words) => {
                return Err(SyncError::NotSupported(plain(&words, MOST_SAID_CHARS)));
            }
            _ => {}
        }
    }
}

/// Whether a NOTICE says that NEG-OPEN is not known. There is no rule for these words.
fn denies(notice: &str) -> bool {
    let notice = notice.to_lowercase();
    [
        "neg",
        "unknown",
        "unsupported",
        "unrecogni",
        "invalid",
        "bad msg",
        "parse",
    ]
    .iter()
    .any(|word| notice.contains(word))
}

fn close(work: &mut Work<'_>) -> Result<(), SyncError> {
    work.peer.send(json!(["NEG-CLOSE", ID]).to_string())
}

/// A peer may name an id again and again.
fn tidy(found: &mut Difference) {
    for ids in [&mut found.have, &mut found.need] {
        ids.sort_unstable();
        ids.dedup();
    }
}

fn breach(error: Malformed) -> SyncError {
    SyncError::Protocol(error.to_string())
}
