//! Roster events (450): applied to the database before the event is stored, by comparing and swapping.
//!
//! A crash in between leaves a roster that names the event, which is why the same event passes when it comes again. An event
//! that is refused in between changes nothing for long (`unstored`).

use super::failed;
use super::unstored::Change;
use crate::MlsGateway;
use crate::directory::Written;
use crate::roster::{self, Authority, Roster, RosterOp, RosterRefusal};
use crate::rules::roster_event;
use crate::shorten::Short;
use crate::storage::{PutRoster, StorageError};
use crate::watch;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::config::Mode;
use trellis_relay::extension::prelude::*;

/// Writers of other instances may be first so many times.
const TRIES_MAX: u32 = 32;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed<R> {
    /// The roster is as it was wanted.
    Done,
    /// It must not be changed like that.
    Refused(R),
    /// The group would grow beyond `max_group_members`.
    TooLarge,
    /// Others were always first.
    Busy,
}

impl MlsGateway {
    /// Applies a roster event.
    pub(super) async fn change_roster(&self, event: &Event) -> Result<Admit, HookError> {
        let asked = match roster_event::read(event) {
            Ok(asked) => asked,
            Err(reason) => return Ok(reason.into()),
        };
        if matches!(asked.change.op, RosterOp::Bootstrap(_))
            && let Err(reason) = self.check_new_groups()
        {
            return Ok(reason.into());
        }
        let authority = Authority {
            admins: &self.settings.admin_pubkeys,
            is_bootstrap_open: self.settings.allow_open_bootstrap,
        };
        let decide = |current: Option<&Roster>| match roster::apply(
            current,
            &asked.change,
            event.pubkey(),
            authority,
        ) {
            Ok(roster) => Ok(Some(roster)),
            Err(RosterRefusal::Applied) => Ok(None),
            Err(refusal) => Err(refusal),
        };
        Ok(
            match self.swap_roster(&asked.group_id, event.id(), decide).await {
                Ok(Changed::Done) => Admit::Accept,
                Ok(Changed::Refused(refusal)) => Reason::from(refusal).into(),
                Ok(Changed::TooLarge) => self.too_many_members().into(),
                Ok(Changed::Busy) => Reason::busy().into(),
                Err(error) => failed(event, &error),
            },
        )
    }

    /// Writes what `decide` makes of the roster that is there, however many others write at the same time; `Ok(None)` leaves
    /// it as it is. What is written is undone where the event that says so is not stored.
    pub(super) async fn swap_roster<R>(
        &self,
        group_id: &str,
        event: &EventId,
        decide: impl Fn(Option<&Roster>) -> Result<Option<Roster>, R>,
    ) -> Result<Changed<R>, StorageError> {
        let _turn = self.turns.of(group_id).lock().await;
        let is_followed = self.directory.has_begun();
        let id = [group_id.to_owned()];
        for attempt in 0..TRIES_MAX {
            let rosters = self.storage.rosters(&id).await?;
            let current = rosters.into_iter().next().map(|(_, current)| current);
            let roster = match decide(current.as_ref().map(|it| &it.roster)) {
                Ok(Some(roster)) => roster,
                Ok(None) => {
                    self.unstored.let_pass(event);
                    return Ok(Changed::Done);
                }
                Err(refusal) => return Ok(Changed::Refused(refusal)),
            };
            let members_before = current.as_ref().map_or(0, |it| it.roster.members.len());
            // One that is larger already may shrink.
            if roster.members.len() > self.settings.max_group_members.max(members_before) {
                return Ok(Changed::TooLarge);
            }
            let now_s = self.host.clock().now_s();
            let replaces = current.as_ref().map(|it| it.revision);
            let put = self.storage.put_roster(group_id, &roster, replaces, now_s);
            match put.await? {
                PutRoster::Written(revision) => {
                    watch::membership_updated();
                    let (group, members) = (Short::group(group_id), roster.members.len());
                    tracing::info!(%group, revision, members, "a roster was written");
                    let written = Written {
                        before: current.as_ref().map(|it| &it.roster),
                        after: Arc::new(roster),
                        revision,
                        is_followed,
                    };
                    self.roster_written(group_id, written);
                    if let Some(before) = current {
                        let change = Change {
                            group_id: group_id.to_owned(),
                            before: before.roster,
                            revision,
                            at: self.host.clock().monotonic(),
                        };
                        self.unstored.expect(*event, change);
                    }
                    return Ok(Changed::Done);
                }
                PutRoster::Conflict => {
                    tokio::time::sleep(Duration::from_millis(attempt.min(10).into())).await;
                }
            }
        }
        Ok(Changed::Busy)
    }

    pub(super) fn too_many_members(&self) -> Reason {
        let max = self.settings.max_group_members;
        Reason::invalid(format!("a group has at most {max} members here"))
    }

    /// Whether the operator lets groups be founded at the moment.
    pub(super) fn check_new_groups(&self) -> Result<(), Reason> {
        let modes = [Mode::NoNewGroups, Mode::Maintenance];
        self.host.refuse_during(&modes)
    }

    /// Nobody takes a roster event back; the operator may, and time does.
    pub(super) fn guard_roster(&self, event: &Event, cause: Cause) -> Result<Removal, HookError> {
        let age_s = self.host.clock().now_s().saturating_sub(event.created_at());
        Ok(match cause {
            // To vanish is everybody's right (NIP-62); the roster itself is in the database.
            Cause::Admin | Cause::Vanish => Removal::Allow,
            _ if age_s > self.settings.roster_policy_ttl_s => Removal::Allow,
            _ => Removal::Keep,
        })
    }
}

/// Who changes a roster, or a mailbox, first changes it before all that want to meanwhile; they share some few turns.
#[derive(Debug, Default)]
pub(crate) struct Turns([tokio::sync::Mutex<()>; 16]);

impl Turns {
    pub(crate) fn of(&self, name: &str) -> &tokio::sync::Mutex<()> {
        let place = name.bytes().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        &self.0[place % self.0.len()]
    }
}
