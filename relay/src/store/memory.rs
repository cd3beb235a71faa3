//! The store as plainly as it can be written: the reference that every other store is compared with.
//!
//! Each rule stands here once, spelled out over ordinary collections, with no thought of speed. It shares no code with
//! other stores, so that a mistake in one of them shows as a difference. Nothing survives the process. What a write does
//! stands in `rules`, who has vanished in `vanishing`, what a scan gives here.

mod backup;
mod rules;
mod vanishing;

use super::{
    Budget, Change, Changes, CheckReport, CommitPolicy, CompactReport, CountPage, EntriesOf, Entry,
    EntryPage, EntryPlace, Found, FoundPage, KvRow, KvWrites, MAX_KEY_BYTES, Order, Outcome, Page,
    Position, PositionPage, PutBack, Scan, Store, StoreError, StoreStats, Stored, Vanishing, Watch,
    Write,
};
use crate::event::{Address, EventId, PublicKey};
use crate::kinds::Kinds;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

/// Events in memory.
///
/// ```
/// use trellis_relay::store::{Store, memory::MemoryStore};
/// assert_eq!(MemoryStore::default().last_row()?, 0);
/// # Ok::<(), trellis_relay::store::StoreError>(())
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    state: RwLock<State>,
    removal_log_entries: usize,
}

#[derive(Debug, Default)]
struct State {
    last_row: u64,
    events: BTreeMap<EventId, Stored>,
    /// NIP-09: (event, who deleted it).
    deleted_ids: BTreeSet<(EventId, PublicKey)>,
    /// NIP-09: versions up to this `created_at` are deleted.
    deleted_addresses: BTreeMap<Address, u64>,
    /// NIP-62: the author's events up to this `created_at` are not taken any more.
    vanished: BTreeMap<PublicKey, u64>,
    /// NIP-62: those whose events are hidden and not all removed.
    vanishing: BTreeMap<PublicKey, u64>,
    removals: BTreeMap<u64, Change>,
    /// Removals up to this row have been dropped from the log.
    removals_cut_at: u64,
    kv: BTreeMap<(String, Vec<u8>), Vec<u8>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_removal_log(usize::MAX)
    }
}

impl MemoryStore {
    /// An empty store that remembers at most so many removals for [`Store::changes`].
    pub fn with_removal_log(entries: usize) -> Self {
        MemoryStore {
            state: RwLock::default(),
            removal_log_entries: entries,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
    ) -> Result<Vec<Outcome>, StoreError> {
        let mut state = self.write();
        let vanishing = state.vanishing.clone();
        let mut outcomes: Vec<Outcome> = batch
            .iter()
            .map(|write| match write {
                Write::Put(event) => state.put(event, false, policy, now),
                Write::Vanish(event) => state.vanish(event, policy, now),
                Write::EndVanishing(vanishing) => state.end_vanishing(vanishing),
                Write::Remove(id, cause) => state.remove_by_id(id, *cause, policy),
                Write::Kv {
                    extension,
                    key,
                    value,
                } => state.put_kv(KvWrites::from([(
                    (extension.clone(), key.clone()),
                    value.clone(),
                )])),
                Write::Append { space, entry, .. } => state.append(space, entry),
            })
            .collect();
        for outcome in &mut outcomes {
            if let Outcome::Stored(stored) = outcome
                && (state.is_hidden_since(&stored.event, &vanishing)
                    || state.events.get(stored.event.id()).map(|now| now.row) != Some(stored.row))
            {
                *outcome = Outcome::StoredThenRemoved;
            }
        }
        state.cut_removals(self.removal_log_entries);
        Ok(outcomes)
    }

    fn contains(&self, id: &EventId) -> Result<bool, StoreError> {
        let state = self.read();
        let stored = state.events.get(id);
        Ok(stored.is_some_and(|stored| !state.is_hidden(&stored.event)))
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Page, StoreError> {
        let matching = self.read().matching(scan);
        let mut page = Page::default();
        let mut spent = Spent::new(scan.budget);
        for stored in matching {
            if spent.is_over(stored.event.json().len()) {
                page.next = page.events.last().map(position_of);
                break;
            }
            page.events.push(stored);
        }
        Ok(page)
    }

    fn count_authors(
        &self,
        scan: &Scan<'_>,
        each: &mut dyn FnMut(&PublicKey),
    ) -> Result<CountPage, StoreError> {
        let matching = self.read().matching(scan);
        let mut page = CountPage::default();
        let mut spent = Spent::new(Budget {
            bytes: usize::MAX,
            ..scan.budget
        });
        let mut last = None;
        for stored in matching {
            if spent.is_over(0) {
                page.next = last;
                break;
            }
            page.count += 1;
            each(stored.event.pubkey());
            last = Some(position_of(&stored));
        }
        Ok(page)
    }

    fn positions(&self, scan: &Scan<'_>) -> Result<PositionPage, StoreError> {
        let matching = self.read().matching(scan);
        let mut page = PositionPage::default();
        let mut spent = Spent::new(Budget {
            bytes: usize::MAX,
            ..scan.budget
        });
        for stored in matching {
            if spent.is_over(0) {
                page.next = page.positions.last().copied();
                break;
            }
            page.positions.push(position_of(&stored));
        }
        Ok(page)
    }

    fn find(&self, scan: &Scan<'_>, whole: &Kinds) -> Result<FoundPage, StoreError> {
        let matching = self.read().matching(scan);
        let mut page = FoundPage::default();
        let mut spent = Spent::new(scan.budget);
        for stored in matching {
            let kind = stored.event.kind();
            let is_whole = whole.contains(kind);
            let bytes = if is_whole {
                stored.event.json().len()
            } else {
                0
            };
            if spent.is_over(bytes) {
                page.next = page.found.last().map(|found| found.position);
                break;
            }
            page.found.push(Found {
                position: position_of(&stored),
                author: *stored.event.pubkey(),
                kind,
                expires_at: stored.expires_at,
                event: is_whole.then_some(stored.event),
            });
        }
        Ok(page)
    }

    fn positions_to_remove(&self, scan: &Scan<'_>) -> Result<PositionPage, StoreError> {
        self.positions(scan)
    }

    fn expired(&self, now: u64, max: usize) -> Result<Vec<EventId>, StoreError> {
        let state = self.read();
        let mut expired: Vec<(u64, u64, EventId)> = state
            .events
            .values()
            .filter_map(|stored| Some((stored.expires_at?, stored.row, *stored.event.id())))
            .filter(|(at, _, _)| *at <= now)
            .collect();
        expired.sort_unstable();
        Ok(expired.into_iter().map(|(_, _, id)| id).take(max).collect())
    }

    fn vanishings(&self, max: usize) -> Result<Vec<Vanishing>, StoreError> {
        Ok(self.read().vanishings().take(max).collect())
    }

    fn vanishing_positions(
        &self,
        vanishing: &Vanishing,
        resume: Option<Position>,
        max: usize,
    ) -> Result<PositionPage, StoreError> {
        let mut positions = self.read().covered_by(vanishing);
        positions.retain(|position| {
            resume.is_none_or(|last| compare(Order::OldestFirst, position, &last).is_gt())
        });
        positions.sort_unstable_by(|a, b| compare(Order::OldestFirst, a, b));
        let more = positions.len() > max;
        positions.truncate(max);
        Ok(PositionPage {
            next: positions.last().copied().filter(|_| more),
            positions,
        })
    }

    fn authors(&self, after: Option<&PublicKey>, max: usize) -> Result<Vec<PublicKey>, StoreError> {
        let state = self.read();
        let authors: BTreeSet<PublicKey> = state
            .events
            .values()
            .map(|stored| *stored.event.pubkey())
            .filter(|author| after.is_none_or(|after| author > after))
            .collect();
        Ok(authors.into_iter().take(max).collect())
    }

    fn last_row(&self) -> Result<u64, StoreError> {
        Ok(self.read().last_row)
    }

    fn changes(&self, after: u64, max: usize) -> Result<Changes, StoreError> {
        Ok(self.read().changes(after, max))
    }

    fn kv_get(&self, extension: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read().kv_get(extension, key)
    }

    fn kv_scan(
        &self,
        extension: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Vec<KvRow>, StoreError> {
        check_length(prefix)?;
        check_length(after.unwrap_or_default())?;
        Ok(self
            .read()
            .kv
            .iter()
            .filter(|((owner, key), _)| owner == extension && key.starts_with(prefix))
            .filter(|((_, key), _)| after.is_none_or(|after| key.as_slice() > after))
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .take(max)
            .collect())
    }

    fn changes_with(
        &self,
        after: u64,
        max: usize,
        of: &[EntriesOf],
    ) -> Result<(Changes, Vec<Entry>), StoreError> {
        let state = self.read();
        let entries = of.iter().flat_map(|of| state.entries_of(of)).collect();
        Ok((state.changes(after, max), entries))
    }

    fn entries(&self, after: Option<&EntryPlace>, max: usize) -> Result<EntryPage, StoreError> {
        Ok(self.read().entry_page(after, max))
    }

    fn put_back(&self, batch: &[PutBack]) -> Result<(), StoreError> {
        let mut state = self.write();
        for put in batch {
            state.put_back(put);
        }
        state.cut_removals(self.removal_log_entries);
        Ok(())
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        Ok(StoreStats {
            events: self.read().events.len() as u64,
            ..StoreStats::default()
        })
    }

    fn inspect(&self, verify_ids: bool, _watch: Watch<'_>) -> Result<CheckReport, StoreError> {
        let state = self.read();
        let mut report = CheckReport {
            events: state.events.len() as u64,
            ..CheckReport::default()
        };
        for (id, stored) in &state.events {
            if verify_ids && stored.event.computed_id() != *id.as_bytes() {
                let row = stored.row;
                report.note(|| format!("row {row}: its id is not the hash of its event"));
            }
        }
        Ok(report)
    }

    fn compact(&self, _watch: Watch<'_>) -> Result<CompactReport, StoreError> {
        // It has no gaps.
        Ok(CompactReport::default())
    }
}

impl State {
    /// Forgets the oldest removals beyond so many.
    fn cut_removals(&mut self, entries: usize) {
        while self.removals.len() > entries {
            if let Some((row, _)) = self.removals.pop_first() {
                self.removals_cut_at = row;
            }
        }
    }

    /// Everything a scan asks for after its resume position, in its order.
    fn matching(&self, scan: &Scan<'_>) -> Vec<Stored> {
        let mut matching: Vec<Stored> = self
            .events
            .values()
            .filter(|stored| scan.filter.matches(&stored.event))
            .filter(|stored| stored.row <= scan.max_row)
            .filter(|stored| stored.expires_at.is_none_or(|at| at > scan.now))
            .filter(|stored| !self.is_hidden(&stored.event))
            .filter(|stored| {
                scan.resume
                    .is_none_or(|last| compare(scan.order, &position_of(stored), &last).is_gt())
            })
            .cloned()
            .collect();
        matching.sort_unstable_by(|a, b| compare(scan.order, &position_of(a), &position_of(b)));
        matching
    }

    /// See [`Store::changes`].
    fn changes(&self, after: u64, max: usize) -> Changes {
        let mut by_row: BTreeMap<u64, Change> = self
            .removals
            .range(after.saturating_add(1)..)
            .map(|(row, removed)| (*row, removed.clone()))
            .collect();
        for stored in self.events.values().filter(|stored| stored.row > after) {
            by_row.insert(stored.row, Change::Stored(stored.clone()));
        }
        let next = match by_row.keys().nth(max) {
            Some(_) => by_row
                .keys()
                .take(max)
                .next_back()
                .copied()
                .unwrap_or(after),
            None => self.last_row.max(after),
        };
        let gap = (after < self.removals_cut_at).then_some(Change::Gap {
            from: after + 1,
            to: self.removals_cut_at,
        });
        Changes {
            changes: gap
                .into_iter()
                .chain(by_row.into_values().take(max))
                .collect(),
            next,
        }
    }

    fn kv_get(&self, extension: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_length(key)?;
        Ok(self
            .kv
            .get(&(extension.to_owned(), key.to_owned()))
            .cloned())
    }
}

/// What a page has used of its budget.
struct Spent {
    budget: Budget,
    since: Instant,
    events: usize,
    bytes: usize,
}

impl Spent {
    fn new(budget: Budget) -> Self {
        Spent {
            budget,
            since: Instant::now(),
            events: 0,
            bytes: 0,
        }
    }

    /// Whether one more event of this size is too much; the first never is.
    fn is_over(&mut self, event_bytes: usize) -> bool {
        let over = self.events >= self.budget.events
            || self.events >= self.budget.entries
            || self.bytes + event_bytes > self.budget.bytes
            || self.since.elapsed() > self.budget.time;
        self.events += 1;
        self.bytes += event_bytes;
        over && self.events > 1
    }
}

fn check_length(key: &[u8]) -> Result<(), StoreError> {
    match key.len() {
        length if length > MAX_KEY_BYTES => Err(StoreError::KeyTooLong(length)),
        _ => Ok(()),
    }
}

fn position_of(stored: &Stored) -> Position {
    Position {
        created_at: stored.event.created_at(),
        id: *stored.event.id(),
    }
}

fn compare(order: Order, a: &Position, b: &Position) -> Ordering {
    let by_time = match order {
        Order::NewestFirst => b.created_at.cmp(&a.created_at),
        Order::OldestFirst => a.created_at.cmp(&b.created_at),
    };
    by_time.then_with(|| a.id.cmp(&b.id))
}
