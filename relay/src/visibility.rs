//! Who may see an event: the one function that every exit calls (stored REQ, live, COUNT, export for a user).
//!
//! Invariant: an event leaves the relay only after [`Visibility::show`] said yes for that viewer, and what is not known
//! is hidden.

use crate::event::Event;
use crate::extension::{Hooks, Viewer};
use crate::kinds::Kinds;

/// The rules in force at one moment.
#[derive(Debug)]
pub struct Visibility<'a> {
    /// The extensions' `deliver` hooks.
    pub hooks: &'a Hooks,
    /// Kinds that only an authenticated recipient may read (`[protection]`).
    pub protected: &'a Kinds,
    /// Seconds since 1970.
    pub now: u64,
}

impl Visibility<'_> {
    /// For one event and many viewers: sets `show[i]` to false where viewer `i` may not see it.
    pub fn show(
        &self,
        event: &Event,
        expires_at: Option<u64>,
        viewers: &[&Viewer],
        show: &mut [bool],
    ) {
        match self.same_for_all(event, expires_at) {
            Some(true) => return,
            Some(false) => return show.fill(false),
            None => {}
        }
        if self.protected.contains(event.kind()) {
            for (viewer, show) in viewers.iter().zip(show.iter_mut()) {
                *show &= is_recipient(event, viewer);
            }
        }
        self.hooks.plan(event.kind()).visible(event, viewers, show);
    }

    /// Whether the event is shown, where that does not depend on who looks.
    pub fn same_for_all(&self, event: &Event, expires_at: Option<u64>) -> Option<bool> {
        self.same_for_all_of(event.kind(), expires_at)
    }

    /// As [`Visibility::same_for_all`], for an event of which the header alone was read.
    pub fn same_for_all_of(&self, kind: u16, expires_at: Option<u64>) -> Option<bool> {
        // NIP-40: gone at the second of its expiration.
        if expires_at.is_some_and(|at| at <= self.now) {
            return Some(false);
        }
        let depends = self.protected.contains(kind) || self.hooks.plan(kind).has_deliver();
        (!depends).then_some(true)
    }

    /// The kinds of which nothing can be said before the event is read, but that it has expired.
    pub fn guarded_kinds(&self) -> Kinds {
        self.protected.clone() | self.hooks.delivered_kinds()
    }

    /// For one viewer.
    pub fn shows(&self, event: &Event, expires_at: Option<u64>, viewer: &Viewer) -> bool {
        let mut show = [true];
        self.show(event, expires_at, &[viewer], &mut show);
        show[0]
    }
}

/// Whether one of the viewer's authenticated keys is `p`-tagged.
fn is_recipient(event: &Event, viewer: &Viewer) -> bool {
    viewer.is_authenticated()
        && event.tag_values(b'p').any(|value| {
            crate::event::lowercase_hex(&value)
                .is_some_and(|bytes| viewer.is(&crate::event::PublicKey::from_byte_array(bytes)))
        })
}
