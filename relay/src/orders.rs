//! The operator's orders about a single event: the mode of the relay (`[operation]`) and the lists of NIP-86.
//!
//! Invariant: pure, and the same wherever it is asked. An event is asked about before dear checks, and again where it is
//! about to take effect, so that an order that was answered holds for what was under way. Not here: who may publish by
//! the lists of `[auth]` (`access`).

use crate::access::Denied;
use crate::config::{Mode, Operation};
use crate::event::Event;
use crate::moderation::Moderation;
use crate::nips::nip62;
use crate::reason::Reason;

/// What is said of an event that the operator removed.
const BANNED: &str = "the relay's operator does not want this event";

/// All orders about a client's event.
pub fn check(
    event: &Event,
    operation: &Operation,
    moderation: &Moderation,
    now_s: u64,
) -> Result<(), Reason> {
    check_mode(operation, now_s)?;
    check_lists(event, moderation)
}

/// In read-only mode nothing is taken from clients, deletions included, so that the store can be copied or moved.
pub fn check_mode(operation: &Operation, now_s: u64) -> Result<(), Reason> {
    match operation.mode_at(now_s) {
        mode @ Mode::ReadOnly => Err(operation.refusal(mode, now_s)),
        _ => Ok(()),
    }
}

/// What is not taken whoever brings it: kinds, events, authors. To vanish (NIP-62) is everybody's right.
pub fn check_lists(event: &Event, moderation: &Moderation) -> Result<(), Reason> {
    check_kind_and_id(event, moderation)?;
    let is_banned = moderation.banned_pubkeys.contains(event.pubkey());
    match is_banned && event.kind() != nip62::KIND {
        true => Err(Denied::Author.into()),
        false => Ok(()),
    }
}

/// The lists without that of people, of whom `access` knows more.
pub fn check_kind_and_id(event: &Event, moderation: &Moderation) -> Result<(), Reason> {
    let kind = event.kind();
    if kind == nip62::KIND {
        return Ok(());
    }
    if !moderation.takes_kind(kind) {
        return Err(Reason::blocked(format!(
            "this relay takes no events of kind {kind}"
        )));
    }
    match moderation.banned_events.contains(event.id()) {
        true => Err(Reason::blocked(BANNED)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::moderation::{Row, Standing, Subject, Verdict};
    use nostr::event::{EventBuilder, FinalizeEvent as _, Kind};
    use nostr::key::Keys;

    fn event(kind: u16) -> Event {
        let signed = EventBuilder::new(Kind::from(kind), "").finalize(&Keys::generate());
        Event::parse(signed.unwrap().as_json().as_bytes()).unwrap()
    }

    fn denying(subject: Subject) -> Moderation {
        let standing = Standing {
            verdict: Verdict::Denied,
            reason: String::new(),
            to_purge: false,
        };
        let mut moderation = Moderation::default();
        moderation
            .take(&Row::of(&subject, Some(&standing)))
            .unwrap();
        moderation
    }

    #[test]
    fn c10_each_order_refuses_its_events_and_no_others() {
        let (note, other) = (event(1), event(7));
        let open = Operation::default();
        for subject in [
            Subject::Pubkey(*note.pubkey()),
            Subject::Event(*note.id()),
            Subject::Kind(1),
        ] {
            let moderation = denying(subject);
            let reason = check(&note, &open, &moderation, 0).unwrap_err().to_string();
            assert!(reason.starts_with("blocked:"), "{reason}");
            assert_eq!(check(&other, &open, &moderation, 0), Ok(()));
        }
        let read_only = Operation {
            mode: Mode::ReadOnly,
            ..Operation::default()
        };
        assert!(check(&note, &read_only, &Moderation::default(), 0).is_err());
    }

    #[test]
    fn c10_lists_keep_nobody_from_vanishing_and_read_only_does() {
        let request = event(nip62::KIND);
        for subject in [
            Subject::Pubkey(*request.pubkey()),
            Subject::Event(*request.id()),
            Subject::Kind(nip62::KIND),
        ] {
            let moderation = denying(subject);
            assert_eq!(check_lists(&request, &moderation), Ok(()));
        }
        let read_only = Operation {
            mode: Mode::ReadOnly,
            ..Operation::default()
        };
        assert!(check_mode(&read_only, 0).is_err());
    }
}
