//! A set of kinds: which a hook wants, which a filter may not ask for, which a rule of the config is about.
//!
//! Invariant: ranges are sorted, disjoint, not adjacent and not empty, so equal sets are equal values.

mod notation;

use std::fmt;
use std::ops::{Range, RangeInclusive};

/// A set of kinds: one, a range, a list, or from config numbers and half-open ranges, `[1, [440, 451]]`.
///
/// ```
/// use trellis_relay::kinds::Kinds;
/// assert!(Kinds::from(443..=450).contains(445));
/// assert!(Kinds::from([1, 7]).contains(7));
/// assert_eq!(Kinds::from(1) | Kinds::from(2..4), Kinds::from(1..=3));
/// assert!((!Kinds::from(1)).contains(0));
/// let from_config: Kinds = serde_json::from_str("[1, [440, 451]]")?;
/// assert_eq!(from_config.to_string(), "1, 440-450");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kinds {
    /// First and last kind of each range.
    ranges: Vec<(u16, u16)>,
}

impl Kinds {
    /// Every kind.
    pub fn all() -> Self {
        Kinds {
            ranges: vec![(0, u16::MAX)],
        }
    }

    /// No kind.
    pub const fn none() -> Self {
        Kinds { ranges: Vec::new() }
    }

    /// Whether the kind is in the set.
    pub fn contains(&self, kind: u16) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= kind);
        after > 0 && kind <= self.ranges[after - 1].1
    }

    /// Whether no kind is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether a filter with these `kinds` (`None` asks for all) may ask for a kind of this set.
    pub fn overlaps(&self, kinds: Option<&[u16]>) -> bool {
        match kinds {
            None => !self.is_empty(),
            Some(kinds) => kinds.iter().any(|&kind| self.contains(kind)),
        }
    }

    /// How many kinds are in the set.
    pub fn len(&self) -> usize {
        self.ranges
            .iter()
            .map(|&(first, last)| usize::from(last - first) + 1)
            .sum()
    }

    /// The kinds in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.ranges.iter().flat_map(|&(first, last)| first..=last)
    }

    /// First and last kind of each range, ascending.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.ranges
    }

    fn from_ranges(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        let mut tidy: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match tidy.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => tidy.push((first, last)),
            }
        }
        Kinds { ranges: tidy }
    }
}

impl From<u16> for Kinds {
    fn from(kind: u16) -> Self {
        Self::from(kind..=kind)
    }
}

impl From<RangeInclusive<u16>> for Kinds {
    fn from(range: RangeInclusive<u16>) -> Self {
        Self::from_ranges(vec![(*range.start(), *range.end())])
    }
}

impl From<Range<u16>> for Kinds {
    fn from(range: Range<u16>) -> Self {
        match range.end.checked_sub(1) {
            Some(last) => Self::from(range.start..=last),
            None => Self::none(),
        }
    }
}

impl<const N: usize> From<[u16; N]> for Kinds {
    fn from(kinds: [u16; N]) -> Self {
        kinds.into_iter().collect()
    }
}

impl From<&[u16]> for Kinds {
    fn from(kinds: &[u16]) -> Self {
        kinds.iter().copied().collect()
    }
}

impl From<&Kinds> for Kinds {
    fn from(kinds: &Kinds) -> Self {
        kinds.clone()
    }
}

impl FromIterator<u16> for Kinds {
    fn from_iter<I: IntoIterator<Item = u16>>(kinds: I) -> Self {
        Self::from_ranges(kinds.into_iter().map(|kind| (kind, kind)).collect())
    }
}

impl std::ops::BitOr for Kinds {
    type Output = Kinds;

    fn bitor(mut self, other: Kinds) -> Kinds {
        self.ranges.extend(other.ranges);
        Self::from_ranges(self.ranges)
    }
}

impl std::ops::Not for Kinds {
    type Output = Kinds;

    fn not(self) -> Kinds {
        let mut gaps = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = Some(0u16);
        for (first, last) in self.ranges {
            if let (Some(from), Some(to)) = (next, first.checked_sub(1)) {
                gaps.push((from, to));
            }
            next = last.checked_add(1);
        }
        gaps.extend(next.map(|from| (from, u16::MAX)));
        Self::from_ranges(gaps)
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        if self.ranges == [(0, u16::MAX)] {
            return f.write_str("all");
        }
        for (i, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
