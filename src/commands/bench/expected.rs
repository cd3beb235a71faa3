//! What a relay should answer, and what is wrong with what it did.
//!
//! All questions are answered in one walk over the events, newest first: each event looks up the filters that name its id,
//! author, a tag or kind, as live delivery does.

use super::questions::Ask;
use super::records::{Record, Records, tag_hash};
use std::collections::{HashMap, HashSet};

/// The events for one filter, newest first; behind those within the limit also those as old as the last of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Hits {
    limit: usize,
    events: Vec<(u64, [u8; 32])>,
}

impl Hits {
    fn within_limit(&self) -> &[(u64, [u8; 32])] {
        &self.events[..self.limit.min(self.events.len())]
    }

    /// Those that have to be there whatever the order of equally old ones.
    fn certain(&self) -> &[(u64, [u8; 32])] {
        let Some(&(last, _)) = self.events.get(self.limit) else {
            return &self.events;
        };
        let end = self
            .events
            .partition_point(|(created_at, _)| *created_at > last);
        &self.events[..end]
    }

    fn is_complete(&self, created_at: u64) -> bool {
        let last = self
            .limit
            .checked_sub(1)
            .and_then(|last| self.events.get(last));
        last.is_some_and(|(oldest, _)| created_at < *oldest)
    }
}

/// What is to come for each filter.
pub(super) fn expect(records: &Records, asks: &[&Ask]) -> Vec<Hits> {
    let mut open = Open::new(records, asks);
    let mut candidates = Vec::new();
    for record in &records.newest_first {
        open.candidates(records, record, &mut candidates);
        for &ask in &candidates {
            open.offer(records, record, ask);
        }
    }
    open.hits
}

/// Filters that still take events.
struct Open {
    asks: Vec<Terms>,
    hits: Vec<Hits>,
    ids: HashMap<[u8; 32], Vec<usize>>,
    authors: HashMap<u32, Vec<usize>>,
    tags: HashMap<u64, Vec<usize>>,
    kinds: HashMap<u16, Vec<usize>>,
}

/// A filter in the terms of records.
struct Terms {
    authors: HashSet<u32>,
    names_authors: bool,
    kinds: Vec<u16>,
    tags: HashSet<u64>,
    since: u64,
    until: u64,
}

impl Open {
    fn new(records: &Records, asks: &[&Ask]) -> Self {
        let mut open = Open {
            asks: Vec::with_capacity(asks.len()),
            hits: Vec::with_capacity(asks.len()),
            ids: HashMap::new(),
            authors: HashMap::new(),
            tags: HashMap::new(),
            kinds: HashMap::new(),
        };
        for (at, ask) in asks.iter().enumerate() {
            let terms = Terms {
                authors: ask
                    .authors
                    .iter()
                    .filter_map(|key| records.author(key))
                    .collect(),
                names_authors: !ask.authors.is_empty(),
                kinds: ask.kinds.clone(),
                tags: ask
                    .tags
                    .iter()
                    .map(|(letter, value)| tag_hash(*letter, value))
                    .collect(),
                since: ask.since.unwrap_or(0),
                until: ask.until.unwrap_or(u64::MAX),
            };
            if !ask.ids.is_empty() {
                ask.ids
                    .iter()
                    .for_each(|id| open.ids.entry(*id).or_default().push(at));
            } else if terms.names_authors {
                terms
                    .authors
                    .iter()
                    .for_each(|author| open.authors.entry(*author).or_default().push(at));
            } else if !terms.tags.is_empty() {
                terms
                    .tags
                    .iter()
                    .for_each(|tag| open.tags.entry(*tag).or_default().push(at));
            } else {
                terms
                    .kinds
                    .iter()
                    .for_each(|kind| open.kinds.entry(*kind).or_default().push(at));
            }
            open.asks.push(terms);
            open.hits.push(Hits {
                limit: ask.limit,
                events: Vec::new(),
            });
        }
        open
    }

    fn candidates(&mut self, records: &Records, record: &Record, out: &mut Vec<usize>) {
        out.clear();
        let hits = &self.hits;
        let mut take = |asks: Option<&mut Vec<usize>>| {
            if let Some(asks) = asks {
                asks.retain(|ask| !hits[*ask].is_complete(record.created_at));
                out.extend_from_slice(asks);
            }
        };
        take(self.ids.get_mut(&record.id));
        take(self.authors.get_mut(&record.author));
        take(self.kinds.get_mut(&record.kind));
        for tag in records.tags(record) {
            take(self.tags.get_mut(tag));
        }
        out.sort_unstable();
        out.dedup();
    }

    fn offer(&mut self, records: &Records, record: &Record, ask: usize) {
        let terms = &self.asks[ask];
        let fits = (!terms.names_authors || terms.authors.contains(&record.author))
            && (terms.kinds.is_empty() || terms.kinds.contains(&record.kind))
            && (terms.since..=terms.until).contains(&record.created_at)
            && (terms.tags.is_empty()
                || records
                    .tags(record)
                    .iter()
                    .any(|tag| terms.tags.contains(tag)));
        if fits {
            self.hits[ask].events.push((record.created_at, record.id));
        }
    }
}

/// How answers are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    /// Whether equally old events may come in any order, and any of them within a limit.
    pub(super) ties_in_any_order: bool,
}

impl Judge {
    /// What is wrong with the ids that came, if anything. Those of several filters may come in any order: NIP-01 has none.
    pub(super) fn mistake(self, hits: &[Hits], came: &[[u8; 32]]) -> Option<String> {
        if let [only] = hits {
            let expected = only.within_limit().iter().map(|(_, id)| id);
            if expected.eq(came) {
                return None;
            }
        }
        let came_set: HashSet<&[u8; 32]> = came.iter().collect();
        let certain = hits.iter().flat_map(|hits| match self.ties_in_any_order {
            true => hits.certain(),
            false => hits.within_limit(),
        });
        let possible = hits.iter().flat_map(|hits| match self.ties_in_any_order {
            true => &hits.events,
            false => hits.within_limit(),
        });
        let certain: HashSet<&[u8; 32]> = certain.map(|(_, id)| id).collect();
        let possible: HashMap<&[u8; 32], u64> =
            possible.map(|(created_at, id)| (id, *created_at)).collect();

        let mut mistakes = Vec::new();
        let missing: Vec<_> = certain.difference(&came_set).collect();
        if let Some(first) = missing.first() {
            mistakes.push(format!(
                "{} missing, as {}",
                missing.len(),
                const_hex::encode(first)
            ));
        }
        let extra: Vec<_> = came_set
            .iter()
            .filter(|id| !possible.contains_key(**id))
            .collect();
        if let Some(first) = extra.first() {
            mistakes.push(format!(
                "{} that should not come, as {}",
                extra.len(),
                const_hex::encode(first)
            ));
        }
        if came_set.len() < came.len() {
            mistakes.push(format!("{} twice", came.len() - came_set.len()));
        }
        if let ([only], true) = (hits, mistakes.is_empty()) {
            mistakes.extend(self.wrong_order(only, &possible, came));
        }
        let expected = certain.len();
        (!mistakes.is_empty()).then(|| format!("of {expected} events {}", mistakes.join(", ")))
    }

    fn wrong_order(
        self,
        hits: &Hits,
        possible: &HashMap<&[u8; 32], u64>,
        came: &[[u8; 32]],
    ) -> Option<String> {
        let expected = hits.within_limit();
        if came.len() != expected.len() {
            return Some(format!("{} came", came.len()));
        }
        let at = came
            .iter()
            .zip(expected)
            .position(
                |(id, (created_at, expected))| match self.ties_in_any_order {
                    true => possible.get(id) != Some(created_at),
                    false => id != expected,
                },
            )?;
        Some(format!(
            "in the wrong order from number {} on, {}",
            at + 1,
            const_hex::encode(came[at])
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(limit: usize, events: &[(u64, u8)]) -> Hits {
        Hits {
            limit,
            events: events.iter().map(|(at, id)| (*at, [*id; 32])).collect(),
        }
    }

    fn mistake(ties_in_any_order: bool, hits: &[Hits], came: &[u8]) -> String {
        let came: Vec<[u8; 32]> = came.iter().map(|id| [*id; 32]).collect();
        let judge = Judge { ties_in_any_order };
        judge.mistake(hits, &came).unwrap_or_default()
    }

    #[test]
    fn v1_every_sort_of_mistake_is_named() {
        let expected = [hits(3, &[(9, 1), (8, 2), (8, 3), (8, 4)])];
        assert_eq!(mistake(false, &expected, &[1, 2, 3]), "");
        for (came, words) in [
            (&[1, 2][..], "1 missing"),
            (&[1, 2, 4][..], "1 missing"),
            (&[1, 2, 3, 9][..], "1 that should not come"),
            (&[1, 2, 3, 3][..], "1 twice"),
            (&[1, 3, 2][..], "wrong order from number 2"),
        ] {
            let said = mistake(false, &expected, came);
            assert!(said.contains(words), "{came:?}: {said}");
        }
    }

    #[test]
    fn v1_ties_may_be_left_open() {
        let expected = [hits(3, &[(9, 1), (8, 2), (8, 3), (8, 4)])];
        for came in [[1, 2, 3], [1, 4, 2], [1, 3, 4]] {
            assert_eq!(mistake(true, &expected, &came), "", "{came:?}");
        }
        for came in [
            &[2, 1, 3][..],
            &[2, 3, 4][..],
            &[1, 2][..],
            &[1, 2, 3, 4][..],
            &[1, 2, 2][..],
            &[1, 2, 9][..],
        ] {
            assert_ne!(mistake(true, &expected, came), "", "{came:?}");
        }
    }

    #[test]
    fn v1_filters_together_give_an_event_once_in_any_order() {
        let expected = [
            hits(2, &[(9, 1), (8, 2)]),
            hits(2, &[(9, 1), (7, 3), (6, 4)]),
        ];
        assert_eq!(mistake(false, &expected, &[3, 2, 1]), "");
        assert!(mistake(false, &expected, &[1, 1, 2, 3]).contains("twice"));
        assert!(mistake(false, &expected, &[1, 2]).contains("missing"));
        assert!(mistake(false, &expected, &[1, 2, 3, 4]).contains("should not come"));
    }
}
