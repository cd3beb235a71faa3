//! A span of time, both ends included, that is reconciled at once.

use crate::filter::Filter;

/// Seconds since 1970, from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) since: u64,
    pub(super) until: u64,
}

/// No event is later.
const END: u64 = (1 << 40) - 1;

impl Window {
    /// All times that a filter asks for.
    pub(super) fn of(filter: &Filter) -> Self {
        Window {
            since: filter.since.unwrap_or(0),
            until: filter.until.unwrap_or(END).min(END),
        }
    }

    /// The filter for these times alone. Ends that say nothing are left out.
    pub(super) fn narrow(&self, filter: &Filter) -> Filter {
        Filter {
            since: (self.since > 0).then_some(self.since),
            until: (self.until < END).then_some(self.until),
            ..filter.clone()
        }
    }

    /// Two windows, the second from `at` on or from as near as leaves both something; none where there is one second.
    pub(super) fn split(&self, at: u64) -> Option<(Window, Window)> {
        if self.since >= self.until {
            return None;
        }
        let at = at.clamp(self.since + 1, self.until);
        let older = Window {
            until: at - 1,
            ..*self
        };
        Some((older, Window { since: at, ..*self }))
    }

    /// The time in its middle.
    pub(super) fn middle(&self) -> u64 {
        self.since + (self.until - self.since) / 2 + 1
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn c21_windows_are_split_without_gap_down_to_a_second() {
        let whole = Window::of(&Filter::default());
        for at in [0, 1, 500, END, u64::MAX] {
            let (older, newer) = whole.split(at).unwrap();
            assert_eq!((older.since, newer.until), (whole.since, whole.until));
            assert_eq!(older.until + 1, newer.since);
        }
        let (mut one, mut splits) = (whole, 0);
        while let Some((older, _)) = one.split(one.middle()) {
            one = older;
            splits += 1;
        }
        assert_eq!((one.since, one.until, splits), (0, 0, 40));
        assert_eq!(whole.narrow(&Filter::default()), Filter::default());
    }
}
