//! Whatever is asked in whatever order, by whichever of two handles: a database answers as the plain model does.

use super::model::Model;
use super::samples::{NOW_S, id, key, key_package_letter, package, welcome_letter};
use super::{Handles, Scratch};
use crate::roster::{Role, Roster};
use crate::storage::{Letter, LetterBox, Package, Page, PutRoster};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::fmt::Debug;

const BOXES: [LetterBox; 2] = [LetterBox::KeyPackages, LetterBox::Welcomes];

/// One question. Few groups, keys and letters, so that questions meet.
#[derive(Clone, Debug)]
enum Step {
    /// Over the roster that is there, or over one of so many writes ago.
    PutRoster {
        group: u8,
        members: Vec<(u64, u8)>,
        behind: Option<u64>,
    },
    GroupsOf(u64),
    Changes(usize),
    PutPackage {
        number: u64,
        owner: u64,
        reference: Option<u8>,
        lifetime_s: u64,
    },
    Reserve(u64, usize),
    Remove(u64),
    Surplus(u64, usize),
    Stock,
    Deposit {
        letter_box: usize,
        name: u8,
        recipient: u64,
        lifetime_s: u64,
    },
    PickUp(usize, u64, usize),
    Acknowledge(usize, u8),
    Letters(usize, u8, usize),
    Prune,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let members = vec((1..5_u64, 0..3_u8), 1..4);
    prop_oneof![
        4 => (0..3_u8, members, prop_oneof![3 => Just(None), 1 => (1..4_u64).prop_map(Some)])
            .prop_map(|(group, members, behind)| Step::PutRoster { group, members, behind }),
        1 => (1..5_u64).prop_map(Step::GroupsOf),
        1 => (1..4_usize).prop_map(Step::Changes),
        6 => (0..12_u64, 1..3_u64, proptest::option::of(0..6_u8), 0..60_u64).prop_map(
            |(number, owner, reference, lifetime_s)| {
                Step::PutPackage { number, owner, reference, lifetime_s }
            }
        ),
        3 => (1..3_u64, 0..3_usize).prop_map(|(owner, max)| Step::Reserve(owner, max)),
        1 => (0..12_u64).prop_map(Step::Remove),
        1 => (1..3_u64, 0..4_usize).prop_map(|(owner, keep)| Step::Surplus(owner, keep)),
        1 => Just(Step::Stock),
        5 => (0..2_usize, 0..8_u8, 1..3_u64, 0..60_u64).prop_map(
            |(letter_box, name, recipient, lifetime_s)| {
                Step::Deposit { letter_box, name, recipient, lifetime_s }
            }
        ),
        2 => (0..2_usize, 1..3_u64, 0..4_usize)
            .prop_map(|(letter_box, recipient, max)| Step::PickUp(letter_box, recipient, max)),
        2 => (0..2_usize, 0..8_u8)
            .prop_map(|(letter_box, name)| Step::Acknowledge(letter_box, name)),
        1 => (0..2_usize, 0..8_u8, 0..9_usize)
            .prop_map(|(letter_box, after, max)| Step::Letters(letter_box, after, max)),
        1 => Just(Step::Prune),
        2 => (0..40_u64).prop_map(Step::Wait),
    ]
}

/// Asks a new database and the model the same, in so many different ways.
pub(in crate::storage) fn agrees_with_the_model<S: Scratch>(cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = vec((step(), any::<bool>()), 1..50);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let Some(scratch) = S::create().await else {
                return Ok(());
            };
            let (one, other) = (scratch.open().await, scratch.open().await);
            let outcome = walk(Handles { one, other }, steps).await;
            scratch.remove().await;
            outcome
        })
    });
    outcome.unwrap();
}

/// What the two sides know of each other.
#[derive(Default)]
struct Walk {
    model: Model,
    /// The database's revision at each count of the model's writes.
    revisions: Vec<u64>,
    /// Up to where changes were followed: the database's cursor, and the model's count.
    followed: (u64, u64),
    now_s: u64,
}

async fn walk(at: Handles, steps: Vec<(Step, bool)>) -> Result<(), TestCaseError> {
    let mut walk = Walk {
        now_s: NOW_S,
        revisions: vec![0],
        ..Walk::default()
    };
    for (step, by_other) in steps {
        let turned = Handles {
            one: at.other.clone(),
            other: at.one.clone(),
        };
        let at = if by_other { &turned } else { &at };
        match step {
            Step::PutRoster { .. } | Step::GroupsOf(_) | Step::Changes(_) => {
                walk.rosters(at, step).await?;
            }
            Step::Deposit { .. } | Step::PickUp(..) | Step::Acknowledge(..) | Step::Letters(..) => {
                walk.letters(at, step).await?;
            }
            Step::Prune => {
                let pruned = at.one.prune(walk.now_s, 0, 1000).await.unwrap();
                same(pruned, walk.model.prune(walk.now_s))?;
            }
            Step::Wait(seconds) => walk.now_s += seconds,
            _ => walk.packages(at, step).await?,
        }
    }
    Ok(())
}

fn same<T: Debug + PartialEq>(found: T, wanted: T) -> Result<(), TestCaseError> {
    prop_assert_eq!(found, wanted);
    Ok(())
}

impl Walk {
    async fn rosters(&mut self, at: &Handles, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::PutRoster {
                group,
                members,
                behind,
            } => {
                let group_id = format!("g{group}");
                let roles = [Role::Member, Role::Admin, Role::Owner];
                let members = members.iter();
                let roster = Roster {
                    members: members
                        .map(|(number, role)| (key(*number), roles[usize::from(*role)]))
                        .collect(),
                    seq: self.revisions.len() as u64,
                    event: Some(id(self.revisions.len() as u64)),
                    earlier: Vec::new(),
                };
                let there = self.model.roster(&group_id).map(|(_, at)| *at);
                let replaces = match (there, behind) {
                    (Some(there), Some(behind)) => Some(there.saturating_sub(behind).max(1)),
                    (None, Some(_)) => Some(1),
                    (there, None) => there,
                };
                let revision = |count: u64| self.revisions.get(count as usize).copied();
                let revision = replaces.map(|count| revision(count).unwrap_or(u64::MAX >> 1));
                let put = at.one.put_roster(&group_id, &roster, revision, self.now_s);
                let put = put.await.unwrap();
                match self.model.put_roster(&group_id, &roster, replaces) {
                    None => same(put, PutRoster::Conflict)?,
                    Some(_) => {
                        let PutRoster::Written(revision) = put else {
                            return Err(TestCaseError::fail("a conflict with nobody"));
                        };
                        prop_assert!(self.revisions.last() < Some(&revision));
                        self.revisions.push(revision);
                    }
                }
                let found = at.other.rosters(std::slice::from_ref(&group_id)).await;
                let found = found.unwrap().pop();
                let found = found.map(|(_, it)| (it.roster, it.revision));
                let wanted = self.model.roster(&group_id);
                let wanted =
                    wanted.map(|(roster, at)| (roster.clone(), self.revisions[*at as usize]));
                same(found, wanted)
            }
            Step::GroupsOf(number) => {
                let mut found = at.one.groups_of(&key(number)).await.unwrap();
                found.sort();
                same(found, self.model.groups_of(&key(number)))
            }
            Step::Changes(max) => {
                let (cursor, count) = self.followed;
                let (found, next) = at.one.roster_changes(cursor, max).await.unwrap();
                let mut wanted = self.model.changes(count);
                wanted.truncate(max);
                let last = wanted.last().and_then(|it| self.model.roster(it));
                self.followed = (next, last.map_or(count, |(_, at)| *at));
                same(found, wanted)
            }
            _ => Ok(()),
        }
    }

    async fn packages(&mut self, at: &Handles, step: Step) -> Result<(), TestCaseError> {
        let now_s = self.now_s;
        match step {
            Step::PutPackage {
                number,
                owner,
                reference,
                lifetime_s,
            } => {
                let package = Package {
                    reference: reference.map(|it| format!("r{it}")),
                    created_at_s: NOW_S + number / 2,
                    expires_at_s: now_s + lifetime_s,
                    ..package(number, owner)
                };
                let put = at.one.put_package(&package).await.unwrap();
                same(put, self.model.put_package(&package))?;
                let live = at.other.packages(&key(owner), now_s, 100).await.unwrap();
                same(live, self.model.live(&key(owner), now_s))
            }
            Step::Reserve(owner, max) => {
                let owner = key(owner);
                let reserved = at.one.reserve_packages(&owner, max, now_s).await.unwrap();
                same(reserved, self.model.reserve(&owner, max, now_s))?;
                let live = at.other.packages(&owner, now_s, 100).await.unwrap();
                same(live, self.model.live(&owner, now_s))
            }
            Step::Remove(number) => {
                let removed = at.one.remove_packages(&[id(number)]).await.unwrap();
                same(removed, self.model.remove(&id(number)))
            }
            Step::Surplus(owner, keep) => {
                let owner = key(owner);
                let surplus = at.one.surplus_packages(&owner, keep, now_s).await.unwrap();
                same(surplus, self.model.surplus(&owner, keep, now_s))
            }
            _ => {
                let page = Page {
                    after: None,
                    max: 9,
                };
                let stock = at.one.stock(now_s, page).await.unwrap();
                same(stock, self.model.stock(now_s))
            }
        }
    }

    async fn letters(&mut self, at: &Handles, step: Step) -> Result<(), TestCaseError> {
        let now_s = self.now_s;
        match step {
            Step::Deposit {
                letter_box,
                name,
                recipient,
                lifetime_s,
            } => {
                let sample = [key_package_letter, welcome_letter][letter_box];
                let letter = Letter {
                    created_at_s: now_s,
                    expires_at_s: now_s + lifetime_s,
                    ..sample(&format!("l{name}"), recipient)
                };
                let is_new = at.one.deposit(BOXES[letter_box], &letter).await.unwrap();
                same(is_new, self.model.deposit(letter_box, &letter))
            }
            Step::PickUp(letter_box, recipient, max) => {
                let recipient = key(recipient);
                let found = at.one.pick_up(BOXES[letter_box], &recipient, max, now_s);
                let wanted = self.model.pick_up(letter_box, &recipient, max, now_s);
                same(found.await.unwrap(), wanted)
            }
            Step::Acknowledge(letter_box, name) => {
                let name = format!("l{name}");
                let done = at.one.acknowledge(BOXES[letter_box], &name, now_s).await;
                let wanted = self.model.acknowledge(letter_box, &name, now_s);
                same(done.unwrap(), wanted)?;
                let found = at.other.letter(BOXES[letter_box], &name).await.unwrap();
                same(found, self.model.letter(letter_box, &name))
            }
            Step::Letters(letter_box, after, max) => {
                let after = format!("l{after}");
                let page = Page {
                    after: Some(&after),
                    max,
                };
                let found = at.one.letters(BOXES[letter_box], page).await.unwrap();
                same(found, self.model.letters(letter_box, &after, max))
            }
            _ => Ok(()),
        }
    }
}
