//! Rosters under whatever changes there may be.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;
use trellis_relay::extension::Pubkeys;

fn key(number: u8) -> PublicKey {
    PublicKey::from_byte_array([number; 32])
}

fn keys(numbers: &[u8]) -> Vec<PublicKey> {
    numbers.iter().copied().map(key).collect()
}

fn event(number: u64) -> EventId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    EventId::from_byte_array(id)
}

fn change(seq: u64, op: RosterOp) -> RosterChange {
    RosterChange {
        seq,
        event: event(seq),
        op,
    }
}

/// Key 9 is an admin of the relay.
fn relay_admins() -> Pubkeys {
    [key(9)].into_iter().collect()
}

fn put(roster: Option<&Roster>, by: u8, change: &RosterChange) -> Result<Roster, RosterRefusal> {
    let admins = relay_admins();
    let authority = Authority {
        admins: &admins,
        is_bootstrap_open: false,
    };
    apply(roster, change, &key(by), authority)
}

/// Of owner 9, admin 2 and the members 3 and 4, at sequence 2.
fn group() -> Roster {
    let founded = change(1, RosterOp::Bootstrap(keys(&[2, 3, 4])));
    let promoted = change(2, RosterOp::Promote(keys(&[2]), Role::Admin));
    let founded = put(None, 9, &founded).unwrap();
    put(Some(&founded), 9, &promoted).unwrap()
}

#[test]
fn m16_no_admin_can_use_up_all_numbers() {
    let group = group();
    let far = change(u64::MAX, RosterOp::Add(keys(&[5])));
    assert_eq!(put(Some(&group), 2, &far), Err(RosterRefusal::TooFarAhead));
    let gap = change(1_000_000, RosterOp::Add(keys(&[5])));
    assert_eq!(put(Some(&group), 2, &gap).unwrap().seq, 1_000_000);
    let founded_far = change(u64::MAX, RosterOp::Bootstrap(vec![]));
    assert_eq!(put(None, 9, &founded_far), Err(RosterRefusal::TooFarAhead));
}

#[test]
fn m15_bootstrap_is_for_admins_of_the_relay_and_only_once() {
    let found = change(1, RosterOp::Bootstrap(keys(&[2])));
    let refused = put(None, 1, &found);
    assert_eq!(refused, Err(RosterRefusal::BootstrapNotAllowed));
    let roster = put(None, 9, &found).unwrap();
    assert_eq!(roster.role(&key(9)), Some(Role::Owner));
    assert_eq!(roster.role(&key(2)), Some(Role::Member));
    let again = change(2, RosterOp::Bootstrap(vec![]));
    assert_eq!(put(Some(&roster), 9, &again), Err(RosterRefusal::Exists));

    let nobody = Pubkeys::default();
    let open = Authority {
        admins: &nobody,
        is_bootstrap_open: true,
    };
    let roster = apply(None, &found, &key(1), open).unwrap();
    assert_eq!(roster.role(&key(1)), Some(Role::Owner));
}

#[test]
fn m15_everything_else_is_for_admins_of_the_group() {
    let add = change(3, RosterOp::Add(keys(&[5])));
    assert_eq!(put(None, 9, &add), Err(RosterRefusal::BootstrapRequired));
    for (by, outcome) in [
        (9, Ok(())),
        (2, Ok(())),
        (3, Err(RosterRefusal::NotAdmin)),
        (7, Err(RosterRefusal::NotAdmin)),
    ] {
        assert_eq!(put(Some(&group()), by, &add).map(drop), outcome, "{by}");
    }
}

#[test]
fn m16_a_sequence_is_taken_once_and_may_leave_gaps() {
    let group = group();
    let stale = RosterChange {
        event: event(77),
        ..change(2, RosterOp::Add(keys(&[5])))
    };
    assert_eq!(put(Some(&group), 9, &stale), Err(RosterRefusal::Stale));
    let same = change(2, RosterOp::Promote(keys(&[2]), Role::Admin));
    assert_eq!(put(Some(&group), 9, &same), Err(RosterRefusal::Applied));
    let far = change(1_000, RosterOp::Add(keys(&[5])));
    assert_eq!(put(Some(&group), 9, &far).unwrap().seq, 1_000);
}

#[test]
fn m17_replace_keeps_the_roles_of_those_who_stay() {
    let replace = change(3, RosterOp::Replace(keys(&[5, 2, 9])));
    let roster = put(Some(&group()), 2, &replace).unwrap();
    let roles = [9, 2, 5].map(|it| roster.role(&key(it)).unwrap());
    assert_eq!(roles, [Role::Owner, Role::Admin, Role::Member]);
    assert_eq!(roster.members.len(), 3);
    let without_owner = change(3, RosterOp::Replace(keys(&[2, 3])));
    let refused = put(Some(&group()), 9, &without_owner);
    assert_eq!(refused, Err(RosterRefusal::NoOwnerLeft));
}

#[test]
fn m17_owners_are_made_and_unmade_by_owners_alone() {
    let promote = change(3, RosterOp::Promote(keys(&[3]), Role::Owner));
    assert_eq!(
        put(Some(&group()), 2, &promote),
        Err(RosterRefusal::NotOwner)
    );
    let two_owners = put(Some(&group()), 9, &promote).unwrap();
    for op in [
        RosterOp::Remove(keys(&[9])),
        RosterOp::Demote(keys(&[9]), Role::Admin),
        RosterOp::Replace(keys(&[2, 3])),
    ] {
        let change = change(4, op);
        assert_eq!(
            put(Some(&two_owners), 2, &change),
            Err(RosterRefusal::NotOwner)
        );
        assert!(put(Some(&two_owners), 3, &change).is_ok(), "{change:?}");
        assert_eq!(
            put(Some(&group()), 9, &change),
            Err(RosterRefusal::NoOwnerLeft)
        );
    }
}

#[test]
fn m17_only_members_are_promoted_and_demoted() {
    for op in [
        RosterOp::Promote(keys(&[7]), Role::Admin),
        RosterOp::Demote(keys(&[3, 7]), Role::Member),
    ] {
        let refused = put(Some(&group()), 9, &change(3, op));
        assert_eq!(refused, Err(RosterRefusal::NotMember));
    }
    let demote = change(3, RosterOp::Demote(keys(&[2]), Role::Member));
    let roster = put(Some(&group()), 9, &demote).unwrap();
    assert_eq!(roster.role(&key(2)), Some(Role::Member));
}

fn ops() -> impl Strategy<Value = RosterOp> {
    let keys = || prop::collection::vec((1u8..10).prop_map(key), 0..5);
    let role = || prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)];
    prop_oneof![
        keys().prop_map(RosterOp::Bootstrap),
        keys().prop_map(RosterOp::Add),
        keys().prop_map(RosterOp::Remove),
        keys().prop_map(RosterOp::Replace),
        (keys(), role()).prop_map(|(keys, role)| RosterOp::Promote(keys, role)),
        (keys(), role()).prop_map(|(keys, role)| RosterOp::Demote(keys, role)),
    ]
}

/// Who signs, by how much the sequence rises, and what shall be done.
fn history() -> impl Strategy<Value = Vec<(u8, u64, RosterOp)>> {
    prop::collection::vec((1u8..10, 0u64..3, ops()), 0..30)
}

/// The changes that were taken, each with its signer, and the rosters that they made.
fn run(history: Vec<(u8, u64, RosterOp)>) -> Vec<(u8, RosterChange, Roster)> {
    let mut taken: Vec<(u8, RosterChange, Roster)> = Vec::new();
    let mut seq = 0;
    for (number, (by, rise, op)) in history.into_iter().enumerate() {
        seq += rise;
        let change = RosterChange {
            seq,
            event: event(number as u64),
            op,
        };
        let roster = taken.last().map(|(_, _, roster)| roster);
        if let Ok(roster) = put(roster, by, &change) {
            taken.push((by, change, roster));
        }
    }
    taken
}

fn reversed(op: &RosterOp) -> RosterOp {
    let back = |keys: &Vec<PublicKey>| keys.iter().rev().copied().collect();
    match op {
        RosterOp::Bootstrap(keys) => RosterOp::Bootstrap(back(keys)),
        RosterOp::Add(keys) => RosterOp::Add(back(keys)),
        RosterOp::Remove(keys) => RosterOp::Remove(back(keys)),
        RosterOp::Replace(keys) => RosterOp::Replace(back(keys)),
        RosterOp::Promote(keys, role) => RosterOp::Promote(back(keys), *role),
        RosterOp::Demote(keys, role) => RosterOp::Demote(back(keys), *role),
    }
}

#[test]
fn m16_the_last_eight_events_may_come_again() {
    let changes = (1..=10).map(|seq| match seq {
        1 => change(seq, RosterOp::Bootstrap(Vec::new())),
        _ => change(seq, RosterOp::Add(vec![key(seq as u8)])),
    });
    let changes: Vec<RosterChange> = changes.collect();
    let mut roster = None;
    for change in &changes {
        roster = Some(put(roster.as_ref(), 9, change).unwrap());
    }
    let again = |change: &RosterChange| put(roster.as_ref(), 9, change).unwrap_err();
    assert!(
        changes[..2]
            .iter()
            .all(|it| again(it) == RosterRefusal::Stale)
    );
    assert!(
        changes[2..]
            .iter()
            .all(|it| again(it) == RosterRefusal::Applied)
    );
}

proptest! {
    #[test]
    fn m17_a_roster_is_never_without_an_owner(history in history()) {
        for (_, change, roster) in run(history) {
            let owned = roster.members.values().any(|role| *role == Role::Owner);
            prop_assert!(owned, "{change:?}");
        }
    }

    #[test]
    fn m16_sequences_rise_and_what_was_taken_is_not_taken_again(history in history()) {
        let taken = run(history);
        for pair in taken.windows(2) {
            prop_assert!(pair[0].2.seq < pair[1].2.seq);
        }
        for (place, (by, change, roster)) in taken.iter().enumerate() {
            prop_assert_eq!(put(Some(roster), *by, change), Err(RosterRefusal::Applied));
            for (distance, (_, _, later)) in (1..).zip(&taken[place + 1..]) {
                let refusal = match distance {
                    ..=7 => RosterRefusal::Applied,
                    _ => RosterRefusal::Stale,
                };
                prop_assert_eq!(put(Some(later), *by, change), Err(refusal));
            }
        }
    }

    #[test]
    fn m17_the_order_of_keys_and_a_replay_make_no_difference(history in history()) {
        let mut roster: Option<Roster> = None;
        for (by, change, made) in run(history) {
            let change = RosterChange { op: reversed(&change.op), ..change };
            let replayed = put(roster.as_ref(), by, &change);
            prop_assert_eq!(replayed.as_ref(), Ok(&made));
            roster = Some(made);
        }
    }

    #[test]
    fn m17_whoever_stays_through_a_replacement_keeps_the_role(history in history(), stay in prop::collection::vec((1u8..10).prop_map(key), 0..6)) {
        if let Some((_, _, roster)) = run(history).pop() {
            let change = change(roster.seq + 1, RosterOp::Replace(stay.clone()));
            if let Ok(after) = put(Some(&roster), 9, &change) {
                for key in stay {
                    let before = roster.role(&key).unwrap_or(Role::Member);
                    prop_assert_eq!(after.role(&key), Some(before));
                }
            }
        }
    }
}
