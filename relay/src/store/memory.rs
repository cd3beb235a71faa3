//! The store as plainly as it can be written: the reference that every other store is compared with.
//!
//! Each rule stands here once, spelled out over ordinary collections, with no thought of speed. It shares no code with
//! other stores, so that a mistake in one of them shows as a difference. Nothing survives the process.

use super::{
    Budget, Cause, Change, Changes, CommitPolicy, CountPage, KvRow, KvWrites, MAX_KEY_BYTES, Order,
    Outcome, Page, Position, Scan, Store, StoreError, StoreStats, Stored, TxnRead, Write, refusal,
};
use crate::event::{Address, Event, EventId, PublicKey, lowercase_hex};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

const DELETION: u16 = 5;
/// NIP-59: wraps that their recipient may delete.
const GIFT_WRAPS: [u16; 2] = [1059, 21059];

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
        let mut outcomes: Vec<Outcome> = batch
            .iter()
            .map(|write| match write {
                Write::Put(event) => state.put(event, policy, now),
                Write::Remove(id, cause) => state.remove_by_id(id, *cause, policy),
                Write::Kv {
                    extension,
                    key,
                    value,
                } => state.put_kv(KvWrites::from([(
                    (extension.clone(), key.clone()),
                    value.clone(),
                )])),
            })
            .collect();
        for outcome in &mut outcomes {
            if let Outcome::Stored(stored) = outcome
                && state.events.get(stored.event.id()).map(|now| now.row) != Some(stored.row)
            {
                *outcome = Outcome::StoredThenRemoved;
            }
        }
        while state.removals.len() > self.removal_log_entries {
            if let Some((row, _)) = state.removals.pop_first() {
                state.removals_cut_at = row;
            }
        }
        Ok(outcomes)
    }

    fn contains(&self, id: &EventId) -> Result<bool, StoreError> {
        Ok(self.read().events.contains_key(id))
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

    fn count(&self, scan: &Scan<'_>) -> Result<CountPage, StoreError> {
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
            last = Some(position_of(&stored));
        }
        Ok(page)
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

    fn last_row(&self) -> Result<u64, StoreError> {
        Ok(self.read().last_row)
    }

    fn changes(&self, after: u64, max: usize) -> Result<Changes, StoreError> {
        let state = self.read();
        let mut by_row: BTreeMap<u64, Change> = state
            .removals
            .range(after.saturating_add(1)..)
            .map(|(row, removed)| (*row, removed.clone()))
            .collect();
        for stored in state.events.values().filter(|stored| stored.row > after) {
            by_row.insert(stored.row, Change::Stored(stored.clone()));
        }
        let next = match by_row.keys().nth(max) {
            Some(_) => by_row
                .keys()
                .take(max)
                .next_back()
                .copied()
                .unwrap_or(after),
            None => state.last_row.max(after),
        };
        let gap = (after < state.removals_cut_at).then_some(Change::Gap {
            from: after + 1,
            to: state.removals_cut_at,
        });
        Ok(Changes {
            changes: gap
                .into_iter()
                .chain(by_row.into_values().take(max))
                .collect(),
            next,
        })
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

    fn stats(&self) -> Result<StoreStats, StoreError> {
        Ok(StoreStats {
            events: self.read().events.len() as u64,
            ..StoreStats::default()
        })
    }
}

impl State {
    /// Decides first and changes after, so that a refused event leaves no trace.
    fn put(&mut self, event: &Arc<Event>, policy: &dyn CommitPolicy, now: u64) -> Outcome {
        if self.events.contains_key(event.id()) {
            return Outcome::Duplicate;
        }
        if self.is_deleted(event) {
            return Outcome::Deleted;
        }
        let expires_at = event
            .expiration()
            .filter(|_| may_remove(policy, event, Cause::Expiry));
        if expires_at.is_some_and(|at| at <= now) {
            return Outcome::Refused(refusal::expired());
        }
        let mut removes = Vec::new();
        if let Some(old) = self.version_at(event.address()) {
            if !is_newer_version(event, &old) {
                return Outcome::Superseded;
            }
            if !may_remove(policy, &old, Cause::Replacement) {
                return Outcome::Refused(refusal::replaced_event_is_kept());
            }
            removes.push(old);
        }
        let mut tombstones = Tombstones::default();
        if event.kind() == DELETION {
            self.plan_deletion(event, policy, &mut removes, &mut tombstones);
        }
        if policy.wants_commit(event.kind()) {
            let rows = match policy.on_commit(event, &removes, self) {
                Ok(rows) => rows,
                Err(reason) => return Outcome::Refused(reason),
            };
            if let refused @ Outcome::Refused(_) = self.put_kv(rows) {
                return refused;
            }
        }

        self.last_row += 1;
        let stored = Stored {
            row: self.last_row,
            expires_at,
            event: event.clone(),
        };
        self.events.insert(*event.id(), stored.clone());
        let cause = match event.kind() {
            DELETION => Cause::Deletion,
            _ => Cause::Replacement,
        };
        for removed in removes {
            self.remove(&removed, cause);
        }
        self.deleted_ids.extend(tombstones.ids);
        for (address, until) in tombstones.addresses {
            let deleted_until = self.deleted_addresses.entry(address).or_insert(until);
            *deleted_until = until.max(*deleted_until);
        }
        Outcome::Stored(stored)
    }

    /// NIP-09: whether the event was deleted before it came.
    fn is_deleted(&self, event: &Event) -> bool {
        let by_id = self
            .deleted_ids
            .iter()
            .any(|(id, by)| id == event.id() && may_delete(by, event));
        let by_address = event.address().is_some_and(|address| {
            self.deleted_addresses
                .get(&address)
                .is_some_and(|until| event.created_at() <= *until)
        });
        by_id || by_address
    }

    /// NIP-09: what a deletion removes now and keeps away later.
    fn plan_deletion(
        &self,
        deletion: &Event,
        policy: &dyn CommitPolicy,
        removes: &mut Vec<Arc<Event>>,
        tombstones: &mut Tombstones,
    ) {
        let by = deletion.pubkey();
        for tag in deletion.tags() {
            let Some(value) = tag.value() else { continue };
            match tag.letter() {
                Some(b'e') => {
                    let Some(id) = lowercase_hex(&value).map(EventId::from_byte_array) else {
                        continue;
                    };
                    if let Some(target) = self.events.get(&id).map(|stored| &stored.event) {
                        if !may_delete(by, target) || !may_remove(policy, target, Cause::Deletion) {
                            continue;
                        }
                        if !removes.contains(target) {
                            removes.push(target.clone());
                        }
                    }
                    tombstones.ids.push((id, *by));
                }
                Some(b'a') => {
                    let Some(address) = Address::parse(&value).filter(|a| a.pubkey == *by) else {
                        continue;
                    };
                    let target = self
                        .version_at(Some(address.clone()))
                        .filter(|target| target.created_at() <= deletion.created_at());
                    if let Some(target) = target {
                        if !may_remove(policy, &target, Cause::Deletion) {
                            continue;
                        }
                        if !removes.contains(&target) {
                            removes.push(target);
                        }
                    }
                    tombstones.addresses.push((address, deletion.created_at()));
                }
                _ => {}
            }
        }
    }

    fn version_at(&self, address: Option<Address>) -> Option<Arc<Event>> {
        let address = address?;
        self.events
            .values()
            .map(|stored| &stored.event)
            .find(|event| {
                event.kind() == address.kind && event.address().as_ref() == Some(&address)
            })
            .cloned()
    }

    fn remove_by_id(&mut self, id: &EventId, cause: Cause, policy: &dyn CommitPolicy) -> Outcome {
        let Some(event) = self.events.get(id).map(|stored| stored.event.clone()) else {
            return Outcome::Kept;
        };
        // For expiry the guard had its say when the event came.
        if cause != Cause::Expiry && !may_remove(policy, &event, cause) {
            return Outcome::Kept;
        }
        self.remove(&event, cause);
        Outcome::Done
    }

    fn remove(&mut self, event: &Event, cause: Cause) {
        self.events.remove(event.id());
        self.last_row += 1;
        let removed = Change::Removed {
            row: self.last_row,
            id: *event.id(),
            kind: event.kind(),
            pubkey: *event.pubkey(),
            cause,
        };
        self.removals.insert(self.last_row, removed);
    }

    fn put_kv(&mut self, rows: KvWrites) -> Outcome {
        if let Some((_, key)) = rows.keys().find(|(_, key)| key.len() > MAX_KEY_BYTES) {
            return Outcome::Refused(refusal::key_too_long(key.len()));
        }
        for (key, value) in rows {
            match value {
                Some(value) => self.kv.insert(key, value),
                None => self.kv.remove(&key),
            };
        }
        Outcome::Done
    }

    /// Everything a scan asks for after its resume position, in its order.
    fn matching(&self, scan: &Scan<'_>) -> Vec<Stored> {
        let mut matching: Vec<Stored> = self
            .events
            .values()
            .filter(|stored| scan.filter.matches(&stored.event))
            .filter(|stored| stored.row <= scan.max_row)
            .filter(|stored| stored.expires_at.is_none_or(|at| at > scan.now))
            .filter(|stored| {
                scan.resume
                    .is_none_or(|last| compare(scan.order, &position_of(stored), &last).is_gt())
            })
            .cloned()
            .collect();
        matching.sort_unstable_by(|a, b| compare(scan.order, &position_of(a), &position_of(b)));
        matching
    }
}

impl TxnRead for State {
    fn kv_get(&self, extension: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_length(key)?;
        Ok(self
            .kv
            .get(&(extension.to_owned(), key.to_owned()))
            .cloned())
    }
}

#[derive(Default)]
struct Tombstones {
    ids: Vec<(EventId, PublicKey)>,
    addresses: Vec<(Address, u64)>,
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

/// NIP-01: the later version counts; of two in the same second, the one with the lower id.
fn is_newer_version(new: &Event, old: &Event) -> bool {
    match new.created_at().cmp(&old.created_at()) {
        Ordering::Greater => true,
        Ordering::Equal => new.id() < old.id(),
        Ordering::Less => false,
    }
}

/// NIP-09 and NIP-59: authors delete what is theirs, recipients the gift wraps sent to them; nobody a deletion.
fn may_delete(by: &PublicKey, target: &Event) -> bool {
    if target.kind() == DELETION {
        return false;
    }
    let is_recipient = || target.tag_values(b'p').any(|value| value == by.to_hex());
    target.pubkey() == by || (GIFT_WRAPS.contains(&target.kind()) && is_recipient())
}

fn may_remove(policy: &dyn CommitPolicy, event: &Event, cause: Cause) -> bool {
    !policy.guards_removal(event.kind()) || policy.may_remove(event, cause)
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
