//! Hooks on every event that comes.
//!
//! Early, from memory and from the event alone: what only the relay says, what comes late, who may create groups. Then, in the
//! transaction that stores it, everything that depends on the state (`judging`), so that of two events that come at the same
//! time the second is judged on what the first has changed. Ephemeral events are not stored, so memory decides on them.

use crate::Groups;
use crate::directory::{Known, Withheld};
use crate::judging::judge;
use crate::kinds::{
    self, CREATE_GROUP, CREATE_INVITE, DELETE_GROUP, EDIT_METADATA, JOIN, LEAVE, REMOVE_USER,
};
use crate::state::State;
use crate::tags::GROUPS_MAX;
use crate::watch::{self, Refused};
use crate::{late, metadata, moderation, posting, tags};
use std::collections::BTreeMap;
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
        let ids = tags::groups(event);
        let ours = ids.iter().filter(|id| self.directory.has(id)).count();
        if !is_about_group && ours == 0 {
            return Ok(());
        }
        if ours > GROUPS_MAX {
            return Err(Reason::invalid(format!(
                "found {ours} groups of this relay in h tags, wanted at most {GROUPS_MAX}"
            )));
        }
        let now_s = self.host.clock().now_s();
        late::check(event, self.rules.late_window_s, now_s)?;
        if kind == CREATE_GROUP {
            return self.may_create(event);
        }
        if event.class() == KindClass::Ephemeral {
            for id in ids {
                let standing = |user| match self.rules.is_above_groups(user) {
                    true => Some(crate::group::Standing::Member),
                    false => None,
                };
                let may_write = self.directory.look(&id, |known| {
                    let user = event.pubkey();
                    let standing = standing(user).or(known.users.get(user).copied());
                    posting::may_write(&known.group, standing, kind)
                });
                may_write.unwrap_or(Ok(()))?;
            }
        }
        Ok(())
    }

    fn may_create(&self, event: &Event) -> Result<(), Reason> {
        let id = tags::group(event)?;
        tags::check_id(&id, self.rules.max_group_id_bytes)?;
        let author = event.pubkey();
        if !self.rules.may_create(author) {
            return Err(moderation::not_allowed());
        }
        self.host
            .refuse_during(&[Mode::NoNewGroups, Mode::Maintenance])?;
        if self.rules.is_above_groups(author) {
            return Ok(());
        }
        match self.new_groups.try_take(&author.to_hex()) {
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
        match judge(event, &mut State::of(tx), &self.rules, now_s) {
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
            self.directory.is_awaited(id) || self.directory.look(id, needs) == Some(true)
        };
        let is_kept = match cause {
            Cause::Admin | Cause::Vanish | Cause::Replacement => false,
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
