//! Decides a batch, write by write: plan, guards, hooks, overlay.

use super::fault::Result;
use super::overlay::{AddressTombstone, Overlay};
use super::plan::{Decision, Plan, Planner};
use super::record;
use super::room::Admission;
use crate::event::Event;
use crate::store::{
    Cause, CommitPolicy, KvWrites, MAX_KEY_BYTES, Outcome, StoreError, Stored, Write, chain,
    refusal,
};
use std::sync::Arc;

/// Answers every write and leaves the difference in the planner's overlay.
pub(super) fn decide(
    mut planner: Planner<'_>,
    batch: &[Write],
    policy: &dyn CommitPolicy,
    now: u64,
    admission: Admission,
) -> Result<(Vec<Outcome>, Overlay)> {
    let mut outcomes = Vec::with_capacity(batch.len());
    for write in batch {
        outcomes.push(match write {
            Write::Put(event) | Write::Vanish(event) => {
                let vanishes = matches!(write, Write::Vanish(_));
                match planner.plan(event, vanishes, policy, now, admission)? {
                    Decision::Store(plan) => store(&mut planner, event, plan, policy)?,
                    Decision::Answer(outcome) => outcome,
                }
            }
            Write::EndVanishing(vanishing) => match planner.is_vanishing(vanishing)? {
                true => {
                    let pubkey = *vanishing.pubkey.as_bytes();
                    planner.overlay.vanishing.insert(pubkey, None);
                    Outcome::Done
                }
                false => Outcome::Kept,
            },
            Write::Remove(id, cause) => match planner.plan_removal(id, *cause, policy)? {
                Some(resident) => {
                    planner.overlay.remove(resident, *cause)?;
                    Outcome::Done
                }
                None => Outcome::Kept,
            },
            Write::Kv {
                extension,
                key,
                value,
            } => {
                if admission == Admission::RemovalsOnly && value.is_some() && !is_let_in(extension)
                {
                    Outcome::Refused(refusal::store_is_full())
                } else {
                    let row = ((extension.clone(), key.clone()), value.clone());
                    put_kv(&mut planner.overlay, KvWrites::from([row]))
                }
            }
            Write::Append { even_if_full, .. }
                if admission == Admission::RemovalsOnly && !even_if_full =>
            {
                Outcome::Refused(refusal::store_is_full())
            }
            Write::Append { space, entry, .. } => append(&mut planner, space, entry)?,
        });
    }
    for outcome in &mut outcomes {
        if let Outcome::Stored(stored) = outcome
            && (!planner.overlay.added.contains_key(&stored.row)
                || planner.is_hidden_by_batch(&stored.event)?)
        {
            *outcome = Outcome::StoredThenRemoved;
        }
    }
    Ok((outcomes, planner.overlay))
}

/// Whether rows of a key space are taken by a full store: the operator's decisions are, or whoever fills the store would
/// take the means against it away. How many there are is bounded elsewhere.
fn is_let_in(space: &str) -> bool {
    space == crate::moderation::SPACE
}

fn store(
    planner: &mut Planner<'_>,
    event: &Arc<Event>,
    plan: Plan,
    policy: &dyn CommitPolicy,
) -> Result<Outcome> {
    if policy.wants_commit(event.kind()) && plan.vanishes {
        // NIP-62: nobody has a veto. Rows that cannot be written are left out as a whole.
        let rows = policy.on_vanish(event, planner);
        put_kv(&mut planner.overlay, rows);
    } else if policy.wants_commit(event.kind()) {
        let removes: Result<Vec<Arc<Event>>> = plan
            .removes
            .iter()
            .map(|resident| planner.event_of(resident))
            .collect();
        let rows = match policy.on_commit(event, &removes?, planner) {
            Ok(rows) => rows,
            Err(reason) => return Ok(Outcome::Refused(reason)),
        };
        if let refused @ Outcome::Refused(_) = put_kv(&mut planner.overlay, rows) {
            return Ok(refused);
        }
    }
    let row = planner.overlay.next_row();
    let cause = plan.cause.unwrap_or(Cause::Replacement);
    for resident in plan.removes {
        planner.overlay.remove(resident, cause)?;
    }
    let tombstones = plan.deletes_ids.into_iter().map(|key| (key, row));
    planner.overlay.deleted_ids.extend(tombstones);
    for (key, address) in plan.deletes_addresses {
        let until = planner.deleted_until(&key)?.unwrap_or(0);
        let tombstone = AddressTombstone {
            until: until.max(event.created_at()),
            row,
            address,
        };
        planner.overlay.deleted_addresses.insert(key, tombstone);
    }
    if plan.vanishes {
        // An earlier request with a later time would have refused this one.
        let (pubkey, until) = (*event.pubkey().as_bytes(), event.created_at());
        planner.overlay.vanished.insert(pubkey, until);
        planner.overlay.vanishing.insert(pubkey, Some(until));
    }
    let record = record::write(event, plan.expires_at, plan.address, planner.hash);
    planner
        .overlay
        .add(row, event.clone(), plan.address, record);
    Ok(Outcome::Stored(Stored {
        row,
        expires_at: plan.expires_at,
        event: event.clone(),
    }))
}

/// Adds a row behind the last one, which may be of this batch.
fn append(planner: &mut Planner<'_>, space: &str, entry: &[u8]) -> Result<Outcome> {
    let of_batch = (space.to_owned(), Vec::new())..(space.to_owned(), chain::BEYOND.to_vec());
    let of_batch = planner.overlay.kv.range(of_batch).next_back();
    let below = match of_batch {
        Some(_) => None,
        None => super::kv::last(planner.txn, planner.tables, space, &chain::BEYOND)?,
    };
    let last = match of_batch {
        Some(((_, key), value)) => value.as_deref().map(|value| (key.as_slice(), value)),
        None => below.as_ref().map(|(key, value)| (&key[..], &value[..])),
    };
    let row = chain::next(last, entry);
    let (key, value) =
        row.ok_or_else(|| StoreError::Corrupt(format!("{space} has no last row")))?;
    let row = ((space.to_owned(), key), Some(value));
    Ok(put_kv(&mut planner.overlay, KvWrites::from([row])))
}

fn put_kv(overlay: &mut Overlay, rows: KvWrites) -> Outcome {
    if let Some((_, key)) = rows.keys().find(|(_, key)| key.len() > MAX_KEY_BYTES) {
        return Outcome::Refused(refusal::key_too_long(key.len()));
    }
    overlay.kv.extend(rows);
    Outcome::Done
}
