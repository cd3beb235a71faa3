//! Decides what a write does, by reading alone: the rules of replacement (NIP-01), deletion (NIP-09) and expiry
//! (NIP-40), the guards of removal, and whether a full store may take it.

use super::fault::Result;
use super::keys::{self, KeyedHash};
use super::overlay::{Overlay, Resident};
use super::record::{self, Header};
use super::records::{self, Records};
use super::room::Admission;
use super::tables::{Table, Tables};
use super::vanishing;
use crate::event::{Address, Event, EventId, lowercase_hex};
use crate::reason::Reason;
use crate::store::{Cause, CommitPolicy, Outcome, StoreError, TxnRead, refusal};
use lmdb::RwTransaction;
use std::cell::RefCell;
use std::sync::Arc;

const DELETION: u16 = 5;
/// NIP-09 and NIP-62: nobody's to delete.
const UNDELETABLE: [u16; 2] = [DELETION, vanishing::REQUEST];
/// NIP-59: their recipients may delete them. 21059 is ephemeral and never stored.
const GIFT_WRAPS: [u16; 2] = [1059, 21059];

/// The database below and the batch so far, as one.
pub(super) struct Planner<'t> {
    pub(super) txn: &'t RwTransaction<'t>,
    pub(super) tables: &'t Tables,
    pub(super) hash: &'t KeyedHash,
    pub(super) records: RefCell<Records<'t>>,
    pub(super) overlay: Overlay,
    pub(super) now_s: u64,
}

/// What storing an event entails.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) expires_at: Option<u64>,
    pub(super) address: Option<[u8; 16]>,
    pub(super) removes: Vec<Resident>,
    pub(super) cause: Option<Cause>,
    pub(super) deletes_ids: Vec<[u8; 64]>,
    pub(super) deletes_addresses: Vec<([u8; 16], Address)>,
    /// NIP-62: its author's events go.
    pub(super) vanishes: bool,
}

impl Plan {
    /// NIP-09.
    pub(super) fn is_deletion(&self) -> bool {
        self.cause == Some(Cause::Deletion)
    }
}

/// Store it as planned, or answer.
pub(super) enum Decision {
    Store(Plan),
    Answer(Outcome),
}

impl Planner<'_> {
    /// What to do with an event, apart from the word of the commit hooks; `vanishes` for a request that is to bind.
    pub(super) fn plan(
        &self,
        event: &Event,
        vanishes: bool,
        policy: &dyn CommitPolicy,
        now: u64,
        admission: Admission,
    ) -> Result<Decision> {
        if let Some(row) = self.row_of_id(event.id().as_bytes())? {
            return Ok(Decision::Answer(self.answer_known_id(event, row)?));
        }
        let mut plan = Plan {
            address: record::address_key(event, self.hash),
            vanishes,
            ..Plan::default()
        };
        // What stays of those who have vanished, by a guard's word, is not kept away either.
        if self.has_vanished(event)? && (vanishes || may_remove(policy, event, Cause::Vanish)) {
            return Ok(Decision::Answer(Outcome::Vanished));
        }
        if self.is_deleted(event, plan.address)? {
            return Ok(Decision::Answer(Outcome::Deleted));
        }
        plan.expires_at = event
            .expiration()
            .filter(|_| may_remove(policy, event, Cause::Expiry));
        if plan.expires_at.is_some_and(|at| at <= now) {
            return Ok(refused(refusal::expired()));
        }
        if let Some(address) = plan.address
            && let Some(old) = self.version_at(&address)?
        {
            let header = records::header(old.row, &old.header)?;
            if !is_newer_version(event, &header) {
                return Ok(Decision::Answer(Outcome::Superseded));
            }
            if !self.guards_allow(policy, &old, header.kind, Cause::Replacement)? {
                return Ok(refused(refusal::replaced_event_is_kept()));
            }
            plan.removes.push(old);
            plan.cause = Some(Cause::Replacement);
        }
        let is_full = admission == Admission::RemovalsOnly;
        if event.kind() == DELETION {
            self.plan_deletion(event, is_full, policy, &mut plan)?;
        }
        if is_full && !self.makes_room(event, &plan)? {
            return Ok(refused(refusal::store_is_full()));
        }
        Ok(Decision::Store(plan))
    }

    /// The event of an id that is to be removed for a cause, unless a guard keeps it.
    pub(super) fn plan_removal(
        &self,
        id: &EventId,
        cause: Cause,
        policy: &dyn CommitPolicy,
    ) -> Result<Option<Resident>> {
        let Some(resident) = self.find(id.as_bytes())? else {
            return Ok(None);
        };
        let kind = records::header(resident.row, &resident.header)?.kind;
        // For expiry the guard had its say when the event came.
        let allowed =
            cause == Cause::Expiry || self.guards_allow(policy, &resident, kind, cause)?;
        Ok(allowed.then_some(resident))
    }

    /// The whole event of a resident.
    pub(super) fn event_of(&self, resident: &Resident) -> Result<Arc<Event>> {
        if let Some(added) = self.overlay.added.get(&resident.row) {
            return Ok(added.event.clone());
        }
        let mut records = self.records.borrow_mut();
        let begun = records.header_bytes(resident.row)?;
        let begun = begun.ok_or_else(|| records::damaged(resident.row))?;
        Ok(Arc::new(records.event(resident.row, begun)?))
    }

    fn answer_known_id(&self, event: &Event, row: u64) -> Result<Outcome> {
        let known = self.resident(row)?;
        let is_same = records::header(row, &known.header)?.id == event.id().as_bytes();
        Ok(match is_same {
            true if self.is_hidden(event)? => Outcome::Vanished,
            true => Outcome::Duplicate,
            false => Outcome::Refused(Reason::error("another event's id begins like this one's")),
        })
    }

    /// NIP-09: whether the event was deleted before it came.
    fn is_deleted(&self, event: &Event, address: Option<[u8; 16]>) -> Result<bool> {
        if UNDELETABLE.contains(&event.kind()) {
            return Ok(false);
        }
        if let Some(address) = address
            && let Some(until) = self.deleted_until(&address)?
            && event.created_at() <= until
        {
            return Ok(true);
        }
        let id = event.id().as_bytes();
        if self.has_tombstone(&keys::deleted_id(id, event.pubkey().as_bytes()))? {
            return Ok(true);
        }
        if GIFT_WRAPS.contains(&event.kind()) {
            for recipient in event.tag_values(b'p') {
                if let Some(recipient) = lowercase_hex(&recipient)
                    && self.has_tombstone(&keys::deleted_id(id, &recipient))?
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// NIP-09: what a deletion removes now and keeps away later. In a full store only what it removes is kept away: a
    /// tombstone for what is not here would take room for good and give none.
    fn plan_deletion(
        &self,
        deletion: &Event,
        is_full: bool,
        policy: &dyn CommitPolicy,
        plan: &mut Plan,
    ) -> Result<()> {
        let by = deletion.pubkey().as_bytes();
        plan.cause = Some(Cause::Deletion);
        for tag in deletion.tags() {
            let (Some(letter @ (b'e' | b'a')), Some(value)) = (tag.letter(), tag.value()) else {
                continue;
            };
            if letter == b'e' {
                let Some(id) = lowercase_hex(&value) else {
                    continue;
                };
                let is_kept_away = match self.find(&id)? {
                    Some(target) => {
                        self.may_delete(by, &target)?
                            && self.plan_deletion_of(target, policy, plan)?
                    }
                    None => !is_full,
                };
                if is_kept_away {
                    plan.deletes_ids.push(keys::deleted_id(&id, by));
                }
            } else {
                let Some(address) = Address::parse(&value) else {
                    continue;
                };
                if address.pubkey != *deletion.pubkey() {
                    continue;
                }
                let key = self.hash.address(address.kind, by, &address.d);
                let is_kept_away = match self.version_at(&key)? {
                    Some(target)
                        if records::header(target.row, &target.header)?.created_at
                            <= deletion.created_at() =>
                    {
                        self.plan_deletion_of(target, policy, plan)?
                    }
                    _ => !is_full,
                };
                if is_kept_away {
                    plan.deletes_addresses.push((key, address));
                }
            }
        }
        Ok(())
    }

    /// Whether the target goes, now or by an earlier tag.
    fn plan_deletion_of(
        &self,
        target: Resident,
        policy: &dyn CommitPolicy,
        plan: &mut Plan,
    ) -> Result<bool> {
        if plan.removes.iter().any(|known| known.row == target.row) {
            return Ok(true);
        }
        let kind = records::header(target.row, &target.header)?.kind;
        let allowed = self.guards_allow(policy, &target, kind, Cause::Deletion)?;
        if allowed {
            plan.removes.push(target);
        }
        Ok(allowed)
    }

    /// NIP-09 and NIP-59: authors delete what is theirs, recipients the gift wraps sent to them; nobody a deletion or a
    /// request to vanish.
    fn may_delete(&self, by: &[u8; 32], target: &Resident) -> Result<bool> {
        let header = records::header(target.row, &target.header)?;
        if UNDELETABLE.contains(&header.kind) || header.pubkey == by {
            return Ok(!UNDELETABLE.contains(&header.kind));
        }
        if !GIFT_WRAPS.contains(&header.kind) {
            return Ok(false);
        }
        let event = self.event_of(target)?;
        let is_recipient = event
            .tag_values(b'p')
            .any(|value| lowercase_hex(&value) == Some(*by));
        Ok(is_recipient)
    }

    fn guards_allow(
        &self,
        policy: &dyn CommitPolicy,
        target: &Resident,
        kind: u16,
        cause: Cause,
    ) -> Result<bool> {
        Ok(!policy.guards_removal(kind) || policy.may_remove(&*self.event_of(target)?, cause))
    }

    fn find(&self, id: &[u8; 32]) -> Result<Option<Resident>> {
        let Some(row) = self.row_of_id(id)? else {
            return Ok(None);
        };
        let resident = self.resident(row)?;
        let is_it = records::header(row, &resident.header)?.id == id;
        Ok(is_it.then_some(resident))
    }

    fn version_at(&self, address: &[u8; 16]) -> Result<Option<Resident>> {
        let row = match self.overlay.by_address.get(address) {
            Some(row) => *row,
            None => self.row_in(Table::Address, address)?,
        };
        row.map(|row| self.resident(row)).transpose()
    }

    fn row_of_id(&self, id: &[u8; 32]) -> Result<Option<u64>> {
        let id = keys::id16(id);
        match self.overlay.by_id.get(&id) {
            Some(row) => Ok(*row),
            None => self.row_in(Table::Id, &id),
        }
    }

    fn row_in(&self, table: Table, key: &[u8]) -> Result<Option<u64>> {
        let row = self.tables.get(self.txn, table, key)?;
        Ok(row.and_then(keys::read_five))
    }

    fn resident(&self, row: u64) -> Result<Resident> {
        let header = match self.overlay.added.get(&row) {
            Some(added) => {
                let header = records::header(row, &added.record)?;
                header.bytes(&added.record).to_vec()
            }
            None => {
                let begun = self.records.borrow_mut().header_bytes(row)?;
                let begun = begun.ok_or_else(|| records::damaged(row))?;
                records::header(row, &begun)?.bytes(&begun).to_vec()
            }
        };
        Ok(Resident { row, header })
    }

    fn has_tombstone(&self, key: &[u8; 64]) -> Result<bool> {
        Ok(self.overlay.deleted_ids.contains_key(key)
            || self.tables.get(self.txn, Table::DeletedId, key)?.is_some())
    }

    /// Versions of an address up to this second are deleted.
    pub(super) fn deleted_until(&self, address: &[u8; 16]) -> Result<Option<u64>> {
        if let Some(tombstone) = self.overlay.deleted_addresses.get(address) {
            return Ok(Some(tombstone.until));
        }
        let value = self.tables.get(self.txn, Table::DeletedAddress, address)?;
        Ok(value.and_then(keys::read_five))
    }
}

impl TxnRead for Planner<'_> {
    fn now_s(&self) -> u64 {
        self.now_s
    }

    fn kv_get(
        &self,
        extension: &str,
        key: &[u8],
    ) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        match self.overlay.kv.get(&(extension.to_owned(), key.to_owned())) {
            Some(value) => Ok(value.clone()),
            None => Ok(super::kv::get(self.txn, self.tables, extension, key)?),
        }
    }
}

fn refused(reason: Reason) -> Decision {
    Decision::Answer(Outcome::Refused(reason))
}

fn may_remove(policy: &dyn CommitPolicy, event: &Event, cause: Cause) -> bool {
    !policy.guards_removal(event.kind()) || policy.may_remove(event, cause)
}

/// NIP-01: the later version counts; of two in the same second, the one with the lower id.
fn is_newer_version(new: &Event, old: &Header<'_>) -> bool {
    (new.created_at(), old.id) > (old.created_at, new.id().as_bytes())
}
