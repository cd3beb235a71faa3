//! Who may publish what: hooks on every event of the gateway's kinds, the cheap ones first.
//!
//! Invariant: what needs the database for an answer gets one or is refused with `error:`; a group message of a group in
//! memory needs none. Not here: the form of events (`rules`).

mod groups;
mod invitations;
mod limits;
mod packages;
mod rosters;
mod seen;
mod senders;
mod unstored;

pub(crate) use limits::Limits;
pub(crate) use rosters::Turns;
pub(crate) use seen::Told;
pub(crate) use unstored::Unstored;

use crate::MlsGateway;
use crate::config::Settings;
use crate::kinds::{self, GIFT_WRAP, GROUP_MESSAGE, KEY_PACKAGE, KEY_PACKAGE_REQUEST, ROSTER};
use crate::rules;
use crate::shorten::Short;
use crate::watch::{self, Stage};
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// How long an event may wait for the database.
const PATIENCE: Duration = Duration::from_secs(5);
/// What messages tell of their groups waits so long for what others tell, unless somebody asks for groups meanwhile
/// ([`Host::catch_up`]): of all messages of a group in that time the database hears once.
const SEEN_GATHER: Duration = Duration::from_secs(5);

/// Registers the hooks.
pub(crate) fn register(settings: &Settings, hooks: &mut Registrar<MlsGateway>) {
    hooks
        .phase(Phase::Auth)
        .admit(&settings.require_auth_publish, MlsGateway::check_login)
        .phase(Phase::Validate)
        .admit(kinds::all_but_messages(), MlsGateway::check_form)
        .phase(Phase::Limit)
        // Form, rate and group together: these are the most frequent events, and each call of a hook costs.
        .admit(GROUP_MESSAGE, MlsGateway::check_message)
        .admit(kinds::all_but_messages(), MlsGateway::check_rate)
        .phase(Phase::Policy)
        .admit(KEY_PACKAGE_REQUEST, MlsGateway::check_requester)
        .admit_async_if(
            GROUP_MESSAGE,
            PATIENCE,
            MlsGateway::must_load_group,
            async |me: Arc<MlsGateway>, request| me.check_unknown_group(&request).await,
        )
        .admit_async(ROSTER, PATIENCE, async |me: Arc<MlsGateway>, request| {
            me.change_roster(&request.event).await
        })
        .admit_async_if(
            GIFT_WRAP,
            PATIENCE,
            MlsGateway::may_invite,
            async |me: Arc<MlsGateway>, request| me.invite(&request).await,
        )
        .admit_async(
            KEY_PACKAGE,
            PATIENCE,
            async |me: Arc<MlsGateway>, request| me.take_into_stock(&request.event).await,
        )
        .commit([ROSTER, GIFT_WRAP], |me, event, _transaction| {
            Ok(me.check_undone(event))
        })
        .guard_removal(ROSTER, MlsGateway::guard_roster)
        .gather(SEEN_GATHER)
        .stored(
            GROUP_MESSAGE,
            StartAt::Beginning,
            async |me: Arc<MlsGateway>, page| me.note_messages(&page).await,
        );
}

impl MlsGateway {
    fn check_login(&self, _event: &Event, viewer: &Viewer) -> Result<Admit, HookError> {
        Ok(match viewer.is_authenticated() {
            true => Admit::Accept,
            false => Reason::auth_required("log in to publish this (NIP-42)").into(),
        })
    }

    fn check_form(&self, event: &Event, _viewer: &Viewer) -> Result<Admit, HookError> {
        let now_s = self.host.clock().now_s();
        if let Err(reason) = rules::check(event, &self.settings, now_s) {
            return Ok(reason.into());
        }
        self.processed.count(event.kind());
        Ok(Admit::Accept)
    }

    fn check_rate(&self, event: &Event, viewer: &Viewer) -> Result<Admit, HookError> {
        match viewer.is_relay() {
            true => Ok(Admit::Accept),
            false => Ok(self.limits.take(event, viewer).err().into()),
        }
    }

    fn check_requester(&self, event: &Event, viewer: &Viewer) -> Result<Admit, HookError> {
        let author = event.pubkey();
        let settings = &self.settings;
        let may_ask = viewer.is_relay()
            || settings.system_pubkey.as_ref() == Some(author)
            || settings.admin_pubkeys.contains(author);
        Ok(match may_ask {
            true => Admit::Accept,
            false => {
                Reason::restricted("only this relay and its admins ask for KeyPackages").into()
            }
        })
    }
}

/// For an event that cannot be judged because the database does not answer.
fn failed(event: &Event, error: &dyn std::error::Error) -> Admit {
    let (kind, id) = (event.kind(), Short::event(event.id()));
    tracing::warn!(kind, %id, %error, "an event could not be judged");
    watch::failed(Stage::Admit, Some(kind));
    Reason::internal().into()
}
