//! A filter that can only shrink: an extension cannot widen what the client asked for.

mod event_test;

use super::failure::HookError;
use super::hook::Hook;
use crate::event::{Event, PublicKey};
use crate::filter::Filter;
use crate::kinds::Kinds;
use event_test::EventTest;
use std::fmt;
use std::sync::Arc;

/// What is left of a client's filter after the `request` hooks.
///
/// A filter without `kinds` asks for all 65,536 of them; those that hooks took away from it stand in `excluded`, which is
/// empty otherwise. Stores scan by `filter`; whoever counts, sends or matches asks [`Narrowed::admits`] on top.
///
/// Equality is of everything but what tests of hooks say: closures cannot be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// To scan by. Its lists stay sorted.
    pub filter: Filter,
    /// Kinds that must not come out although `filter` matches them.
    pub excluded: Kinds,
    /// What hooks ask of single events.
    tests: Vec<Arc<EventTest>>,
}

impl Narrowed {
    /// The client's filter, not narrowed yet.
    pub fn new(filter: Filter) -> Self {
        Narrowed {
            filter,
            excluded: Kinds::none(),
            tests: Vec::new(),
        }
    }

    /// Whether the event fits the filter and may come out through it.
    pub fn matches(&self, event: &Event) -> bool {
        self.admits_kind(event.kind()) && self.filter.matches(event) && self.passes_tests(event)
    }

    /// Whether an event that came out of a scan by `filter` is of no excluded kind and passes what hooks ask of it.
    pub fn admits(&self, event: &Event) -> bool {
        self.admits_kind(event.kind()) && self.passes_tests(event)
    }

    /// Kinds of which nothing can be said before the event is read.
    pub fn tested_kinds(&self) -> Kinds {
        let kinds = self.tests.iter().map(|test| test.kinds.clone());
        kinds.fold(Kinds::none(), |all, kinds| all | kinds)
    }

    /// Whether the other lets out whatever this one does, but for what tests of hooks say of kinds that are tested by both.
    pub fn is_within(&self, other: &Narrowed) -> bool {
        let kinds_are_within = match (&self.filter.kinds, &other.filter.kinds) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(others)) => own.iter().all(|kind| others.binary_search(kind).is_ok()),
        };
        let may_come = |kind: &u16| {
            let listed = self.filter.kinds.as_ref();
            self.admits_kind(*kind) && listed.is_none_or(|own| own.binary_search(kind).is_ok())
        };
        let (own_tests, other_tests) = (self.tested_kinds(), other.tested_kinds());
        let mut like_other = self.filter.clone();
        like_other.kinds.clone_from(&other.filter.kinds);
        kinds_are_within
            && like_other == other.filter
            && other.excluded.iter().all(|kind| !may_come(&kind))
            && other_tests
                .iter()
                .all(|kind| own_tests.contains(kind) || !may_come(&kind))
    }

    fn passes_tests(&self, event: &Event) -> bool {
        self.tests.iter().all(|test| test.passes(event))
    }

    /// Whether the kind is not excluded.
    pub fn admits_kind(&self, kind: u16) -> bool {
        self.excluded.is_empty() || !self.excluded.contains(kind)
    }

    /// Whether no event can match.
    pub fn is_empty(&self) -> bool {
        self.filter.is_empty() || self.excluded == Kinds::all()
    }

    fn exclude(&mut self, kinds: &Kinds) {
        match &mut self.filter.kinds {
            Some(asked) => asked.retain(|&kind| !kinds.contains(kind)),
            None => self.excluded = std::mem::take(&mut self.excluded) | kinds.clone(),
        }
    }

    fn list_kinds(&mut self, listed: Vec<u16>) {
        let excluded = std::mem::take(&mut self.excluded);
        self.filter.kinds = Some(listed);
        self.exclude(&excluded);
    }
}

/// Up to so many kinds are listed in a filter that had no list; more are expressed as the exclusion of the others.
const LISTED_KINDS_MAX: usize = 256;

/// A hook's hands on a filter: every method leaves at most what was there before.
///
/// ```
/// use trellis_relay::extension::{Kinds, Narrow, Narrowed};
/// use trellis_relay::filter::Filter;
/// let mut narrowed = Narrowed::new(Filter { kinds: Some(vec![1, 445]), ..Filter::default() });
/// Narrow::new(&mut narrowed).drop_kinds(&Kinds::from(445));
/// assert_eq!(narrowed.filter.kinds, Some(vec![1]));
/// ```
pub struct Narrow<'f> {
    narrowed: &'f mut Narrowed,
    request_id: u64,
    /// Whose hands these are.
    hook: Option<&'f Arc<Hook>>,
    /// What a hook wanted to keep was too much, so nothing was kept.
    is_overfull: bool,
}

/// A hook may leave so many authors, or values of one tag, of a filter that named none.
pub(super) const KEPT_VALUES_MAX: usize = 100_000;
/// Hooks may put so many tests on a filter.
pub(super) const TESTS_MAX: usize = 100;

impl<'f> Narrow<'f> {
    /// Lends out a filter to be narrowed.
    pub fn new(narrowed: &'f mut Narrowed) -> Self {
        Narrow {
            narrowed,
            request_id: 0,
            hook: None,
            is_overfull: false,
        }
    }

    /// Lends it to a hook.
    pub(super) fn by(hook: &'f Arc<Hook>, request_id: u64, narrowed: &'f mut Narrowed) -> Self {
        Narrow {
            request_id,
            hook: Some(hook),
            ..Narrow::new(narrowed)
        }
    }

    /// Whether the hook has kept within bounds.
    pub(super) fn finish(&self) -> Result<(), HookError> {
        match self.is_overfull {
            true => Err(HookError(format!(
                "it narrowed a filter to more than {KEPT_VALUES_MAX} values, or with more than {TESTS_MAX} tests"
            ))),
            false => Ok(()),
        }
    }

    /// The number of this look at this filter: what `request_async` found for the same one is known by it
    /// ([`AccessRequest::request_id`](super::AccessRequest::request_id)). A later look has another. 0 where nobody asked
    /// before, as in a test of one hook.
    pub fn request_id(&self) -> u64 {
        self.request_id
    }

    /// The filter as earlier hooks have left it.
    pub fn filter(&self) -> &Filter {
        &self.narrowed.filter
    }

    /// Whether every event that the filter asks for is of one of these kinds. A filter without `kinds` is not.
    pub fn asks_only_for(&self, kinds: &Kinds) -> bool {
        let asked = self.filter().kinds.as_ref();
        asked.is_some_and(|asked| asked.iter().all(|&kind| kinds.contains(kind)))
    }

    /// Takes kinds away.
    pub fn drop_kinds(&mut self, kinds: &Kinds) -> &mut Self {
        self.narrowed.exclude(kinds);
        self
    }

    /// Leaves these kinds at most.
    pub fn retain_kinds(&mut self, kinds: &Kinds) -> &mut Self {
        let is_short = kinds.len() <= LISTED_KINDS_MAX;
        match self.narrowed.filter.kinds {
            None if is_short => self.narrowed.list_kinds(kinds.iter().collect()),
            _ => self.narrowed.exclude(&!kinds.clone()),
        }
        self
    }

    /// Leaves events of these authors at most. More than 100,000 of them, where the client named none, leave nothing and
    /// are a fault of the hook: check single events in `deliver` instead.
    pub fn retain_authors(&mut self, authors: impl IntoIterator<Item = PublicKey>) -> &mut Self {
        self.is_overfull |= !shrink(&mut self.narrowed.filter.authors, authors);
        self
    }

    /// Leaves events with a tag of this letter and one of these values. Where the client named values for the letter
    /// already, those in both lists remain; otherwise at most 100,000 may be kept, as with authors.
    pub fn retain_tag<V: Into<String>>(
        &mut self,
        letter: u8,
        values: impl IntoIterator<Item = V>,
    ) -> &mut Self {
        let tags = &mut self.narrowed.filter.tags;
        let mut list = tags.remove(&letter);
        self.is_overfull |= !shrink(&mut list, values.into_iter().map(Into::into));
        tags.insert(letter, list.unwrap_or_default());
        self
    }

    /// Leaves events at or after these seconds.
    pub fn since(&mut self, seconds: u64) -> &mut Self {
        let since = &mut self.narrowed.filter.since;
        *since = Some(since.map_or(seconds, |asked| asked.max(seconds)));
        self
    }

    /// Leaves events at or before these seconds.
    pub fn until(&mut self, seconds: u64) -> &mut Self {
        let until = &mut self.narrowed.filter.until;
        *until = Some(until.map_or(seconds, |asked| asked.min(seconds)));
        self
    }

    /// Leaves at most so many stored events.
    pub fn limit(&mut self, events: usize) -> &mut Self {
        let limit = &mut self.narrowed.filter.limit;
        *limit = Some(limit.map_or(events, |asked| asked.min(events)));
        self
    }

    /// Leaves events of these kinds only where the test is true, whichever way they would come out through this filter:
    /// stored, live, counted, reconciled, named by id. Other filters, of the same subscription too, have their own tests;
    /// where there are several on one, all must be true. From memory only, since it is asked about every such event; where
    /// it panics, the event is hidden. More than 100 on a filter leave nothing and are a fault of the hook.
    ///
    /// It sees what `deliver` does not, the filter: an event may be for whoever can name it.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.request(445, |_me, _viewer, _verb, filter| {
    ///         let named = filter.filter().tags.get(&b'h').cloned().unwrap_or_default();
    ///         filter.retain_events(&445.into(), move |event| {
    ///             event.first_tag_value("h").is_some_and(|group| named.iter().any(|name| *name == group))
    ///         });
    ///         Ok(Access::Allow)
    ///     });
    /// }
    /// ```
    pub fn retain_events(
        &mut self,
        kinds: &Kinds,
        test: impl Fn(&Event) -> bool + Send + Sync + 'static,
    ) -> &mut Self {
        if self.narrowed.tests.len() >= TESTS_MAX {
            self.is_overfull = true;
            return self.nothing();
        }
        let test = EventTest::new(kinds.clone(), self.hook.cloned(), Box::new(test));
        self.narrowed.tests.push(Arc::new(test));
        self
    }

    /// Leaves nothing. The subscription stays open, and is narrowed anew when its client authenticates.
    pub fn nothing(&mut self) -> &mut Self {
        self.narrowed.list_kinds(Vec::new());
        self
    }
}

impl fmt::Debug for Narrow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Narrow").field(&self.narrowed).finish()
    }
}

/// Intersects a filter's sorted list, where an absent one stands for everything. Says false, and leaves nothing, where
/// that would make a list of too many.
fn shrink<T: Ord>(list: &mut Option<Vec<T>>, keep: impl IntoIterator<Item = T>) -> bool {
    let keep = keep.into_iter();
    let mut kept: Vec<T> = match list {
        Some(asked) => {
            let mut is_kept = vec![false; asked.len()];
            for place in keep.filter_map(|item| asked.binary_search(&item).ok()) {
                is_kept[place] = true;
            }
            let mut is_kept = is_kept.into_iter();
            asked.retain(|_| is_kept.next() == Some(true));
            return true;
        }
        None => keep.take(KEPT_VALUES_MAX + 1).collect(),
    };
    let fits = kept.len() <= KEPT_VALUES_MAX;
    kept.truncate(if fits { kept.len() } else { 0 });
    kept.sort_unstable();
    kept.dedup();
    *list = Some(kept);
    fits
}

#[cfg(test)]
mod tests;
