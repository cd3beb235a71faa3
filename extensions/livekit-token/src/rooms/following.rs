//! The hook by which changes of the store reach the rooms.
//!
//! It only says what to look at; the task in `upkeep` looks. So a page that comes twice does no harm, and one that was missed
//! is made up for when everything is read anew.

use super::Rooms;
use super::space::{SPACE, Space};
use crate::LivekitToken;
use crate::communities::{DEFINITION, LIST};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

/// Kind of a request to vanish (NIP-62): what it is about is not shown from then on, and removed later.
const VANISH: u16 = 62;

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<LivekitToken>) {
    let kinds = [VANISH, DEFINITION, LIST, SPACE]
        .into_iter()
        .collect::<Kinds>();
    hooks.stored(
        kinds,
        StartAt::Now,
        async |me: Arc<LivekitToken>, page: Arc<[Change]>| {
            for change in page.iter() {
                me.rooms.note(change);
            }
            Ok(())
        },
    );
}

impl Rooms {
    fn note(&self, change: &Change) {
        if !self.settings.communities {
            return;
        }
        match change {
            Change::Stored(stored) => self.note_stored(&stored.event),
            Change::Removed {
                kind: SPACE, id, ..
            } => self.marks.rooms(self.registry.of_event(id)),
            Change::Removed { kind, pubkey, .. } => self.note_community(*kind, pubkey),
            Change::Gap { .. } => {
                self.communities.forget_all();
                self.marks.everything();
            }
        }
    }

    fn note_stored(&self, event: &Event) {
        match event.kind() {
            SPACE => {
                let space = Space::of(event);
                let space = space.filter(|space| self.is_asked_by(space));
                self.marks.rooms(space.map(|space| space.name()));
            }
            VANISH => {
                self.communities.forget(event.pubkey());
                self.marks.rooms(self.registry.of(event.pubkey()));
            }
            kind => self.note_community(kind, event.pubkey()),
        }
    }

    /// Lists are many, and most are nobody's members.
    fn note_community(&self, kind: u16, community: &PublicKey) {
        let is_known = self.communities.forget(community);
        if kind == DEFINITION || (kind == LIST && (is_known || self.registry.mentions(community))) {
            self.marks.community(*community);
        }
    }
}
