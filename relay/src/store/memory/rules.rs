//! What a write does: replacement (NIP-01), deletion (NIP-09), expiry (NIP-40), guards, hooks and rows of extensions.

use super::State;
use crate::event::{Address, Event, EventId, PublicKey, lowercase_hex};
use crate::reason::Reason;
use crate::store::{
    Cause, Change, CommitPolicy, KvWrites, MAX_KEY_BYTES, Outcome, StoreError, Stored, TxnRead,
    chain, refusal,
};
use std::cmp::Ordering;
use std::sync::Arc;

/// A batch under way.
struct Open<'s> {
    state: &'s State,
    now: u64,
}

impl TxnRead for Open<'_> {
    fn now_s(&self) -> u64 {
        self.now
    }

    fn kv_get(&self, extension: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.state.kv_get(extension, key)
    }
}

const DELETION: u16 = 5;
/// NIP-09 and NIP-62: nobody's to delete.
const UNDELETABLE: [u16; 2] = [DELETION, 62];
/// NIP-59: wraps that their recipient may delete.
const GIFT_WRAPS: [u16; 2] = [1059, 21059];

impl State {
    /// Decides first and changes after, so that a refused event leaves no trace; `vanishes` for a request that is to bind.
    pub(super) fn put(
        &mut self,
        event: &Arc<Event>,
        vanishes: bool,
        policy: &dyn CommitPolicy,
        now: u64,
    ) -> Outcome {
        if self.events.contains_key(event.id()) {
            return match self.is_hidden(event) {
                true => Outcome::Vanished,
                false => Outcome::Duplicate,
            };
        }
        if self.has_vanished(event) && (vanishes || may_remove(policy, event, Cause::Vanish)) {
            return Outcome::Vanished;
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
        if policy.wants_commit(event.kind()) && vanishes {
            // NIP-62: nobody has a veto. Rows that cannot be written are left out as a whole.
            let rows = policy.on_vanish(event, &Open { state: self, now });
            self.put_kv(rows);
        } else if policy.wants_commit(event.kind()) {
            let rows = match policy.on_commit(event, &removes, &Open { state: self, now }) {
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

    pub(super) fn remove_by_id(
        &mut self,
        id: &EventId,
        cause: Cause,
        policy: &dyn CommitPolicy,
    ) -> Outcome {
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

    pub(super) fn append(&mut self, space: &str, entry: &[u8]) -> Outcome {
        let rows = (space.to_owned(), Vec::new())..(space.to_owned(), chain::BEYOND.to_vec());
        let last = self.kv.range(rows).next_back();
        let last = last.map(|((_, key), value)| (key.as_slice(), value.as_slice()));
        match chain::next(last, entry) {
            Some((key, value)) => {
                self.put_kv(KvWrites::from([((space.to_owned(), key), Some(value))]))
            }
            None => Outcome::Refused(Reason::internal()),
        }
    }

    pub(super) fn put_kv(&mut self, rows: KvWrites) -> Outcome {
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
}

#[derive(Default)]
struct Tombstones {
    ids: Vec<(EventId, PublicKey)>,
    addresses: Vec<(Address, u64)>,
}

/// NIP-01: the later version counts; of two in the same second, the one with the lower id.
fn is_newer_version(new: &Event, old: &Event) -> bool {
    match new.created_at().cmp(&old.created_at()) {
        Ordering::Greater => true,
        Ordering::Equal => new.id() < old.id(),
        Ordering::Less => false,
    }
}

/// NIP-09 and NIP-59: authors delete what is theirs, recipients the gift wraps sent to them; nobody a deletion or a
/// request to vanish.
fn may_delete(by: &PublicKey, target: &Event) -> bool {
    if UNDELETABLE.contains(&target.kind()) {
        return false;
    }
    let is_recipient = || target.tag_values(b'p').any(|value| value == by.to_hex());
    target.pubkey() == by || (GIFT_WRAPS.contains(&target.kind()) && is_recipient())
}

fn may_remove(policy: &dyn CommitPolicy, event: &Event, cause: Cause) -> bool {
    !policy.guards_removal(event.kind()) || policy.may_remove(event, cause)
}
