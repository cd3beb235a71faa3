//! What a client asks for (NIP-01), read strictly and matched exactly.
//!
//! An absent list asks for everything, an empty one for nothing. `limit` belongs to the query, not to the match.

use crate::event::{Event, EventId, PublicKey, Tags};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

mod parse;

pub use parse::{FilterError, FilterLimits};

/// One filter of a REQ or COUNT. Lists are sorted and free of repetitions.
///
/// ```
/// use trellis_relay::filter::{Filter, FilterLimits};
/// let filter = Filter::parse(r##"{"kinds":[1],"#t":["cats"],"limit":10}"##, &FilterLimits::default())?;
/// assert_eq!(filter.kinds.as_deref(), Some(&[1u16][..]));
/// assert_eq!(filter.limit, Some(10));
/// # Ok::<(), trellis_relay::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these ids.
    pub ids: Option<Vec<EventId>>,
    /// Only these authors.
    pub authors: Option<Vec<PublicKey>>,
    /// Only these kinds.
    pub kinds: Option<Vec<u16>>,
    /// For each letter, an event needs a tag with one of the values.
    pub tags: BTreeMap<u8, Vec<String>>,
    /// Only events at or after these seconds.
    pub since: Option<u64>,
    /// Only events at or before these seconds.
    pub until: Option<u64>,
    /// At most so many stored events.
    pub limit: Option<usize>,
    /// NIP-50 words; refused unless search is switched on.
    pub search: Option<String>,
}

impl Filter {
    /// Reads a filter's JSON.
    pub fn parse(json: &str, limits: &FilterLimits) -> Result<Filter, FilterError> {
        parse::parse(json, limits)
    }

    /// Reads a filter from a slice of a larger message.
    pub fn parse_raw(raw: &RawValue, limits: &FilterLimits) -> Result<Filter, FilterError> {
        parse::parse(raw.get(), limits)
    }

    /// Whether the event fits in everything but `limit` and `search`.
    pub fn matches(&self, event: &Event) -> bool {
        self.matches_fields(event.id(), event.pubkey(), event.kind(), event.created_at())
            && self.matches_tags(event)
    }

    /// The part of [`Filter::matches`] that needs no tags.
    pub fn matches_fields(
        &self,
        id: &EventId,
        author: &PublicKey,
        kind: u16,
        created_at: u64,
    ) -> bool {
        within(&self.ids, id)
            && within(&self.authors, author)
            && within(&self.kinds, &kind)
            && self.since.is_none_or(|since| created_at >= since)
            && self.until.is_none_or(|until| created_at <= until)
    }

    /// The part of [`Filter::matches`] that reads tags.
    pub fn matches_tags(&self, event: &Event) -> bool {
        self.accepts(&event.tags())
    }

    /// Whether these are tags of an event that matches.
    pub(crate) fn accepts(&self, tags: &Tags<'_>) -> bool {
        self.tags.iter().all(|(letter, wanted)| {
            tags.clone()
                .values(*letter)
                .any(|value| contains_text(wanted, &value))
        })
    }

    /// Whether no event can match: an empty list, or `since` after `until`.
    pub fn is_empty(&self) -> bool {
        self.ids.as_ref().is_some_and(Vec::is_empty)
            || self.authors.as_ref().is_some_and(Vec::is_empty)
            || self.kinds.as_ref().is_some_and(Vec::is_empty)
            || self.tags.values().any(Vec::is_empty)
            || matches!((self.since, self.until), (Some(since), Some(until)) if since > until)
    }

    /// How many values its lists have together: about how many places of an index it asks for.
    pub fn value_count(&self) -> usize {
        let keys =
            self.ids.as_ref().map_or(0, Vec::len) + self.authors.as_ref().map_or(0, Vec::len);
        let kinds = self.kinds.as_ref().map_or(0, Vec::len);
        keys + kinds + self.tags.values().map(Vec::len).sum::<usize>()
    }

    /// About how much memory the filter's lists take.
    pub fn weight_bytes(&self) -> usize {
        const STRING_BYTES: usize = 40;
        let keys =
            self.ids.as_ref().map_or(0, Vec::len) + self.authors.as_ref().map_or(0, Vec::len);
        let kinds = self.kinds.as_ref().map_or(0, Vec::len);
        let values = self.tags.values().flatten();
        let tags: usize = values.map(|value| value.len() + STRING_BYTES).sum();
        size_of::<Filter>() + keys * 32 + kinds * 2 + tags
    }

    /// Sorts and deduplicates the lists; matching relies on it. Needed after building a filter by hand.
    pub fn normalize(&mut self) {
        fn tidy<T: Ord>(list: &mut Vec<T>) {
            list.sort_unstable();
            list.dedup();
        }
        self.ids.iter_mut().for_each(tidy);
        self.authors.iter_mut().for_each(tidy);
        self.kinds.iter_mut().for_each(tidy);
        self.tags.values_mut().for_each(tidy);
    }
}

fn within<T: Ord>(list: &Option<Vec<T>>, item: &T) -> bool {
    list.as_ref()
        .is_none_or(|list| list.binary_search(item).is_ok())
}

fn contains_text(sorted: &[String], text: &str) -> bool {
    sorted
        .binary_search_by(|wanted| wanted.as_str().cmp(text))
        .is_ok()
}
