//! The live filters of one worker, indexed so that an event meets only those that may want it.
//!
//! Each filter stands in the index once for every value of its most selective list: ids, then authors, then the tag with
//! the fewest values, then kinds; a filter without any stands in `rest`. What the index finds is a candidate: the caller
//! still asks [`Filter::matches`].

use crate::event::{Event, EventId, PublicKey};
use crate::filter::Filter;
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

/// Names a subscription of this worker.
pub type SubKey = u32;

type Subs = SmallVec<[SubKey; 2]>;

/// An index of live filters.
#[derive(Debug, Default)]
pub struct Fanout {
    ids: HashMap<EventId, Subs>,
    authors: HashMap<PublicKey, Subs>,
    tags: HashMap<(u8, Box<str>), Subs>,
    kinds: HashMap<u16, Subs>,
    rest: HashSet<SubKey>,
}

impl Fanout {
    /// Adds a subscription's filter. A filter that can match nothing is not kept.
    pub fn insert(&mut self, sub: SubKey, filter: &Filter) {
        if filter.is_empty() {
            return;
        }
        match Place::of(filter) {
            Place::Ids(ids) => ids.iter().for_each(|k| add(&mut self.ids, *k, sub)),
            Place::Authors(keys) => keys.iter().for_each(|k| add(&mut self.authors, *k, sub)),
            Place::Tag(letter, values) => values
                .iter()
                .for_each(|v| add(&mut self.tags, (letter, v.as_str().into()), sub)),
            Place::Kinds(kinds) => kinds.iter().for_each(|k| add(&mut self.kinds, *k, sub)),
            Place::Rest => drop(self.rest.insert(sub)),
        }
    }

    /// Takes a subscription's filter out again; it must be the one that was added.
    pub fn remove(&mut self, sub: SubKey, filter: &Filter) {
        if filter.is_empty() {
            return;
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

    /// Subscriptions with a filter that may match, each once, in rising order.
    pub fn candidates(&self, event: &Event, out: &mut Vec<SubKey>) {
        out.clear();
        let mut take = |subs: Option<&Subs>| {
            if let Some(subs) = subs {
                out.extend_from_slice(subs);
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
        fn sum<K>(map: &HashMap<K, Subs>) -> usize {
            map.values().map(|subs| subs.len()).sum()
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

fn add<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Subs>, key: K, sub: SubKey) {
    let subs = map.entry(key).or_default();
    if subs.last() != Some(&sub) {
        subs.push(sub);
    }
}

fn take<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Subs>, key: &K, sub: SubKey) {
    if let Some(subs) = map.get_mut(key) {
        subs.retain(|s| *s != sub);
        if subs.is_empty() {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
