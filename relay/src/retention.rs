//! What the rules of retention give up: each rule walks through an index, a page at a time.
//!
//! Invariant: a page looks at a bounded number of entries, and a walk goes forward only, so that what a guard of removal
//! keeps is asked for once a walk. Not here: when to walk and who removes (`sweeper`).

use crate::config::{KeptPer, RetentionRule};
use crate::event::{EventId, PublicKey};
use crate::filter::Filter;
use crate::store::{Budget, Order, Position, PositionPage, Scan, Store, StoreError};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What one page may look at.
const ENTRIES: usize = 20_000;
const TIME: Duration = Duration::from_millis(5);
/// Authors that are listed at once.
const AUTHORS: usize = 256;

/// One rule on its way through the store.
#[derive(Clone, Debug)]
pub struct Walk {
    kinds: Option<Vec<u16>>,
    authors: Option<Vec<PublicKey>>,
    max_age_s: Option<u64>,
    max_count: Option<u64>,
    per: KeptPer,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Removes from the oldest on what is too old.
    Age(Option<Position>),
    /// Counts from the newest on, and removes what comes after the last that is kept.
    Count(Counting),
    /// The same for one author after the other.
    CountEach {
        /// Whose turn it is, and who is next.
        authors: VecDeque<PublicKey>,
        /// The last that was listed; `None` where all are.
        listed_to: Option<Option<PublicKey>>,
        counting: Counting,
    },
    Done,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counting {
    seen: u64,
    resume: Option<Position>,
}

impl Walk {
    /// At its beginning.
    pub fn new(rule: &RetentionRule) -> Walk {
        let authors = rule.authors.as_ref().map(|authors| {
            let mut keys: Vec<PublicKey> = authors.iter().map(|author| *author.key()).collect();
            keys.sort_unstable();
            keys.dedup();
            keys
        });
        Walk {
            kinds: rule.kinds.as_ref().map(|kinds| kinds.iter().collect()),
            authors,
            max_age_s: rule.max_age.map(|age| age.as_secs()),
            max_count: rule.max_count.map(u64::from),
            per: rule.per,
            stage: Stage::Age(None),
        }
    }

    /// Whether the rule has seen everything.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// One page: at most `max` events that are to be removed before another rule walks. There may be none though the walk
    /// is not done. Blocks for some milliseconds; `now` is in seconds since 1970.
    pub fn page(
        &mut self,
        store: &dyn Store,
        now: u64,
        max: usize,
    ) -> Result<Vec<EventId>, StoreError> {
        // An error leaves the walk where it was.
        let mut stage = self.stage.clone();
        let removed = match &mut stage {
            Stage::Age(resume) => {
                let page = self.too_old(store, *resume, now, max)?;
                match page.next {
                    Some(next) => *resume = Some(next),
                    None => stage = self.counting(),
                }
                page.positions
            }
            Stage::Count(counting) => {
                let page = self.surplus(store, self.authors.clone(), counting, now, max)?;
                if page.next.is_none() {
                    stage = Stage::Done;
                }
                page.positions
            }
            Stage::CountEach {
                authors,
                listed_to,
                counting,
            } => {
                if authors.is_empty()
                    && let Some(after) = listed_to
                {
                    let more = store.authors(after.as_ref(), AUTHORS)?;
                    *listed_to = (more.len() == AUTHORS).then(|| more.last().copied());
                    authors.extend(more);
                }
                let mut removed = Vec::new();
                let started = Instant::now();
                while let Some(author) = authors.front() {
                    let author = Some(vec![*author]);
                    let room = max - removed.len();
                    let page = self.surplus(store, author, counting, now, room)?;
                    removed.extend(page.positions);
                    if page.next.is_none() {
                        authors.pop_front();
                        *counting = Counting::default();
                    }
                    let is_full = removed.len() >= max || started.elapsed() >= TIME;
                    if page.next.is_some() || is_full {
                        break;
                    }
                }
                if authors.is_empty() && listed_to.is_none() {
                    stage = Stage::Done;
                }
                removed
            }
            Stage::Done => Vec::new(),
        };
        self.stage = stage;
        Ok(removed.iter().map(|position| position.id).collect())
    }

    /// What follows once nothing is too old.
    fn counting(&self) -> Stage {
        match (self.max_count, self.per) {
            (None, _) => Stage::Done,
            (Some(_), KeptPer::Relay) => Stage::Count(Counting::default()),
            (Some(_), KeptPer::Author) => Stage::CountEach {
                authors: self.authors.iter().flatten().copied().collect(),
                listed_to: self.authors.is_none().then_some(None),
                counting: Counting::default(),
            },
        }
    }

    fn too_old(
        &self,
        store: &dyn Store,
        resume: Option<Position>,
        now: u64,
        max: usize,
    ) -> Result<PositionPage, StoreError> {
        let oldest_kept = self.max_age_s.and_then(|age| now.checked_sub(age));
        let Some(until) = oldest_kept.and_then(|oldest| oldest.checked_sub(1)) else {
            return Ok(PositionPage::default());
        };
        let filter = Filter {
            authors: self.authors.clone(),
            kinds: self.kinds.clone(),
            until: Some(until),
            ..Filter::default()
        };
        store.positions(&scan(&filter, Order::OldestFirst, resume, now, max))
    }

    /// Goes on counting; the positions are of what is too many.
    fn surplus(
        &self,
        store: &dyn Store,
        authors: Option<Vec<PublicKey>>,
        counting: &mut Counting,
        now: u64,
        max: usize,
    ) -> Result<PositionPage, StoreError> {
        let filter = Filter {
            authors,
            kinds: self.kinds.clone(),
            ..Filter::default()
        };
        let kept_left = self.max_count.unwrap_or(u64::MAX) - counting.seen;
        let most = match kept_left {
            0 => max,
            left => usize::try_from(left).unwrap_or(usize::MAX),
        };
        let mut page = store.positions(&scan(
            &filter,
            Order::NewestFirst,
            counting.resume,
            now,
            most,
        ))?;
        counting.resume = page.next;
        if kept_left > 0 {
            counting.seen += page.positions.len() as u64;
            page.positions.clear();
        }
        Ok(page)
    }
}

fn scan(filter: &Filter, order: Order, resume: Option<Position>, now: u64, max: usize) -> Scan<'_> {
    Scan {
        filter,
        order,
        resume,
        max_row: u64::MAX,
        now,
        budget: Budget {
            events: max.min(ENTRIES),
            entries: ENTRIES,
            bytes: usize::MAX,
            time: TIME,
        },
    }
}
