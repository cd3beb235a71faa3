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
use crate::state::State;
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

/// How long an event may wait for a look at what is stored.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is not stored, so that no transaction decides on it.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 20_000..=29_999;

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
        .admit_async_if(
            EPHEMERAL,
            PATIENCE,
            |me, event, _viewer| !me.may_be_forgotten(event).is_empty(),
            async |me: Arc<Groups>, request| me.check_forgotten(&request.event).await,
        )
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
        // What is about a group names one, and must not tell strangers which of more are hidden.
        if !is_about_group && ours.len() > GROUPS_MAX {
            return Err(Reason::invalid(format!(
                "found {} groups of this relay in h tags, wanted at most {GROUPS_MAX}",
                ours.len()
            )));
        }
        let now_s = self.host.clock().now_s();
        late::check(event, self.rules.late_window_s, now_s)?;
        if kind == CREATE_GROUP {
            return self.may_create(event, viewer);
        }
        if event.class() == KindClass::Ephemeral {
            return ours.iter().try_for_each(|id| self.may_pass(event, id));
        }
        Ok(())
    }

    /// Whether an ephemeral event may be sent to a group, by memory.
    fn may_pass(&self, event: &Event, id: &str) -> Result<(), Reason> {
        let author = event.pubkey();
        let may_write = self.directory.look(id, |known| {
            let standing = match self.rules.is_above_groups(author) {
                true => Some(Standing::Member),
                false => known.users.get(author).copied(),
            };
            posting::may_write(&known.group, standing, event.kind())
        });
        may_write.unwrap_or(Ok(()))
    }

    /// The ids that an event names which may be those of deleted groups that memory has forgotten.
    fn may_be_forgotten<'e>(&self, event: &'e Event) -> Vec<Cow<'e, str>> {
        let mut ids = tags::groups(event);
        ids.retain(|id| tags::may_be_id(id) && self.directory.may_have_forgotten(id));
        ids
    }

    /// What would have gone to the members of a group that is gone goes to nobody, whether memory knows of it or not.
    async fn check_forgotten(&self, event: &Event) -> Result<Admit, HookError> {
        for id in self.may_be_forgotten(event) {
            if self.directory.was_deleted(&self.host, &id).await? {
                watch::refused(Refused::Admit);
                return Ok(posting::deleted().into());
            }
        }
        Ok(Admit::Accept)
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
        let was_forgotten = self.directory.may_have_forgotten(&id)
            && self.directory.was_deleted(&self.host, &id).await?;
        if was_forgotten || self.directory.has(&id) {
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
            let is_needed = self.directory.look(id, needs);
            // The end of a group is stored for groups of ours alone, and outlives what memory has of them.
            self.directory.is_awaited(id) || is_needed.unwrap_or(kind == DELETE_GROUP)
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
