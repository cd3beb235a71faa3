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

/// Gift wraps are dated up to two days back (NIP-59); an hour is for clocks that are wrong.
const AGE_S_MAX: u64 = 2 * 86_400 + 3_600;
/// A deletion request (NIP-09).
const DELETION: u16 = 5;

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
                roster.role(&wrap.recipient).is_none() && invites(&roster, event, viewer, true)
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
        let author_counts = self.is_first_time(event).await?;
        let decide = |current: Option<&Roster>| -> Result<Option<Roster>, Infallible> {
            let roster = match current {
                Some(roster) if invites(roster, event, viewer, author_counts) => {
                    Some(roster.clone())
                }
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
        Ok(
            match self.swap_roster(&group_id, event.id(), decide).await {
                Ok(Changed::Done) => Admit::Accept,
                Ok(Changed::Refused(never)) => match never {},
                Ok(Changed::TooLarge) => self.too_many_members().into(),
                Ok(Changed::Busy) => Reason::busy().into(),
                Err(error) => failed(event, &error),
            },
        )
    }
}

impl MlsGateway {
    /// Whether a gift wrap may be what its author wants now. Anybody can send one again that somebody signed long ago, or
    /// that was deleted, and who was removed from the group meanwhile would be back.
    async fn is_first_time(&self, event: &Event) -> Result<bool, HookError> {
        if event.created_at().saturating_add(AGE_S_MAX) < self.host.clock().now_s() {
            return Ok(false);
        }
        let mut deletions = Filter {
            kinds: Some(vec![DELETION]),
            limit: Some(1),
            ..Filter::default()
        };
        deletions.tags.insert(b'e', vec![event.id().to_hex()]);
        Ok(self.host.query(deletions).await?.is_empty())
    }
}

/// Whether who sends a gift wrap is an admin of the group, or its author, where that counts.
fn invites(roster: &Roster, event: &Event, viewer: &Viewer, author_counts: bool) -> bool {
    roster.is_admin_any(viewer.pubkeys())
        || (author_counts && roster.is_admin_any(&[*event.pubkey()]))
}

/// Who sends, as far as it is known: the author, where that key has authenticated, or else the session's first key.
fn sender(event: &Event, viewer: &Viewer) -> Option<PublicKey> {
    match viewer.is(event.pubkey()) {
        true => Some(*event.pubkey()),
        false => viewer.pubkeys().first().copied(),
    }
}
