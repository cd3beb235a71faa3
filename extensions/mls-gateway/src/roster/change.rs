//! What a roster event (450) makes of a roster.

use super::{Role, Roster, RosterRefusal};
use std::collections::{BTreeMap, BTreeSet};
use trellis_relay::event::{EventId, PublicKey};
use trellis_relay::extension::Pubkeys;

/// A roster event without its group, its author and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RosterChange {
    /// Rises with each change of a group; gaps are fine.
    pub(crate) seq: u64,
    /// The event that says so.
    pub(crate) event: EventId,
    pub(crate) op: RosterOp,
}

/// What shall be done. The order of keys does not matter, nor does it if one is named twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RosterOp {
    /// Founds a group of the author, who owns it, and these members.
    Bootstrap(Vec<PublicKey>),
    /// Takes them in; who is there keeps the role.
    Add(Vec<PublicKey>),
    /// Takes them out; who is not there stays away.
    Remove(Vec<PublicKey>),
    /// Gives members this role, unless they have a greater one.
    Promote(Vec<PublicKey>, Role),
    /// Leaves members this role, unless they have a lesser one.
    Demote(Vec<PublicKey>, Role),
    /// Leaves these and nobody else; who is there keeps the role.
    Replace(Vec<PublicKey>),
}

/// Who may change rosters on account of the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    /// `admin_pubkeys`
    pub(crate) admins: &'a Pubkeys,
    /// `allow_open_bootstrap`
    pub(crate) is_bootstrap_open: bool,
}

/// A number may be so far beyond the last. Gaps are fine, but nobody may use all numbers up.
const SEQ_GAP_MAX: u64 = 1 << 32;

/// So many events before the last are remembered.
const EARLIER_MAX: usize = 7;

/// The roster after a change that `by` has signed. A change that the roster holds already is refused as
/// [`RosterRefusal::Applied`], which to its author is a success.
pub(crate) fn apply(
    current: Option<&Roster>,
    change: &RosterChange,
    by: &PublicKey,
    authority: Authority<'_>,
) -> Result<Roster, RosterRefusal> {
    let is_config_admin = authority.admins.contains(by);
    let last_seq = current.map_or(0, |it| it.seq);
    if change.seq > last_seq.saturating_add(SEQ_GAP_MAX) {
        return Err(RosterRefusal::TooFarAhead);
    }
    if let RosterOp::Bootstrap(members) = &change.op
        && current.is_none()
    {
        return match is_config_admin || authority.is_bootstrap_open {
            true => Ok(found(*by, members, change)),
            false => Err(RosterRefusal::BootstrapNotAllowed),
        };
    }
    let current = current.ok_or(RosterRefusal::BootstrapRequired)?;
    if current.event == Some(change.event) || current.earlier.contains(&change.event) {
        return Err(RosterRefusal::Applied);
    }
    if change.seq <= current.seq {
        return Err(RosterRefusal::Stale);
    }
    if matches!(change.op, RosterOp::Bootstrap(_)) {
        return Err(RosterRefusal::Exists);
    }
    let may_change_owners = is_config_admin || current.role(by) == Some(Role::Owner);
    if !may_change_owners && current.role(by) != Some(Role::Admin) {
        return Err(RosterRefusal::NotAdmin);
    }
    let members = rearrange(&current.members, &change.op)?;
    let (before, after) = (owners(&current.members), owners(&members));
    if after.is_empty() {
        return Err(RosterRefusal::NoOwnerLeft);
    }
    if before != after && !may_change_owners {
        return Err(RosterRefusal::NotOwner);
    }
    Ok(Roster {
        members,
        seq: change.seq,
        event: Some(change.event),
        earlier: current
            .event
            .into_iter()
            .chain(current.earlier.iter().copied())
            .take(EARLIER_MAX)
            .collect(),
    })
}

fn found(owner: PublicKey, members: &[PublicKey], change: &RosterChange) -> Roster {
    let mut roster = Roster::of_owner(owner);
    add(&mut roster.members, members);
    Roster {
        seq: change.seq,
        event: Some(change.event),
        ..roster
    }
}

fn rearrange(
    current: &BTreeMap<PublicKey, Role>,
    op: &RosterOp,
) -> Result<BTreeMap<PublicKey, Role>, RosterRefusal> {
    let mut members = current.clone();
    match op {
        RosterOp::Bootstrap(_) => return Err(RosterRefusal::Exists),
        RosterOp::Add(keys) => add(&mut members, keys),
        RosterOp::Remove(keys) => keys.iter().for_each(|key| {
            members.remove(key);
        }),
        RosterOp::Promote(keys, role) => change_role(&mut members, keys, |it| it.max(*role))?,
        RosterOp::Demote(keys, role) => change_role(&mut members, keys, |it| it.min(*role))?,
        RosterOp::Replace(keys) => {
            let stay: BTreeSet<_> = keys.iter().collect();
            members.retain(|key, _| stay.contains(key));
            add(&mut members, keys);
        }
    }
    Ok(members)
}

fn add(members: &mut BTreeMap<PublicKey, Role>, keys: &[PublicKey]) {
    for key in keys {
        members.entry(*key).or_insert(Role::Member);
    }
}

fn change_role(
    members: &mut BTreeMap<PublicKey, Role>,
    keys: &[PublicKey],
    changed: impl Fn(Role) -> Role,
) -> Result<(), RosterRefusal> {
    for key in keys {
        let role = members.get_mut(key).ok_or(RosterRefusal::NotMember)?;
        *role = changed(*role);
    }
    Ok(())
}

fn owners(members: &BTreeMap<PublicKey, Role>) -> Vec<PublicKey> {
    let owners = members.iter().filter(|(_, role)| **role == Role::Owner);
    owners.map(|(key, _)| *key).collect()
}
