//! The live filters of one worker, indexed so that an event meets only those that may want it.
//!
//! Each filter stands in the index once for every value of its most selective list: ids, then authors, then the tag with
//! the fewest values, then kinds; a filter without any stands in `rest`. What the index finds is a candidate: the caller
//! still asks [`FilterKey::matches`], of that filter alone, since a subscription may have many and few of them are near.
//!
//! Invariant: a subscription stands once under a value, however many of its filters name it, so that nobody makes lists longer
//! for others.

use crate::event::{Event, EventId, PublicKey};
use crate::filter::Filter;
use hashbrown::HashMap;
use smallvec::SmallVec;

/// Names a subscription of this worker.
pub type SubKey = u32;

/// Names one of its filters, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterKey {
    /// The subscription.
    pub sub: SubKey,
    /// The filter's place among those of the subscription, or [`FilterKey::EVERY`].
    pub place: u32,
}

impl FilterKey {
    /// Several filters, and any of them may be meant.
    pub const EVERY: u32 = u32::MAX;

    /// Those of a subscription's filters that it names.
    pub fn among<F>(self, filters: &[F]) -> &[F] {
        match self.place {
            Self::EVERY => filters,
            place => filters
                .get(place as usize)
                .map_or(&[], std::slice::from_ref),
        }
    }

    /// Whether an event, for which the index gave this key, matches one of those filters. A tag by which it was found is not
    /// looked at again: looks into long lists of many filters are what the processor's caches have no room for.
    pub fn matches(self, filter: &Filter, event: &Event) -> bool {
        let is_found = self.place != Self::EVERY && filter.tags.len() == 1;
        match Place::of(filter) {
            Place::Tag(..) if is_found => {
                filter.matches_fields(event.id(), event.pubkey(), event.kind(), event.created_at())
            }
            _ => filter.matches(event),
        }
    }
}

type Keys = SmallVec<[FilterKey; 2]>;

/// An index of live filters.
#[derive(Debug, Default)]
pub struct Fanout {
    ids: HashMap<EventId, Keys>,
    authors: HashMap<PublicKey, Keys>,
    tags: HashMap<(u8, Box<str>), Keys>,
    kinds: HashMap<u16, Keys>,
    /// Places by subscription.
    rest: HashMap<SubKey, u32>,
}

impl Fanout {
    /// Adds the filters of a subscription, which has none here yet. Those that can match nothing are not kept.
    pub fn insert<'f>(&mut self, sub: SubKey, filters: impl IntoIterator<Item = &'f Filter>) {
        for (filter, place) in filters.into_iter().zip(0..) {
            let key = FilterKey { sub, place };
            if filter.is_empty() {
                continue;
            }
            match Place::of(filter) {
                Place::Ids(ids) => ids.iter().for_each(|k| add(&mut self.ids, *k, key)),
                Place::Authors(keys) => keys.iter().for_each(|k| add(&mut self.authors, *k, key)),
                Place::Tag(letter, values) => values
                    .iter()
                    .for_each(|v| add(&mut self.tags, (letter, v.as_str().into()), key)),
                Place::Kinds(kinds) => kinds.iter().for_each(|k| add(&mut self.kinds, *k, key)),
                Place::Rest => {
                    let place = self.rest.entry(sub);
                    let place = place.and_modify(|it| *it = FilterKey::EVERY);
                    place.or_insert(key.place);
                }
            }
        }
    }

    /// Takes a subscription out again; the filters must be those that were added.
    pub fn remove<'f>(&mut self, sub: SubKey, filters: impl IntoIterator<Item = &'f Filter>) {
        for filter in filters {
            if filter.is_empty() {
                continue;
            }
            match Place::of(filter) {
                Place::Ids(ids) => ids.iter().for_each(|k| take(&mut self.ids, k, sub)),
                Place::Authors(keys) => keys.iter().for_each(|k| take(&mut self.authors, k, sub)),
                Place::Tag(letter, values) => values
                    .iter()
                    .for_each(|v| take(&mut self.tags, &(letter, v.as_str().into()), sub)),
                Place::Kinds(kinds) => kinds.iter().for_each(|k| take(&mut self.kinds, k, sub)),
                Place::Rest => drop(self.rest.remove(&sub)),
            }
        }
    }

    /// Filters that may match, each once, in rising order: those of a subscription stand together.
    pub fn candidates(&self, event: &Event, out: &mut Vec<FilterKey>) {
        out.clear();
        let mut take = |keys: Option<&Keys>| {
            if let Some(keys) = keys {
                out.extend_from_slice(keys);
            }
        };
        take(self.ids.get(event.id()));
        take(self.authors.get(event.pubkey()));
        take(self.kinds.get(&event.kind()));
        if !self.tags.is_empty() {
            for tag in event.tags() {
                let (Some(letter), Some(value)) = (tag.letter(), tag.value()) else {
                    continue;
                };
                take(self.tags.get(&TagKey(letter, &value)));
            }
        }
        let rest = self.rest.iter();
        out.extend(rest.map(|(sub, place)| FilterKey {
            sub: *sub,
            place: *place,
        }));
        out.sort_unstable();
        out.dedup();
    }

    /// How many places the index holds, for tests of leaks and for metrics.
    pub fn places(&self) -> usize {
        fn sum<K>(map: &HashMap<K, Keys>) -> usize {
            map.values().map(|keys| keys.len()).sum()
        }
        sum(&self.ids) + sum(&self.authors) + sum(&self.tags) + sum(&self.kinds) + self.rest.len()
    }
}

enum Place<'f> {
    Ids(&'f [EventId]),
    Authors(&'f [PublicKey]),
    Tag(u8, &'f [String]),
    Kinds(&'f [u16]),
    Rest,
}

impl<'f> Place<'f> {
    fn of(filter: &'f Filter) -> Self {
        if let Some(ids) = &filter.ids {
            return Place::Ids(ids);
        }
        if let Some(authors) = &filter.authors {
            return Place::Authors(authors);
        }
        if let Some((letter, values)) = filter.tags.iter().min_by_key(|(_, v)| v.len()) {
            return Place::Tag(*letter, values);
        }
        match &filter.kinds {
            Some(kinds) => Place::Kinds(kinds),
            None => Place::Rest,
        }
    }
}

/// Looks a tag up without an owned key.
#[derive(Hash)]
struct TagKey<'a>(u8, &'a str);

impl hashbrown::Equivalent<(u8, Box<str>)> for TagKey<'_> {
    fn equivalent(&self, key: &(u8, Box<str>)) -> bool {
        self.0 == key.0 && *self.1 == *key.1
    }
}

fn add<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Keys>, at: K, key: FilterKey) {
    let keys = map.entry(at).or_default();
    match keys.last_mut() {
        // The filters of a subscription come one after the other.
        Some(last) if last.sub == key.sub => {
            if last.place != key.place {
                last.place = FilterKey::EVERY;
            }
        }
        _ => keys.push(key),
    }
}

fn take<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Keys>, at: &K, sub: SubKey) {
    if let Some(keys) = map.get_mut(at) {
        keys.retain(|key| key.sub != sub);
        if keys.is_empty() {
            map.remove(at);
        }
    }
}

#[cfg(test)]
mod tests;
