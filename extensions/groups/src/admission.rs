//! Hooks on every event that comes.
//!
//! Early, from memory and from the event alone: what only the relay says, what comes late, who may create groups. Then, in the
//! transaction that stores it, everything that depends on the state (`judging`), so that of two events that come at the same
//! time the second is judged on what the first has changed. Ephemeral events are not stored, so memory decides on them.

use crate::Groups;
use crate::directory::{Known, Withheld};
use crate::group::Standing;
use crate::judging::judge;
use crate::kinds::{
    self, CREATE_GROUP, CREATE_INVITE, DELETE_GROUP, EDIT_METADATA, JOIN, LEAVE, REMOVE_USER,
};
use crate::state::{State, Stray};
use crate::tags::GROUPS_MAX;
use crate::watch::{self, Refused};
use crate::{late, metadata, moderation, posting, tags};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::config::Mode;
use trellis_relay::event::KindClass;
use trellis_relay::extension::prelude::*;

/// How long a new group may wait for the look whether its id is free.
const PATIENCE: Duration = Duration::from_secs(5);

/// Registers the hooks.
pub(crate) fn register(hooks: &mut Registrar<Groups>) {
    hooks
        .phase(Phase::Validate)
        .admit(Kinds::all(), |me, event, viewer| {
            let refused = me.admit(event, viewer).err();
            if refused.is_some() {
                watch::refused(Refused::Admit);
            }
            Ok(refused.into())
        })
        .phase(Phase::Policy)
        .admit_async(CREATE_GROUP, PATIENCE, async |me: Arc<Groups>, request| {
            me.check_free_id(&request.event).await
        })
        .commit(Kinds::all(), |me, event, tx| me.commit(event, tx))
        .guard_removal(kinds::MODERATION, |me, event, cause| {
            Ok(me.guard(event, cause))
        });
}

impl Groups {
    fn admit(&self, event: &Event, viewer: &Viewer) -> Result<(), Reason> {
        let kind = event.kind();
        if viewer.is_relay() {
            return Ok(());
        }
        if kinds::is_said_by_relay(kind) {
            return Err(metadata::not_yours());
        }
        let is_about_group = kinds::is_moderation(kind) || [JOIN, LEAVE].contains(&kind);
        let mut ours = tags::groups(event);
        ours.retain(|id| self.directory.has(id));
        if !is_about_group && ours.is_empty() {
            return Ok(());
        }
        // Of a group that is hidden from its author an event is not refused because of the group.
        let may_know = |id: &&Cow<'_, str>| self.directory.may_know(id, event.pubkey());
        let known = ours.iter().filter(may_know).count();
        if known > GROUPS_MAX {
            return Err(Reason::invalid(format!(
                "found {known} groups of this relay in h tags, wanted at most {GROUPS_MAX}"
            )));
        }
        if is_about_group || known > 0 {
            let now_s = self.host.clock().now_s();
            late::check(event, self.rules.late_window_s, now_s)?;
        }
        if kind == CREATE_GROUP {
            return self.may_create(event, viewer);
        }
        if event.class() == KindClass::Ephemeral {
            return ours.iter().try_for_each(|id| self.may_pass(event, id));
        }
        let is_stray = !is_about_group && known < ours.len();
        if is_stray && self.directory.strays.stored() >= self.rules.max_strays {
            return Err(Reason::rate_limited(
                "there are too many events of this kind here; try again later",
            ));
        }
        Ok(())
    }

    /// Whether an ephemeral event may be sent to a group, by memory. What a stranger sends to a hidden one is not the group's.
    fn may_pass(&self, event: &Event, id: &str) -> Result<(), Reason> {
        let author = event.pubkey();
        let judged = self.directory.look(id, |known| {
            let standing = match self.rules.is_above_groups(author) {
                true => Some(Standing::Member),
                false => known.users.get(author).copied(),
            };
            let is_sure = standing.is_none() && !self.directory.is_awaited(id);
            let is_stray = is_sure && self.directory.is_hidden(id, known);
            let may_write = posting::may_write(&known.group, standing, event.kind());
            (is_stray, may_write)
        });
        match judged {
            None => Ok(()),
            Some((false, may_write)) => may_write,
            Some((true, may_write)) => {
                let is_kept_from_members = may_write.is_err();
                let stray = Stray {
                    is_kept_from_members,
                };
                self.directory.strays.pass(id, event.id(), stray);
                Ok(())
            }
        }
    }

    fn may_create(&self, event: &Event, viewer: &Viewer) -> Result<(), Reason> {
        let id = tags::group(event)?;
        tags::check_id(&id, self.rules.max_group_id_bytes)?;
        let author = event.pubkey();
        moderation::may_found(&id, author, &self.rules)?;
        if !self.rules.may_create(author) {
            return Err(moderation::not_allowed());
        }
        self.host
            .refuse_during(&[Mode::NoNewGroups, Mode::Maintenance])?;
        if self.rules.is_above_groups(author) {
            return Ok(());
        }
        let of_address = &self.new_groups_of_address;
        let taken = self.new_groups.try_take(&author.to_hex());
        match taken.and_then(|()| of_address.try_take(&address(viewer))) {
            Ok(()) => Ok(()),
            Err(wait) => Err(Reason::rate_limited(format!(
                "you have created enough groups for now; try again in {} s",
                wait.as_secs() + 1
            ))),
        }
    }

    /// Others use `h` tags too: who could make a group of the id that they use would decide on their events.
    async fn check_free_id(&self, event: &Event) -> Result<Admit, HookError> {
        let id = tags::group(event).unwrap_or_default();
        if self.directory.has(&id) {
            return Ok(Admit::Accept); // the transaction says what is wrong
        }
        let used = Filter {
            tags: BTreeMap::from([(b'h', vec![id.into_owned()])]),
            limit: Some(1),
            ..Filter::default()
        };
        Ok(match self.host.query(used).await?.is_empty() {
            true => Admit::Accept,
            false => Reason::blocked(
                "there are events for this id already, which are none of a group; choose another",
            )
            .into(),
        })
    }

    fn commit(&self, event: &Event, tx: &mut CommitTx<'_>) -> Result<Commit, HookError> {
        let now_s = tx.now_s();
        let invites = taken_back(tx.removes());
        let mut state = State::of(tx);
        let judged = judge(event, &mut state, &self.rules, now_s).and_then(|()| {
            let mut invites = invites.iter();
            invites.try_for_each(|(id, event)| moderation::revoke(id, &[*event], &mut state))
        });
        match judged {
            Ok(()) => {
                // Before it is committed, so that it is known when the event is on its way out.
                for (id, stray) in state.into_strays() {
                    self.directory.strays.note(&id, event.id(), stray);
                }
                self.withhold(event);
                Ok(Commit::Accept)
            }
            Err(refusal) => {
                let reason = refusal.into_reason()?;
                watch::refused(Refused::Commit);
                Ok(reason.into())
            }
        }
    }

    /// Takes rights away at once that memory will know of in a moment. Nothing depends on it but what is shown meanwhile, so
    /// it does no harm where the transaction fails or is run again.
    fn withhold(&self, event: &Event) {
        if !kinds::is_moderation(event.kind()) {
            return;
        }
        let what = match event.kind() {
            REMOVE_USER => {
                let users = tags::users(event).unwrap_or_default();
                Withheld::Users(users.into_iter().map(|(user, _)| user).collect())
            }
            EDIT_METADATA => {
                let has = |name: &str| event.tags().any(|tag| tag.name() == name);
                match (has("private"), has("hidden")) {
                    (false, false) => Withheld::Users(Vec::new()),
                    (is_private, is_hidden) => Withheld::Strangers {
                        is_private,
                        is_hidden,
                    },
                }
            }
            DELETE_GROUP => Withheld::All,
            _ => Withheld::Users(Vec::new()),
        };
        if let Ok(id) = tags::group(event) {
            self.directory.withhold(&id, event.id(), what);
        }
    }

    /// What a group's state follows from stays, but for the operator, for whoever vanishes, and when the group goes. That it
    /// is gone is remembered, or its id would be free again.
    fn guard(&self, event: &Event, cause: Cause) -> Removal {
        let kind = event.kind();
        let is_needed = |id: &str| {
            let needs = |known: &Known| kind == DELETE_GROUP || !known.group.is_deleted;
            // A group that was created a moment ago is not known yet.
            self.directory.is_awaited(id) || self.directory.look(id, needs) == Some(true)
        };
        let is_kept = match cause {
            Cause::Admin | Cause::Vanish | Cause::Replacement => false,
            // Who has made an invite takes it back so; `commit` ends it.
            Cause::Deletion if kind == CREATE_INVITE => false,
            // An end that its author has set ends an invite and nothing else, known to memory already or not.
            Cause::Expiry => kind != CREATE_INVITE,
            Cause::Deletion | Cause::Retention => {
                tags::groups(event).iter().any(|id| is_needed(id))
            }
        };
        match is_kept {
            true => Removal::Keep,
            false => Removal::Allow,
        }
    }
}

/// The invites that an event deletes (NIP-09), by group.
fn taken_back(removed: &[Arc<Event>]) -> Vec<(String, EventId)> {
    let invites = removed.iter().filter(|it| it.kind() == CREATE_INVITE);
    let invites = invites.filter_map(|invite| {
        let id = tags::group(invite).ok()?.into_owned();
        tags::may_be_id(&id).then_some((id, *invite.id()))
    });
    invites.collect()
}

/// A client in words of the limiter: an IPv6 network of 64 bits is one.
fn address(viewer: &Viewer) -> String {
    match viewer.ip().to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX)).to_string(),
    }
}
