//! Gift wraps (1059) that name a group: who they are for becomes a member, if whoever sends them may say so.

use super::failed;
use super::rosters::Changed;
use crate::MlsGateway;
use crate::config::GiftWrapMembership;
use crate::directory::Known;
use crate::roster::{Role, Roster};
use crate::rules::gift_wrap;
use std::convert::Infallible;
use trellis_relay::extension::prelude::*;

impl MlsGateway {
    /// Whether a gift wrap could make somebody a member.
    pub(super) fn may_invite(&self, event: &Event, viewer: &Viewer) -> bool {
        if self.settings.membership_from_giftwrap == GiftWrapMembership::Off {
            return false;
        }
        let Ok(wrap) = gift_wrap::read(event, &self.settings) else {
            return false;
        };
        let Some(group_id) = wrap.group_id else {
            return false;
        };
        match self.directory.get(&group_id) {
            Some(Known::Managed(roster)) => {
                roster.role(&wrap.recipient).is_none() && invites(&roster, event, viewer)
            }
            _ => true,
        }
    }

    /// Takes the recipient into the group. The event is accepted in any case: what it does not change it still delivers.
    pub(super) async fn invite(&self, request: &AdmitRequest) -> Result<Admit, HookError> {
        let (event, viewer) = (&request.event, &request.viewer);
        let wrap = match gift_wrap::read(event, &self.settings) {
            Ok(wrap) => wrap,
            Err(reason) => return Ok(reason.into()),
        };
        let Some(group_id) = wrap.group_id else {
            return Ok(Admit::Accept);
        };
        let may_found = self.settings.membership_from_giftwrap == GiftWrapMembership::First
            && self.check_new_groups().is_ok();
        let decide = |current: Option<&Roster>| -> Result<Option<Roster>, Infallible> {
            let roster = match current {
                Some(roster) if invites(roster, event, viewer) => Some(roster.clone()),
                Some(_) => None,
                None if may_found => sender(event, viewer).map(Roster::of_owner),
                None => None,
            };
            Ok(roster.and_then(|mut roster| {
                let is_new = current.is_none() || roster.role(&wrap.recipient).is_none();
                roster.members.entry(wrap.recipient).or_insert(Role::Member);
                is_new.then_some(roster)
            }))
        };
        Ok(match self.swap_roster(&group_id, decide).await {
            Ok(Changed::Done) => Admit::Accept,
            Ok(Changed::Refused(never)) => match never {},
            Ok(Changed::TooLarge) => self.too_many_members().into(),
            Ok(Changed::Busy) => Reason::busy().into(),
            Err(error) => failed(event, &error),
        })
    }
}

/// Whether the author of a gift wrap, or who sends it, is an admin of the group.
fn invites(roster: &Roster, event: &Event, viewer: &Viewer) -> bool {
    roster.is_admin_any(viewer.pubkeys()) || roster.is_admin_any(&[*event.pubkey()])
}

/// Who sends, as far as it is known: the author, where that key has authenticated, or else the session's first key.
fn sender(event: &Event, viewer: &Viewer) -> Option<PublicKey> {
    match viewer.is(event.pubkey()) {
        true => Some(*event.pubkey()),
        false => viewer.pubkeys().first().copied(),
    }
}
