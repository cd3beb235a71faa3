//! The live filters of one worker, indexed so that an event meets only those that may want it.
//!
//! Each filter stands in the index once for every value of its most selective list: ids, then authors, then the tag with
//! the fewest values, then kinds; a filter without any stands in `rest`. What the index finds is a candidate: the caller
//! still asks [`Filter::matches`], of that filter alone, since a subscription may have many and few of them are near.

use crate::event::{Event, EventId, PublicKey};
use crate::filter::Filter;
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

/// Names a subscription of this worker.
pub type SubKey = u32;

/// Names one of its filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterKey {
    /// The subscription.
    pub sub: SubKey,
    /// The filter's place among those of the subscription.
    pub place: u32,
}

type Keys = SmallVec<[FilterKey; 2]>;

/// An index of live filters.
#[derive(Debug, Default)]
pub struct Fanout {
    ids: HashMap<EventId, Keys>,
    authors: HashMap<PublicKey, Keys>,
    tags: HashMap<(u8, Box<str>), Keys>,
    kinds: HashMap<u16, Keys>,
    rest: HashSet<FilterKey>,
}

impl Fanout {
    /// Adds a filter. One that can match nothing is not kept.
    pub fn insert(&mut self, key: FilterKey, filter: &Filter) {
        if filter.is_empty() {
            return;
        }
        match Place::of(filter) {
            Place::Ids(ids) => ids.iter().for_each(|k| add(&mut self.ids, *k, key)),
            Place::Authors(keys) => keys.iter().for_each(|k| add(&mut self.authors, *k, key)),
            Place::Tag(letter, values) => values
                .iter()
                .for_each(|v| add(&mut self.tags, (letter, v.as_str().into()), key)),
            Place::Kinds(kinds) => kinds.iter().for_each(|k| add(&mut self.kinds, *k, key)),
            Place::Rest => drop(self.rest.insert(key)),
        }
    }

    /// Takes a filter out again; it must be the one that was added by this key.
    pub fn remove(&mut self, key: FilterKey, filter: &Filter) {
        if filter.is_empty() {
            return;
        }
        match Place::of(filter) {
            Place::Ids(ids) => ids.iter().for_each(|k| take(&mut self.ids, k, key)),
            Place::Authors(keys) => keys.iter().for_each(|k| take(&mut self.authors, k, key)),
            Place::Tag(letter, values) => values
                .iter()
                .for_each(|v| take(&mut self.tags, &(letter, v.as_str().into()), key)),
            Place::Kinds(kinds) => kinds.iter().for_each(|k| take(&mut self.kinds, k, key)),
            Place::Rest => drop(self.rest.remove(&key)),
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
        out.extend(&self.rest);
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
    if keys.last() != Some(&key) {
        keys.push(key);
    }
}

fn take<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Keys>, at: &K, key: FilterKey) {
    if let Some(keys) = map.get_mut(at) {
        keys.retain(|it| *it != key);
        if keys.is_empty() {
            map.remove(at);
        }
    }
}

#[cfg(test)]
mod tests;
