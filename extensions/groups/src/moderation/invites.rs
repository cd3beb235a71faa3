//! 9009 `create-invite`: codes that let in whoever says them, until they expire (NIP-40) or the event that made them is
//! deleted, by a moderator or its author. How often a code is used is not limited: NIP-29 says nothing of it.
//!
//! Invariant: each event makes invites of its own, whatever others have made: a code lets in while one of them is good. So
//! the invites of a group follow from the events that are there.

use super::Act;
use crate::group::Invite;
use crate::state::{Refusal, State};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;
use trellis_relay::extension::prelude::*;

/// A code has so many bytes, and an event so many codes.
const CODE_BYTES_MAX: usize = 256;
const CODES_MAX: usize = 20;

pub(super) fn create(act: Act<'_>, state: &mut State<'_>) -> Result<(), Refusal> {
    let codes = act.event.tags().filter(|tag| tag.name() == "code");
    let codes: Vec<_> = codes.filter_map(|tag| tag.value()).collect();
    let is_good = |code: &str| (1..=CODE_BYTES_MAX).contains(&code.len());
    if !(1..=CODES_MAX).contains(&codes.len()) || !codes.iter().all(|code| is_good(code)) {
        let text = format!(
            "create-invite needs 1 to {CODES_MAX} code tags of at most {CODE_BYTES_MAX} bytes"
        );
        return Err(Reason::invalid(text).into());
    }
    let mut invites = state.invites(act.id)?;
    invites.retain(|invite| invite.is_good_at(act.now_s));
    let codes: BTreeSet<String> = codes.iter().map(|code| code_sha256(code)).collect();
    invites.extend(codes.into_iter().map(|code_sha256| Invite {
        code_sha256,
        event: *act.event.id(),
        expires_at_s: act.event.expiration(),
        made_at_s: act.event.created_at(),
    }));
    if invites.len() > act.rules.max_invites {
        let text = "this group has as many invites as it takes; delete some of their events";
        return Err(Reason::restricted(text).into());
    }
    state.set_invites(act.id, &invites)
}

/// Ends the invites that these events have made. Another event that made an invite of the same code keeps it.
pub(crate) fn revoke(id: &str, events: &[EventId], state: &mut State<'_>) -> Result<(), Refusal> {
    let mut invites = state.invites(id)?;
    let before = invites.len();
    invites.retain(|invite| !events.contains(&invite.event));
    match invites.len() < before {
        true => state.set_invites(id, &invites),
        false => Ok(()),
    }
}

/// By which a code is known.
pub(crate) fn code_sha256(code: &str) -> String {
    let hash = Sha256::digest(code);
    hash.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
