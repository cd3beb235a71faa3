//! What viewers may see of the events that a program guards, kept in memory so that `deliver` can ask.
//!
//! Invariant: without an answer that is about this very viewer and still good, nothing is shown. One view a connection,
//! gone when the connection is, and never more than `max_viewers`.

use crate::protocol::Shown;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use trellis_relay::event::Event;
use trellis_relay::extension::Viewer;
use trellis_relay::filter::Filter;

/// An answer is asked for anew once this part of its time is left.
const RENEWED_AT: u64 = 4;

pub(crate) struct Sight {
    views: RwLock<Views>,
    max_viewers: usize,
}

#[derive(Default)]
struct Views {
    /// By connection, of those that are open: an answer that comes too late is not kept.
    of: HashMap<u64, Option<View>>,
    /// How many there are.
    kept: usize,
}

/// What one viewer may see.
struct View {
    viewer: Arc<Viewer>,
    show: Option<Vec<Filter>>,
    ttl_s: u64,
    until_s: u64,
}

/// No room for one more viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Sight {
    pub(crate) fn new(max_viewers: usize) -> Self {
        Sight {
            views: RwLock::default(),
            max_viewers,
        }
    }

    /// A connection is open.
    pub(crate) fn connected(&self, session: u64) {
        self.write().of.entry(session).or_default();
    }

    /// A connection is gone.
    pub(crate) fn closed(&self, session: u64) {
        let mut views = self.write();
        if let Some(Some(_)) = views.of.remove(&session) {
            views.kept -= 1;
        }
    }

    /// Whether there is a good answer about this viewer, with the keys that it has now.
    pub(crate) fn knows(&self, viewer: &Viewer, now_s: u64) -> bool {
        let views = self.read();
        views
            .get(viewer)
            .is_some_and(|view| view.is_of(viewer, now_s))
    }

    /// Whether there is room for an answer about this viewer.
    pub(crate) fn room(&self, viewer: &Viewer) -> Result<(), Full> {
        self.read().room(viewer, self.max_viewers)
    }

    /// Keeps an answer, if the connection is there still.
    pub(crate) fn keep(&self, viewer: Arc<Viewer>, shown: Shown, now_s: u64) -> Result<(), Full> {
        let mut views = self.write();
        views.room(&viewer, self.max_viewers)?;
        let Some(view) = views.of.get_mut(&viewer.session()) else {
            return Ok(());
        };
        if is_superseded(view.as_ref(), &viewer) {
            return Ok(());
        }
        let is_first = view.is_none();
        *view = Some(View {
            show: shown.show,
            ttl_s: shown.ttl_s,
            until_s: now_s.saturating_add(shown.ttl_s),
            viewer,
        });
        views.kept += usize::from(is_first);
        Ok(())
    }

    /// Forgets what was answered about a viewer.
    pub(crate) fn forget(&self, viewer: &Viewer) {
        let mut views = self.write();
        let Some(view) = views.of.get_mut(&viewer.session()) else {
            return;
        };
        if !is_superseded(view.as_ref(), viewer) && view.take().is_some() {
            views.kept -= 1;
        }
    }

    /// Whether the viewer may see the event.
    pub(crate) fn shows(&self, event: &Event, viewer: &Viewer, now_s: u64) -> bool {
        if viewer.is_relay() {
            return true;
        }
        self.read().get(viewer).is_some_and(|view| {
            let fits = |show: &Vec<Filter>| show.iter().any(|filter| filter.matches(event));
            view.is_of(viewer, now_s) && view.show.as_ref().is_none_or(fits)
        })
    }

    /// Viewers whose answer will not be good for long.
    pub(crate) fn due(&self, now_s: u64) -> Vec<Arc<Viewer>> {
        let views = self.read();
        let due = views.of.values().flatten().filter(|view| {
            let lead_s = (view.ttl_s / RENEWED_AT).max(1);
            view.until_s <= now_s.saturating_add(lead_s)
        });
        due.map(|view| view.viewer.clone()).collect()
    }

    /// How many viewers it holds.
    pub(crate) fn len(&self) -> usize {
        self.read().kept
    }

    fn read(&self) -> RwLockReadGuard<'_, Views> {
        self.views.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Views> {
        self.views.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Views {
    fn get(&self, viewer: &Viewer) -> Option<&View> {
        self.of.get(&viewer.session())?.as_ref()
    }

    fn room(&self, viewer: &Viewer, max: usize) -> Result<(), Full> {
        match self.kept < max || self.get(viewer).is_some() {
            true => Ok(()),
            false => Err(Full),
        }
    }
}

/// Whether the answer about this viewer comes too late: it has authenticated with more keys since, and was asked about anew.
fn is_superseded(kept: Option<&View>, viewer: &Viewer) -> bool {
    kept.is_some_and(|kept| kept.viewer.pubkeys().len() > viewer.pubkeys().len())
}

impl View {
    fn is_of(&self, viewer: &Viewer, now_s: u64) -> bool {
        now_s < self.until_s && *self.viewer == *viewer
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use nostr::event::{EventBuilder, Kind};
    use nostr::key::Keys;
    use trellis_relay::filter::FilterLimits;
    use trellis_relay::testing::sign;

    fn viewer(session: u64) -> Viewer {
        Viewer::new(session, [192, 0, 2, 1].into())
    }

    fn shown(filter: &str, ttl_s: u64) -> Shown {
        let filter = Filter::parse(filter, &FilterLimits::default()).unwrap();
        let show = Some(vec![filter]);
        Shown { show, ttl_s }
    }

    #[test]
    fn e12_a_viewer_sees_what_was_answered_about_it_for_as_long_as_that_is_good() {
        let keys = Keys::generate();
        let event = sign(EventBuilder::new(Kind::from(445), "hello"), &keys);
        let (sight, alice) = (Sight::new(10), viewer(1));
        sight.connected(1);
        assert!(!sight.shows(&event, &alice, 0), "nobody was asked");
        let kinds = shown(r#"{"kinds":[445]}"#, 60);
        sight.keep(Arc::new(alice.clone()), kinds, 0).unwrap();
        assert!(sight.shows(&event, &alice, 59));
        assert!(!sight.shows(&event, &alice, 60), "its time is over");
        assert!(!sight.shows(&event, &viewer(2), 0), "another connection");
        let more = alice.with_pubkey(keys.public_key());
        assert!(
            !sight.shows(&event, &more, 0),
            "nobody was asked about the key"
        );
        let others = shown(r#"{"kinds":[446]}"#, 60);
        sight.keep(Arc::new(alice.clone()), others, 0).unwrap();
        assert!(!sight.shows(&event, &alice, 0));
        sight.forget(&alice);
        assert!(!sight.knows(&alice, 0));
        sight.closed(1);
        let late = shown("{}", 60);
        assert_eq!(sight.keep(Arc::new(alice.clone()), late, 0), Ok(()));
        assert!(!sight.knows(&alice, 0), "the connection is gone");
        assert_eq!(sight.len(), 0);
    }

    #[test]
    fn e12_a_late_answer_about_a_stranger_leaves_alone_who_has_authenticated() {
        let keys = Keys::generate();
        let event = sign(EventBuilder::new(Kind::from(445), "hello"), &keys);
        let (sight, stranger) = (Sight::new(10), viewer(1));
        let alice = stranger.with_pubkey(keys.public_key());
        sight.connected(1);
        let kinds = shown(r#"{"kinds":[445]}"#, 60);
        sight.keep(Arc::new(alice.clone()), kinds, 0).unwrap();
        let nothing = shown(r#"{"kinds":[446]}"#, 60);
        sight.keep(Arc::new(stranger.clone()), nothing, 0).unwrap();
        assert!(sight.shows(&event, &alice, 0));
        sight.forget(&stranger);
        assert!(sight.shows(&event, &alice, 0));
        sight.forget(&alice);
        assert!(!sight.shows(&event, &alice, 0));
    }

    #[test]
    fn e12_viewers_are_bounded_and_renewed_before_their_time_is_over() {
        let sight = Sight::new(1);
        sight.connected(1);
        sight.connected(2);
        let keep = |session| sight.keep(Arc::new(viewer(session)), shown("{}", 40), 0);
        assert_eq!((keep(1), keep(2), keep(1)), (Ok(()), Err(Full), Ok(())));
        assert_eq!(sight.len(), 1);
        assert!(sight.due(29).is_empty());
        assert_eq!(sight.due(30), [Arc::new(viewer(1))]);
        sight.closed(1);
        assert_eq!(keep(2), Ok(()));
    }
}
