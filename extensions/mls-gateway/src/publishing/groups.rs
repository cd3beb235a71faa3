//! Who may publish into a group: its members, where it has a roster; who knows its id, where it has none.

use crate::MlsGateway;
use crate::config::{ManagedPublish, UnmanagedGroups};
use crate::directory::{Known, Unreadable};
use crate::kinds::GROUP_MESSAGE;
use crate::rules::is_capability;
use crate::watch::{self, Stage};
use trellis_relay::extension::prelude::*;

impl MlsGateway {
    /// Judges a message of a group in memory.
    pub(super) fn check_group(&self, event: &Event, viewer: &Viewer) -> Result<Admit, HookError> {
        // What is not in memory is judged by `check_unknown_group`.
        let judged = self.judge_from_memory(event, viewer);
        Ok(judged.unwrap_or(Admit::Accept))
    }

    /// Whether memory alone did not say yes.
    pub(super) fn must_load_group(&self, event: &Event, viewer: &Viewer) -> bool {
        self.judge_from_memory(event, viewer) != Some(Admit::Accept)
    }

    /// Judges a message of any group.
    pub(super) async fn check_unknown_group(
        &self,
        request: &AdmitRequest,
    ) -> Result<Admit, HookError> {
        let group_id = request.event.first_tag_value("h").unwrap_or_default();
        Ok(match self.know_group(&group_id).await {
            Ok(known) => self.judge(&group_id, &known, &request.viewer),
            Err(Unreadable) => {
                watch::failed(Stage::Admit, Some(GROUP_MESSAGE));
                Reason::internal().into()
            }
        })
    }

    fn judge_from_memory(&self, event: &Event, viewer: &Viewer) -> Option<Admit> {
        let group_id = event.first_tag_value("h")?;
        let known = self.directory.get(&group_id)?;
        Some(self.judge(&group_id, &known, viewer))
    }

    fn judge(&self, group_id: &str, known: &Known, viewer: &Viewer) -> Admit {
        match known {
            Known::Managed(roster) => match self.settings.managed_group_publish {
                ManagedPublish::Any => Admit::Accept,
                ManagedPublish::Members if roster.has_any(viewer.pubkeys()) => Admit::Accept,
                ManagedPublish::Members if viewer.is_authenticated() => {
                    Reason::restricted("only members of the group may publish into it").into()
                }
                ManagedPublish::Members => {
                    Reason::auth_required("log in as a member of the group (NIP-42)").into()
                }
            },
            Known::Unmanaged if !self.may_begin(group_id) => {
                Reason::restricted("unknown group").into()
            }
            Known::Unmanaged => match self.settings.unmanaged_groups {
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
