//! Who may see what: a hook on every way out.
//!
//! Invariant: from memory alone. What a private group's members wrote goes to its members, and what is said of a hidden group
//! too; what is about a group that is gone goes to nobody. Of a group that memory does not know yet, its author alone receives
//! what is sent. Of other events than those of our groups nothing is asked.

use crate::Groups;
use crate::directory::Known;
use crate::kinds::{
    self, ADMINS, CREATE_INVITE, DELETE_GROUP, EDIT_METADATA, JOIN, LEAVE, METADATA, PUT_USER,
    REMOVE_USER, ROLES,
};
use crate::roles::Right;
use crate::tags;
use crate::watch;
use trellis_relay::extension::prelude::*;

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<Groups>) {
    hooks.deliver_many(Kinds::all(), |me, event, audience| {
        match kinds::is_said_by_relay(event.kind()) {
            true => me.hide_what_is_said(event, audience),
            false => me.hide_what_is_sent(event, audience),
        }
        Ok(())
    });
}

/// Who may see an event.
enum For {
    Everybody,
    Members,
    /// Members who have a right, and the author.
    Holders(Right),
    /// Members, and those whom it names.
    MembersAndNamed,
    /// Those who are members or were when the group went, the author and the operator's people.
    LastMembers,
    Nobody,
}

impl Groups {
    fn hide_what_is_said(&self, event: &Event, audience: &mut Audience<'_>) {
        // Nobody else's are taken, so this one came from before, or from an import without extensions.
        if *event.pubkey() != self.rules.relay {
            return audience.hide_from_all();
        }
        let id = event.tag_values(b'd').next().unwrap_or_default();
        self.hide_what_names_hidden(event, audience);
        let is_shown = self.directory.look(&id, |known| {
            let is_basic = [METADATA, ROLES].contains(&event.kind());
            let is_for_members = self.directory.is_hidden(&id, known)
                || (!is_basic && self.directory.is_private(&id, known));
            let whom = match (known.group.is_deleted, is_for_members) {
                (true, _) => For::Nobody,
                (false, true) => For::Members,
                (false, false) => For::Everybody,
            };
            self.show(event, &id, known, whom, audience);
        });
        if is_shown.is_none() {
            audience.hide_from_all();
        }
    }

    /// An event about one group may name another one, above or below, that was hidden since: who may not know of that one
    /// does not see it. What the relay says is said anew without the name.
    fn hide_what_names_hidden(&self, event: &Event, audience: &mut Audience<'_>) {
        if ![EDIT_METADATA, METADATA].contains(&event.kind()) {
            return;
        }
        let names_kin = |name: &str| ["parent", "child"].contains(&name);
        let kin = event.tags().filter(|tag| names_kin(&tag.name()));
        for id in kin.filter_map(|tag| tag.value()) {
            self.directory.look(&id, |known| {
                if self.directory.is_hidden(&id, known) {
                    self.show(event, &id, known, For::Members, audience);
                }
            });
        }
    }

    fn hide_what_is_sent(&self, event: &Event, audience: &mut Audience<'_>) {
        self.hide_what_names_hidden(event, audience);
        for id in tags::groups(event) {
            // Asked first: once memory has followed, nothing is awaited any more.
            let is_awaited = self.directory.is_awaited(&id);
            let is_known = self.directory.look(&id, |known| {
                let whom = self.whom_for(event, &id, known);
                self.show(event, &id, known, whom, audience);
            });
            // The end of a group outlives what memory has of it.
            if is_known.is_none() && (is_awaited || event.kind() == DELETE_GROUP) {
                self.hide_until_known(event, audience);
            }
        }
    }

    /// Of a group that was created a moment ago it is not known yet who may see what.
    fn hide_until_known(&self, event: &Event, audience: &mut Audience<'_>) {
        let may_see = |viewer: &Viewer| {
            viewer.is(event.pubkey()) || self.rules.admins.contains_any(viewer.pubkeys())
        };
        retain(audience, may_see);
    }

    fn whom_for(&self, event: &Event, id: &str, known: &Known) -> For {
        let is_about_group = kinds::is_moderation(event.kind());
        let is_for_members = self.directory.is_private(id, known)
            || (is_about_group && self.directory.is_hidden(id, known));
        match event.kind() {
            DELETE_GROUP => For::LastMembers,
            _ if known.group.is_deleted => For::Nobody,
            // A code is a secret, and who asks to join need not be known to everybody.
            CREATE_INVITE => For::Holders(Right::CreateInvite),
            JOIN | LEAVE => For::Holders(Right::PutUser),
            PUT_USER | REMOVE_USER if is_for_members => For::MembersAndNamed,
            _ if is_for_members => For::Members,
            _ => For::Everybody,
        }
    }

    fn show(&self, event: &Event, id: &str, known: &Known, whom: For, audience: &mut Audience<'_>) {
        let directory = &self.directory;
        let is_author = |viewer: &Viewer| viewer.is(event.pubkey());
        let may_see = |viewer: &Viewer| match &whom {
            For::Everybody => true,
            For::Members => directory.is_insider(id, known, viewer),
            For::Holders(right) => {
                is_author(viewer) || directory.has_right(id, known, viewer, *right)
            }
            For::MembersAndNamed => {
                directory.is_insider(id, known, viewer) || is_named(event, viewer)
            }
            For::LastMembers => {
                let keys = viewer.pubkeys();
                let was_member = keys.iter().any(|user| known.is_member(user));
                was_member || is_author(viewer) || self.rules.admins.contains_any(keys)
            }
            For::Nobody => false,
        };
        if matches!(whom, For::Everybody) {
            return;
        }
        retain(audience, may_see);
    }
}

fn retain(audience: &mut Audience<'_>, may_see: impl Fn(&Viewer) -> bool) {
    let mut hidden = 0;
    audience.retain(|viewer| {
        let may_see = may_see(viewer);
        hidden += u64::from(!may_see);
        may_see
    });
    if hidden > 0 {
        watch::hidden(hidden);
    }
}

fn is_named(event: &Event, viewer: &Viewer) -> bool {
    let is_viewer = |p: &str| PublicKey::from_hex(p).is_ok_and(|key| viewer.is(&key));
    viewer.is_authenticated() && event.tag_values(b'p').any(|p| is_viewer(&p))
}

/// Kinds by which the metadata of groups is asked for.
pub(crate) fn is_for_members_of_private(kind: u16) -> bool {
    kinds::is_said_by_relay(kind) && kind >= ADMINS && kind != ROLES
}
