//! Who may see what: a hook on every way out.
//!
//! Invariant: from memory alone, and what memory does not know is for nobody. An event of a group goes to its members; one
//! for a recipient to that recipient; a KeyPackage to whoever has logged in, if that is asked for. Not here: that a message
//! of a group without a roster comes out only through a filter that names the group (`asking`), which this hook cannot see.

use crate::MlsGateway;
use crate::config::{Settings, UnmanagedGroups, Visibility};
use crate::directory::Glance;
use crate::kinds::{
    ADDRESSABLE_KEY_PACKAGE, GIFT_WRAP, GROUP_MESSAGE, KEY_PACKAGE, KEY_PACKAGE_REQUEST,
    NOISE_MESSAGE, ROSTER,
};
use crate::rules::{is_capability, key_package, package_request};
use crate::watch::{self, Stage, WayOut};
use trellis_relay::extension::prelude::*;

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<MlsGateway>) {
    let kinds = [
        KEY_PACKAGE,
        ADDRESSABLE_KEY_PACKAGE,
        GROUP_MESSAGE,
        NOISE_MESSAGE,
        KEY_PACKAGE_REQUEST,
        ROSTER,
        GIFT_WRAP,
    ];
    hooks.deliver_many(kinds, |me, event, audience| {
        me.hide(event, audience);
        Ok(())
    });
}

/// Kinds that some may not see.
pub(crate) fn gated_kinds(settings: &Settings) -> Kinds {
    let [package, addressable] = settings.keypackage_visibility;
    let always = [
        GROUP_MESSAGE,
        NOISE_MESSAGE,
        KEY_PACKAGE_REQUEST,
        ROSTER,
        GIFT_WRAP,
    ];
    let is_gated = |visibility| visibility == Visibility::Authenticated;
    let package = is_gated(package).then_some(KEY_PACKAGE);
    let addressable = is_gated(addressable).then_some(ADDRESSABLE_KEY_PACKAGE);
    always
        .into_iter()
        .chain(package)
        .chain(addressable)
        .collect()
}

impl MlsGateway {
    fn hide(&self, event: &Event, audience: &mut Audience<'_>) {
        let mut has_hidden = false;
        let mut retain = |may_see: &dyn Fn(&Viewer) -> bool| {
            audience.retain(|viewer| {
                let may_see = may_see(viewer);
                has_hidden |= !may_see;
                may_see
            });
        };
        match event.kind() {
            _ if self.has_ended(event) => retain(&|_| false),
            KEY_PACKAGE => retain(&|viewer| self.may_see_package(0, viewer)),
            ADDRESSABLE_KEY_PACKAGE => retain(&|viewer| self.may_see_package(1, viewer)),
            GROUP_MESSAGE | ROSTER => {
                let mut named = event.tag_values(b'h');
                let group_id = named.next().unwrap_or_default();
                // One of several groups was never taken from a client, and would come out through the name of either.
                if named.next().is_some() {
                    return audience.hide_from_all();
                }
                let is_message = event.kind() == GROUP_MESSAGE;
                let is_known = self.directory.look(&group_id, |known| {
                    match known {
                        Some(Glance::Managed(members)) => {
                            retain(&|viewer| members.has_any(viewer.pubkeys()));
                        }
                        Some(Glance::Unmanaged) if is_message && self.is_open(&group_id) => {
                            let needs_login =
                                self.settings.unmanaged_groups == UnmanagedGroups::Authenticated;
                            retain(&|viewer| !needs_login || viewer.is_authenticated());
                        }
                        Some(Glance::Unmanaged) | None => retain(&|_| false),
                    }
                    known.is_some()
                });
                if !is_known && !self.directory.is_readable() {
                    watch::failed(Stage::Deliver, Some(event.kind()));
                }
            }
            _ => retain(&|viewer| self.is_party(event, viewer)),
        }
        if has_hidden {
            watch::denied(event.kind(), WayOut::Deliver);
        }
    }

    /// Whether a group of this id is for whoever names it while it has no roster: to know the id has to be a right.
    pub(crate) fn is_open(&self, group_id: &str) -> bool {
        self.settings.unmanaged_groups != UnmanagedGroups::Deny && is_capability(group_id)
    }

    /// Whether an event is over by its own words, which are not those of NIP-40.
    fn has_ended(&self, event: &Event) -> bool {
        let ends_at_s = match event.kind() {
            KEY_PACKAGE | ADDRESSABLE_KEY_PACKAGE => {
                key_package::expires_at_s(event, &self.settings)
            }
            KEY_PACKAGE_REQUEST => package_request::expires_at_s(event, &self.settings).map(Some),
            _ => return false,
        };
        let now_s = self.host.clock().now_s();
        // One whose end cannot be read was never taken from a client.
        ends_at_s.map_or(true, |at_s| at_s.is_some_and(|at_s| at_s <= now_s))
    }

    fn may_see_package(&self, place: usize, viewer: &Viewer) -> bool {
        self.settings.keypackage_visibility[place] == Visibility::Public
            || viewer.is_authenticated()
    }

    /// Whether the event is for one of the viewer's keys, or by one where that is a right.
    fn is_party(&self, event: &Event, viewer: &Viewer) -> bool {
        if !viewer.is_authenticated() {
            return false;
        }
        let is_recipient = |p: &str| PublicKey::from_hex(p).is_ok_and(|key| viewer.is(&key));
        event.tag_values(b'p').any(|p| is_recipient(&p))
            || (self.settings.author_can_read_own && viewer.is(event.pubkey()))
    }
}
