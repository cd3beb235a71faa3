//! Who may publish into a group: its members, where it has a roster; who knows its id, where it has none.

use crate::MlsGateway;
use crate::config::{ManagedPublish, UnmanagedGroups};
use crate::directory::{Glance, Unreadable};
use crate::kinds::GROUP_MESSAGE;
use crate::rules::{group_message, is_capability};
use crate::watch::{self, Stage};
use std::cell::Cell;
use trellis_relay::extension::prelude::*;

thread_local! {
    /// The message that memory alone last let pass on this thread. Whether it has to be thought about is asked right after
    /// that, and need not be judged again.
    static PASSED: Cell<Option<Passed>> = const { Cell::new(None) };
}

/// A message and who sends it, told by numbers that mean nothing else while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Passed {
    gateway: usize,
    session: u64,
    event: EventId,
}

impl MlsGateway {
    /// Judges a message by its form, by how often its sender sends, and by its group, if that is in memory.
    pub(super) fn check_message(&self, event: &Event, viewer: &Viewer) -> Result<Admit, HookError> {
        PASSED.set(None);
        let message = match group_message::read(event) {
            Ok(message) => message,
            Err(reason) => return Ok(reason.into()),
        };
        self.processed.count(GROUP_MESSAGE);
        if !viewer.is_relay()
            && let Err(reason) = self.limits.take(event, viewer)
        {
            return Ok(reason.into());
        }
        let judged = self.judge_from_memory(&message.group_id, viewer);
        if judged == Some(Admit::Accept) {
            PASSED.set(Some(self.passed(event, viewer)));
        }
        // What is not in memory is judged by `check_unknown_group`.
        Ok(judged.unwrap_or(Admit::Accept))
    }

    /// Whether memory alone did not say yes.
    pub(super) fn must_load_group(&self, event: &Event, viewer: &Viewer) -> bool {
        if PASSED.take() == Some(self.passed(event, viewer)) {
            return false;
        }
        let group_id = event.first_tag_value("h").unwrap_or_default();
        self.judge_from_memory(&group_id, viewer) != Some(Admit::Accept)
    }

    fn passed(&self, event: &Event, viewer: &Viewer) -> Passed {
        Passed {
            gateway: std::ptr::from_ref(self).addr(),
            session: viewer.session(),
            event: *event.id(),
        }
    }

    /// Judges a message of any group.
    pub(super) async fn check_unknown_group(
        &self,
        request: &AdmitRequest,
    ) -> Result<Admit, HookError> {
        let group_id = request.event.first_tag_value("h").unwrap_or_default();
        Ok(match self.know_group(&group_id).await {
            Ok(known) => self.judge(&group_id, known.glance(), &request.viewer),
            Err(Unreadable) => {
                watch::failed(Stage::Admit, Some(GROUP_MESSAGE));
                Reason::internal().into()
            }
        })
    }

    fn judge_from_memory(&self, group_id: &str, viewer: &Viewer) -> Option<Admit> {
        self.directory.look(group_id, |known| {
            known.map(|known| self.judge(group_id, known, viewer))
        })
    }

    fn judge(&self, group_id: &str, known: Glance<'_>, viewer: &Viewer) -> Admit {
        match known {
            Glance::Managed(members) => match self.settings.managed_group_publish {
                ManagedPublish::Any => Admit::Accept,
                ManagedPublish::Members if members.has_any(viewer.pubkeys()) => Admit::Accept,
                ManagedPublish::Members if viewer.is_authenticated() => {
                    Reason::restricted("only members of the group may publish into it").into()
                }
                ManagedPublish::Members => {
                    Reason::auth_required("log in as a member of the group (NIP-42)").into()
                }
            },
            Glance::Unmanaged if !self.may_begin(group_id) => {
                Reason::restricted("unknown group").into()
            }
            Glance::Unmanaged => match self.settings.unmanaged_groups {
                UnmanagedGroups::Authenticated if !viewer.is_authenticated() => {
                    Reason::auth_required("log in to publish into groups (NIP-42)").into()
                }
                _ => Admit::Accept,
            },
        }
    }

    /// Whether messages are taken for a group of this id before it has a roster. Where the id can be guessed, they are
    /// for nobody until then.
    fn may_begin(&self, group_id: &str) -> bool {
        self.settings.unmanaged_groups != UnmanagedGroups::Deny
            && (is_capability(group_id) || self.settings.allow_guessable_ids)
    }
}
