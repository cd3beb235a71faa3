//! What a viewer may hope for from a filter, kind by kind.

use crate::MlsGateway;
use crate::config::UnmanagedGroups;
use crate::directory::Known;
use crate::kinds::{ADDRESSABLE_KEY_PACKAGE, GROUP_MESSAGE, KEY_PACKAGE, ROSTER};
use crate::rules::{is_capability, is_group_id};
use trellis_relay::extension::prelude::*;

/// What may come of asking for a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// Some events, perhaps.
    Some,
    /// Messages of groups with a roster alone, since the filter names no group.
    ManagedOnly,
    /// None for sure.
    Denied(Denial),
}

/// Why there is nothing; the greatest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Denial {
    /// It is for others.
    Restricted,
    /// It may be for somebody who has not logged in.
    AuthRequired,
    /// It cannot be found out for whom it is.
    Unreadable,
}

impl From<Denial> for Reason {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Restricted => Reason::restricted("this is for members and recipients only"),
            Denial::AuthRequired => Reason::auth_required(
                "log in to read this (NIP-42); it is for members and recipients only",
            ),
            Denial::Unreadable => Reason::internal(),
        }
    }
}

impl MlsGateway {
    /// What a viewer may hope for of a gated kind.
    pub(super) fn right(&self, kind: u16, viewer: &Viewer, filter: &Filter) -> Right {
        let named = filter.tags.get(&b'h');
        if kind == GROUP_MESSAGE
            && let Some(named) = named
            && self.may_read_unmanaged(viewer, named)
        {
            let is_unknown = |it: &String| is_group_id(it) && self.directory.get(it).is_none();
            return match named.iter().any(is_unknown) {
                true => Right::Denied(Denial::Unreadable),
                false => Right::Some,
            };
        }
        if !viewer.is_authenticated() {
            return Right::Denied(Denial::AuthRequired);
        }
        match kind {
            KEY_PACKAGE | ADDRESSABLE_KEY_PACKAGE => Right::Some,
            GROUP_MESSAGE | ROSTER => match self.belongs(viewer, named) {
                Ok(true) if named.is_none() && kind == GROUP_MESSAGE => Right::ManagedOnly,
                Ok(true) => Right::Some,
                Ok(false) => Right::Denied(Denial::Restricted),
                Err(denial) => Right::Denied(denial),
            },
            _ if self.may_be_party(viewer, filter) => Right::Some,
            _ => Right::Denied(Denial::Restricted),
        }
    }

    /// Whether one of the groups that are named could be one without a roster that the viewer may read.
    fn may_read_unmanaged(&self, viewer: &Viewer, named: &[String]) -> bool {
        let may = match self.settings.unmanaged_groups {
            UnmanagedGroups::HCapability => true,
            UnmanagedGroups::Authenticated => viewer.is_authenticated(),
            UnmanagedGroups::Deny => false,
        };
        // Whether a group has a roster is not told to who knows its id.
        may && named.iter().any(|group_id| is_capability(group_id))
    }

    /// Whether the viewer is a member of one of the groups that are named, or of any at all.
    fn belongs(&self, viewer: &Viewer, named: Option<&Vec<String>>) -> Result<bool, Denial> {
        let pubkeys = viewer.pubkeys();
        let Some(named) = named else {
            if !self.directory.lists_groups() {
                return Ok(false);
            }
            let groups = pubkeys.iter().map(|key| self.directory.groups_of(key));
            let groups: Option<Vec<_>> = groups.collect();
            let groups = groups.ok_or(Denial::Unreadable)?;
            return Ok(groups.iter().any(|groups| !groups.is_empty()));
        };
        let mut is_readable = true;
        for group_id in named {
            match self.directory.get(group_id) {
                Some(Known::Managed(roster)) if roster.has_any(pubkeys) => return Ok(true),
                Some(_) => {}
                None => is_readable &= !is_group_id(group_id),
            }
        }
        is_readable.then_some(false).ok_or(Denial::Unreadable)
    }

    /// Whether events for or by the viewer can fit the filter.
    fn may_be_party(&self, viewer: &Viewer, filter: &Filter) -> bool {
        let is_own = |p: &String| PublicKey::from_hex(p).is_ok_and(|key| viewer.is(&key));
        let for_viewer = filter
            .tags
            .get(&b'p')
            .is_none_or(|named| named.iter().any(is_own));
        let is_author = || match &filter.authors {
            Some(authors) => authors.iter().any(|author| viewer.is(author)),
            None => true,
        };
        for_viewer || (self.settings.author_can_read_own && is_author())
    }
}
